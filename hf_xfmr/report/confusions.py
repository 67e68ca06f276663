"""What is taken for what, as a list: for a page beside the matrix, or in its place where that can't be read."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .language import say

MOST = 15


def largest(confusion: dict[str, Any], per_label: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `MOST` pairs {"gold", "predicted", "rows", "share"}, the most frequent first; `share` of the rows of that
    gold label is None where it is not known. None of two labels, whose matrix says it all."""
    if len(confusion["labels"]) < 3:
        return []
    rows = {one["label"]: one["rows"] for one in per_label}
    return [
        {"gold": gold, "predicted": predicted, "rows": count, "share": count / rows[gold] if rows.get(gold) else None}
        for gold, predicted, count in _pairs(confusion, MOST)
    ]


def summary(confusion: dict[str, Any]) -> str:
    """The matrix in words: how many rows are right, and its largest confusions."""
    counts = np.asarray(confusion["counts"])
    right, rows = confusion.get("right", np.trace(counts)), confusion.get("rows", counts.sum())
    parts = [
        say("{gold} taken for {predicted} {n} times", gold=gold, predicted=predicted, n=f"{count:,}")
        for gold, predicted, count in _pairs(confusion, 5)
    ]
    told = ", ".join(parts) or say("no confusion")
    return say("{right} of {rows} rows right; {told}", right=f"{right:,}", rows=f"{rows:,}", told=told)


def _pairs(confusion: dict[str, Any], most: int) -> Iterator[tuple[str, str, int]]:
    if "pairs" in confusion:
        for one in confusion["pairs"][:most]:
            yield one["gold"], one["predicted"], one["rows"]
        return
    labels, counts = confusion["labels"], np.asarray(confusion["counts"])
    wrong = np.where(np.eye(len(labels), dtype=bool), 0, counts)
    for place in np.argsort(-wrong, axis=None, kind="stable")[:most]:
        i, j = np.unravel_index(place, wrong.shape)
        if wrong[i, j]:
            yield labels[i], labels[j], int(wrong[i, j])
