"""Labelled pieces of a text to its entities, as transformers' token-classification pipeline groups them (`simple`)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """An entity: characters [start, end), and the mean probability of its pieces."""

    type: str
    start: int
    end: int
    score: float


def grouped(
    labels: Sequence[str], scores: Sequence[float], starts: Sequence[int], ends: Sequence[int]
) -> Iterable[Found]:
    """The entities of a window: neighbouring pieces of one type, of which none but the first is a B-."""
    begin = 0
    for place in range(1, len(labels) + 1):
        if place < len(labels) and _goes_on(labels[place - 1], labels[place]):
            continue
        if begin < len(labels) and labels[begin] != "O":
            mean = float(np.mean(np.asarray(scores[begin:place], np.float32)))
            yield Found(labels[begin].split("-", 1)[-1], starts[begin], ends[place - 1], mean)
        begin = place


def _goes_on(before: str, label: str) -> bool:
    return not label.startswith("B-") and _type(label) == _type(before)


def _type(label: str) -> str:
    return label[2:] if label.startswith(("B-", "I-")) else label


def without_overlap(found: Iterable[Found]) -> list[Found]:
    """Of entities that overlap, as those of two windows do, the longest, or of equally long ones the surer."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: one.start):
        if not kept or not kept[-1].start <= one.start < kept[-1].end:
            kept.append(one)
        elif (one.end - one.start, one.score) > (kept[-1].end - kept[-1].start, kept[-1].score):
            kept[-1] = one
    return kept
