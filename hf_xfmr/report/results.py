"""The predictions a run leaves as CSV: read back, checked, as arrays."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

_MAX = np.finfo(float).max
_KINDS = ("single_label_classification", "multi_label_classification", "regression")


@dataclass
class Predictions:
    """One row a text, N in all, of K labels.

    `gold` and `predicted` are int [N] (one label), bool [N, K] (several) or float [N] (regression); `probabilities` is
    float [N, K] or None; `cut` bool [N] (was the text shortened?) and `tokens` int [N] or None.
    """

    ids: list[str]
    texts: list[str]
    pairs: list[str] | None
    gold: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None
    cut: np.ndarray | None
    tokens: np.ndarray | None
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def names(self, labels) -> str:
        """A row of `gold` or `predicted` as text."""
        if isinstance(labels, np.ndarray):
            return ", ".join(name for name, given in zip(self.labels, labels, strict=True) if given) or "none"
        return self.labels[labels] if isinstance(labels, np.integer) else f"{labels:.3g}"


def read(path: str | Path, *, problem_type: str | None, labels: list[str] | None = None) -> Predictions:
    """Read a predictions file: UTF-8 with columns text, gold, predicted, and id, text_pair, cut, tokens, `p_<label>`.

    Labels are those of the `p_` columns, else `labels`, else the names found; several of a row are joined by `|`.
    Raises `UserError` naming the file, row and column of what can't be read. Rows count from 1, without the header.
    """
    path = Path(path)
    if problem_type not in _KINDS:
        raise UserError(
            f"{path}: the problem type '{problem_type}' is none of {', '.join(_KINDS)}; put it into run.json"
        )
    csv.field_size_limit(2**31 - 1)  # a text may be a book
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is no table in UTF-8 ({error}): let the recipe write it again") from None
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise UserError(f"{path}, row {number}: {len(row)} fields where the header has {len(header)}")
    table = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    lacking = [name for name in ("text", "gold", "predicted") if name not in header]
    if lacking or not rows:
        raise UserError(
            f"{path} has no {f'column {lacking[0]!r}' if lacking else 'rows'}: let the recipe write it again"
        )

    def column(name: str, read_one: Callable[[str], Any]) -> list:
        values = []
        for number, value in enumerate(table[name], start=1):
            try:
                values.append(read_one(value))
            except (ValueError, KeyError):
                raise UserError(f"{path}, row {number}: {name} can't be '{value}'") from None
        return values

    def numbers(name: str, low: float, high: float) -> np.ndarray:
        values = np.array(column(name, float))
        bad = np.flatnonzero(~((values >= low) & (values <= high)))  # NaN too
        if bad.size:
            raise UserError(f"{path}, row {bad[0] + 1}: {name} can't be '{table[name][bad[0]]}'")
        return values

    scored = [name for name in header if name.startswith("p_")] if problem_type != "regression" else []
    if problem_type == "regression":
        labels = []
    elif scored:
        labels = [name[2:] for name in scored]
    elif not labels:
        split = (lambda v: filter(None, v.split("|"))) if problem_type == _KINDS[1] else (lambda v: [v])
        labels = sorted({name for key in ("gold", "predicted") for value in table[key] for name in split(value)})
    index = {name: i for i, name in enumerate(labels)}

    def several(value: str) -> np.ndarray:
        row = np.zeros(len(index), dtype=bool)
        row[[index[name] for name in value.split("|") if name]] = True
        return row

    if problem_type == "regression":
        gold, predicted = (numbers(name, -_MAX, _MAX) for name in ("gold", "predicted"))
    else:
        one = several if problem_type == "multi_label_classification" else index.__getitem__
        gold, predicted = (np.array(column(name, one)) for name in ("gold", "predicted"))
    return Predictions(
        ids=table.get("id") or [str(i) for i in range(1, len(rows) + 1)],
        texts=table["text"],
        pairs=table.get("text_pair"),
        gold=gold,
        predicted=predicted,
        probabilities=np.stack([numbers(name, 0, 1) for name in scored], axis=1) if scored else None,
        cut=np.array(column("cut", {"True": True, "False": False}.__getitem__)) if "cut" in table else None,
        tokens=np.array(column("tokens", int)) if "tokens" in table else None,
        labels=labels,
    )
