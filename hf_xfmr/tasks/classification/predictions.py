"""The predictions file of a run: written row by row, and read back, checked, as arrays."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from ...errors import UserError
from ...writing import whole
from .decisions import UNSURE
from .kinds import KINDS, of_labels
from .problem import Problem


def write(path: Path, rows: Dataset, logits: np.ndarray, problem: Problem, answers: list[str] | None = None) -> None:
    """One CSV line for each row: id, text, gold, predicted, whether it was cut, its tokens, and the probabilities: of
    all labels, or of more than 100 the ten likeliest (see `Problem.share_columns`). `answers` are what is predicted,
    as a decision names it; None: what the problem says of the logits."""
    columns: dict[str, list] = {name: rows[name] for name in ("id", "text", "text_pair") if name in rows.column_names}
    columns["gold"] = problem.gold(problem.array(rows["labels"][:]))
    columns["predicted"] = problem.predicted(logits) if answers is None else answers
    columns |= {"cut": rows["cut"], "tokens": rows["length"]} | problem.share_columns(logits)
    write_rows(path, chain([list(columns)], zip(*columns.values(), strict=True)))


def write_rows(path: Path, rows: Iterable[Sequence]) -> None:
    """A CSV file of these rows, the first of which is its header."""
    with whole(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@dataclass
class Predictions:
    """One row a text, N in all, of a problem with K labels.

    `gold` and `predicted` [N] or [N, K] are as the problem's class says; `probabilities` is float [N, K] or None; of
    many labels there are in its place the `confidence` [N], the probability of the label predicted, and `likelihood`
    [N], that of the gold one; `cut` bool [N] (was the text shortened?) and `tokens` int [N] or None. Where a row's
    answer was "unsure", `predicted` is the likeliest label, and `answered` [N] says so; None: all are answered.
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
    confidence: np.ndarray | None = None
    likelihood: np.ndarray | None = None
    answered: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def only_answered(self) -> "Predictions":
        """The rows with an answer; all, where none has one."""
        if self.answered is None or not self.answered.any():
            return self
        kept = np.flatnonzero(self.answered)

        def of(value: Any) -> Any:
            return [value[place] for place in kept] if isinstance(value, list) else value[kept]

        names = [one.name for one in fields(self) if one.name not in ("problem", "answered")]
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        some: dict[str, Any] = {name: None if one is None else of(one) for name, one in values.items()}
        return Predictions(self.problem, **some)

    @property
    def labels(self) -> list[str]:
        return self.problem.label_names


def read(
    path: str | Path, *, problem_type: str | None, labels: list[str] | None = None, shares: bool = True
) -> Predictions:
    """Read a predictions file: UTF-8 with columns text, gold, predicted, and id, text_pair, cut, tokens, `p_<label>`.

    Of many labels `top1_probability` and `gold_probability` are read. Without `shares` probabilities are left alone.
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

    def probability(name: str) -> np.ndarray:
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
    # With a column for each label there is no need to do without.
    problem = kind(labels or ()) if scored and shares else of_labels(kind, labels or ())
    answered = None
    if scored and not problem.several and UNSURE not in problem.ids and UNSURE in table["predicted"]:
        answered = np.array([value != UNSURE for value in table["predicted"]])
        likeliest = np.stack([probability(name) for name in scored], axis=1).argmax(axis=1)
        table["predicted"] = [
            value if sure else problem.label_names[best]
            for value, sure, best in zip(table["predicted"], answered, likeliest, strict=True)
        ]
    gold, predicted = (problem.stack(column(name, problem.parse)) for name in ("gold", "predicted"))
    confidence, likelihood = (
        probability(name) if name in table and shares and not problem.several and problem.has_names else None
        for name in ("top1_probability", "gold_probability")
    )
    return Predictions(
        problem=problem,
        ids=table.get("id") or [str(i) for i in range(1, len(rows) + 1)],
        texts=table["text"],
        pairs=table.get("text_pair"),
        gold=gold,
        predicted=predicted,
        probabilities=np.stack([probability(name) for name in scored], axis=1) if scored and shares else None,
        cut=np.array(column("cut", {"True": True, "False": False}.__getitem__)) if "cut" in table else None,
        tokens=np.array(column("tokens", int)) if "tokens" in table else None,
        confidence=confidence,
        likelihood=likelihood,
        answered=answered,
    )
