"""Which fold a row is in, and the splits of each run: every row is held out once."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset, concatenate_datasets

from ....data.carve import limit_rows
from ....data.picked import picked
from ....errors import UserError
from ....run.folds import Part
from ....splits import position
from ..problem import Problem, label_key, label_name


def fold_of(texts: Sequence[str], labels: Sequence[Any], folds: int) -> np.ndarray:
    """The fold, from 1, of each row: int [N].

    Rows of equal texts (up to case, width and white space) share a fold, and the texts of a label, of a set of labels
    or of neighbouring ratings are dealt out evenly. Neither their order nor a seed changes a thing: two models are
    measured on the same folds. Raises `UserError` for fewer different texts than folds.
    """
    groups: dict[float, list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        groups[position(text)].append(row)
    if len(groups) < folds:
        several = f"{len(groups)} different texts: give fewer folds" if len(groups) > 1 else "one text: add rows"
        raise UserError(f"folds is {folds}, but the data have only {several}")
    stratum = {place: min(label_key(labels[row]) for row in rows) for place, rows in groups.items()}
    order = sorted(groups, key=lambda place: (stratum[place], place))
    found = np.empty(len(texts), dtype=int)
    for turn, place in enumerate(order):
        lap, at = divmod(turn, folds)
        found[groups[place]] = 1 + (at if lap % 2 == 0 else folds - 1 - at)  # to and fro: no fold has all low ratings
    return found


def arranged(
    given: dict[str, Dataset], part: Part, kind: type[Problem], most: int | None, notes: list[str]
) -> tuple[dict[str, Dataset], list, np.ndarray]:
    """The splits of a run of folds before validation is carved, the labels of all rows, and each row's fold [N].

    The rows that are dealt out are those of train and of a given validation, at most `most`. Of a run that leaves out a
    fold that is `test`, and a given test split is left to the last run, which has all rows in `train`.
    """
    pool = given["train"]
    if "validation" in given:
        pool = concatenate_datasets([pool, given["validation"]])
        notes.append(f"folds: the {len(given['validation']):,} rows of the given validation split are dealt out too")
    pool = limit_rows(pool, most, split="train", notes=notes)
    labels = pool["label"][:]
    if not kind.has_names:
        labels = [float(one) for one in labels]
    found = fold_of(pool["text"][:], labels, part.of)
    if part.is_last:
        notes.append(f"folds: this run learns from all {len(pool):,} rows, whatever fold they were in")
        return {"train": pool, **({"test": given["test"]} if "test" in given else {})}, labels, found
    _check_labels(labels, found, notes)
    notes.append(
        f"folds: fold {part.number} of {part.of}, {int((found == part.number).sum()):,} rows, is left out as test"
    )
    left_out = found == part.number
    sides = {"train": np.flatnonzero(~left_out), "test": np.flatnonzero(left_out)}
    return {split: picked(pool, places) for split, places in sides.items()}, labels, found


def _check_labels(labels: list, found: np.ndarray, notes: list[str]) -> None:
    """Say which labels are in one fold alone: a model that has not seen a label can't answer it."""
    if labels and isinstance(labels[0], float):
        return
    where: dict[str, set[int]] = defaultdict(set)
    for one, fold in zip(labels, found, strict=True):
        for label in one if isinstance(one, list) else [one]:
            where[label_name(label)].add(int(fold))
    alone = [name for name, folds in where.items() if len(folds) == 1]
    if alone:
        shown = ", ".join(f'"{name}"' for name in alone[:5]) + (f" and {len(alone) - 5:,} more" if alone[5:] else "")
        notes.append(f"folds: all rows of {shown} are in one fold, whose model never sees the label: it can't be right")
