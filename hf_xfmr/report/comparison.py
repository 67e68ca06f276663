"""Two runs compared on the same rows: a figure's difference, its interval, and how often chance makes as much of it."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from . import bootstrap
from .intervals import wilson

SIGNIFICANT = 0.05
POINTS = ("bleu", "chrf")  # figures of 0 to 100


def same_rows(files: Sequence[Path], keys: Sequence[Sequence[tuple]], names: Sequence[str]) -> list[int]:
    """For each row of the first run its place in the second. Rows are the same if all of `keys`, (id, ...), are."""
    place = {key: number for number, key in enumerate(keys[1])}
    for number, key in enumerate(keys[0]):
        if key not in place:
            by_id = {other[0]: other for other in keys[1]}
            if key[0] not in by_id:
                raise UserError(
                    f"row {number} of {files[0]} (id {key[0]}) is not in {files[1]}: compare on the same rows"
                )
            what = next(name for name, x, y in zip(names, key, by_id[key[0]], strict=True) if x != y)
            raise UserError(f"row {number} (id {key[0]}) has another {what} in {files[0]} than in {files[1]}")
    if len(keys[0]) != len(keys[1]):
        number, key = next((n, key) for n, key in enumerate(keys[1]) if key not in set(keys[0]))
        raise UserError(f"row {number} of {files[1]} (id {key[0]}) is not in {files[0]}: compare on the same rows")
    return [place[key] for key in keys[0]]


def figure(
    name: str,
    values: Sequence[float],
    drawn: np.ndarray,
    p: float | None,
    test: str,
    better="higher",
    *,
    rows: int | None = None,
) -> dict:
    """`drawn` [b]: the difference in each resample, by which `p` is found if it is None.

    Where no resample differs from another, as of two runs with the same answers, the interval is what a share seen
    in none of `rows` may be.
    """
    low, high = bootstrap.interval(drawn)
    if p is None:
        p = _two_sided(drawn)
    if rows and low == high:
        unseen = (100 if name.lower() in POINTS else 1) * wilson(0, rows)[1]
        low, high = low - unseen, high + unseen
    a, b = map(float, values)
    bounds = {"low": float(low), "high": float(high), "p": float(p)}
    return {"name": name, "a": a, "b": b, "difference": b - a, **bounds, "test": test, "better": better}


def _two_sided(drawn: np.ndarray) -> float:
    """Twice the share of resamples on the rarer side of no difference (half of those on it), at least one of them."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return 1.0
    share = (drawn < 0).mean() + (drawn == 0).mean() / 2
    return float(min(1.0, max(2 * min(share, 1 - share), 1 / len(drawn))))


def read_table(file: Path) -> list[dict[str, str]]:
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle, delimiter="\t" if file.suffix == ".tsv" else ",", strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{file} can't be read ({error}): let the recipe write it again") from None
    finally:
        csv.field_size_limit(limit)


def read_lines(file: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} can't be read ({error}): let the recipe write it again") from None


def outcome(figure: dict[str, Any]) -> str:
    """What a `figure` says of B against A: better, worse, tie (a difference that matters is ruled out), or unsure."""
    if figure["p"] < SIGNIFICANT and figure["difference"] != 0:
        return "better" if (figure["difference"] > 0) == (figure["better"] == "higher") else "worse"
    return "tie" if abs(figure["high"] - figure["low"]) / 2 <= mattering(figure) else "unsure"


def mattering(figure: dict[str, Any]) -> float:
    """The smallest difference that matters: 0.05 of a share, 2 points of BLEU and chrF, of a loss or a distance a
    twentieth."""
    if figure["better"] == "lower":
        return abs(figure["a"]) / 20
    return 2.0 if figure["name"].lower() in POINTS else 0.05
