"""Figures of classes as lines for a terminal: whole tables of a few labels, of many what is looked at first."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from ...data.wording import short
from .metrics import scores_of_classes

LABELS_SHOWN = 30  # rows of a table of labels
CONFUSED_SHOWN = 12  # labels of a whole confusion table; with more, pairs of them
LONGEST = 40  # characters of a label's name


def per_class_table(labels: np.ndarray, predictions: np.ndarray, label_names: Sequence[str]) -> list[str]:
    """The lines of a table for the terminal: precision, recall, F1 and number of rows by label name; of many labels
    those with most rows, and how many more there are."""

    def width(text: str) -> int:  # Chinese characters take two columns
        return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

    scores = scores_of_classes(labels, predictions, len(label_names))
    shown: Sequence[int] = range(len(scores))
    if len(scores) > LABELS_SHOWN:
        shown = sorted(shown, key=lambda label: -scores[label][3])[:LABELS_SHOWN]
    written = {label: short(label_names[label], LONGEST) for label in shown}
    names = max(map(width, written.values()))
    lines = [f"{'':{names}}  precision  recall     f1   rows"]
    for label, name in written.items():
        precision, recall, score, rows = scores[label]
        padded = name + " " * (names - width(name))
        lines.append(f"{padded}  {precision:9.3f}  {recall:6.3f}  {score:.3f}  {int(rows):5d}")
    if rest := [scores[label] for label in set(range(len(scores))) - set(shown)]:
        mean, most = sum(score for _, _, score, _ in rest) / len(rest), max(int(rows) for *_, rows in rest)
        lines.append(f"and {len(rest):,} more labels of at most {most:,} rows, mean f1 {mean:.3f}")
    return lines


def confusion_table(counts: np.ndarray, label_names: Sequence[str]) -> list[str]:
    """`confusion` as the lines of a table for the terminal; of many labels, which is most often taken for which."""
    if len(label_names) > CONFUSED_SHOWN:
        return _top_confusions(counts, label_names)
    label_names = [short(name, LONGEST) for name in label_names]
    width = max(8, *(len(name) + 2 for name in label_names))
    head = "gold \\ predicted".ljust(width + 8) + "".join(name.rjust(width) for name in label_names)
    return [head] + [
        name.ljust(width + 8) + "".join(f"{count:,}".rjust(width) for count in row)
        for name, row in zip(label_names, counts, strict=True)
    ]


def _top_confusions(counts: np.ndarray, label_names: Sequence[str]) -> list[str]:
    wrong = np.array(counts)
    np.fill_diagonal(wrong, 0)
    most = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED_SHOWN]
    pairs = [pair for pair in zip(*np.unravel_index(most, wrong.shape), strict=True) if wrong[pair]]
    if not pairs:
        return ["no label was taken for another"]
    lines = ["most often taken for another (gold, predicted, rows):"]
    lines += [
        f"  {short(label_names[gold], LONGEST)} -> {short(label_names[other], LONGEST)}  {wrong[gold, other]:,}"
        for gold, other in pairs
    ]
    if more := int((wrong > 0).sum()) - len(pairs):
        lines.append(f"  and {more:,} more such pairs; every row is in the predictions file")
    return lines
