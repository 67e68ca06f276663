"""The predictions file of a run: written row by row, and read back, checked, as arrays."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from ...errors import UserError
from ...writing import whole
from .kinds import KINDS
from .problem import Problem


def write(path: Path, rows: Dataset, logits: np.ndarray, problem: Problem) -> None:
    """One CSV line for each row: id, text, gold, predicted, whether it was cut, its tokens, and the probabilities."""
    columns: dict[str, list] = {name: rows[name] for name in ("id", "text", "text_pair") if name in rows.column_names}
    columns["gold"], columns["predicted"] = problem.gold(np.asarray(rows["labels"])), problem.predicted(logits)
    columns |= {"cut": rows["cut"], "tokens": rows["length"]}
    shares = problem.probabilities(logits)
    if shares is not None:
        columns |= {f"p_{name}": [f"{p:.6f}" for p in shares[:, i]] for i, name in enumerate(problem.label_names)}
    with whole(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


@dataclass
class Predictions:
    """One row a text, N in all, of a problem with K labels.

    `gold` and `predicted` [N] or [N, K] are as the problem's class says; `probabilities` is float [N, K] or None; `cut`
    bool [N] (was the text shortened?) and `tokens` int [N] or None.
    """

    problem: Problem
    ids: list[str]
    texts: list[str]
    pairs: list[str] | None
    gold: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None = None
    cut: np.ndarray | None = None
    tokens: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> list[str]:
        return self.problem.label_names


def read(path: str | Path, *, problem_type: str | None, labels: list[str] | None = None) -> Predictions:
    """Read a predictions file: UTF-8 with columns text, gold, predicted, and id, text_pair, cut, tokens, `p_<label>`.

    Labels are those of the `p_` columns, else `labels`, else the names found; several of a row are joined by `|`.
    Raises `UserError` naming the file, row and column of what can't be read. Rows count from 1, without the header.
    """
    path = Path(path)
    if problem_type not in KINDS:
        raise UserError(
            f"{path}: the problem type '{problem_type}' is none of {', '.join(KINDS)}; put it into run.json"
        )
    kind = KINDS[problem_type]
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

    def shares(name: str) -> np.ndarray:
        values = np.array(column(name, float))
        bad = np.flatnonzero(~((values >= 0) & (values <= 1)))  # NaN too
        if bad.size:
            raise UserError(f"{path}, row {bad[0] + 1}: {name} can't be '{table[name][bad[0]]}'")
        return values

    scored = [name for name in header if name.startswith("p_")] if kind.has_names else []
    if scored:
        labels = [name[2:] for name in scored]
    elif kind.has_names and not labels:
        cells = [value for key in ("gold", "predicted") for value in table[key]]
        labels = sorted({name for value in cells for name in kind.names_in(value)})
    problem = kind(labels or ())
    gold, predicted = (np.array(column(name, problem.parse)) for name in ("gold", "predicted"))
    return Predictions(
        problem=problem,
        ids=table.get("id") or [str(i) for i in range(1, len(rows) + 1)],
        texts=table["text"],
        pairs=table.get("text_pair"),
        gold=gold,
        predicted=predicted,
        probabilities=np.stack([shares(name) for name in scored], axis=1) if scored else None,
        cut=np.array(column("cut", {"True": True, "False": False}.__getitem__)) if "cut" in table else None,
        tokens=np.array(column("tokens", int)) if "tokens" in table else None,
    )
