"""Figures of classes as lines for a terminal: whole tables of a few labels, of many what is looked at first."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from ...data.wording import short
from .metrics import Pairs, scores_of_classes, wrong_pairs

LABELS_SHOWN = 30  # rows of a table of labels
CONFUSED_SHOWN = 12  # labels of a whole confusion table; with more, pairs of them
LONGEST = 40  # characters of a label's name


def per_class_table(labels, predictions, label_names: Sequence[str], *, file: str | None = None) -> list[str]:
    """The lines of a table for the terminal: precision, recall, F1 and number of rows by label name; of many labels
    those with most rows, and how many more there are (in a `file`, if there is one)."""

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
        lines.append(
            f"and {len(rest):,} more labels of at most {most:,} rows, mean f1 {mean:.3f}"
            + (f"; all are in {file}" if file else "")
        )
    return lines


def confusion_table(counts: np.ndarray, label_names: Sequence[str]) -> list[str]:
    """`confusion` as the lines of a table for the terminal; of many labels, which is most often taken for which."""
    if len(label_names) > CONFUSED_SHOWN:
        gold, predicted = np.nonzero(counts)
        return top_confusions(Pairs(gold, predicted, counts[gold, predicted]), label_names)
    label_names = [short(name, LONGEST) for name in label_names]
    width = max(8, *(len(name) + 2 for name in label_names))
    head = "gold \\ predicted".ljust(width + 8) + "".join(name.rjust(width) for name in label_names)
    return [head] + [
        name.ljust(width + 8) + "".join(f"{count:,}".rjust(width) for count in row)
        for name, row in zip(label_names, counts, strict=True)
    ]


def top_confusions(pairs: Pairs, label_names: Sequence[str], *, file: str = "the predictions file") -> list[str]:
    """Which label is most often taken for which; what is left out is in a `file`."""
    wrong = wrong_pairs(pairs)
    if not len(wrong.rows):
        return ["no label was taken for another"]
    lines = ["most often taken for another (gold, predicted, rows):"]
    lines += [
        f"  {short(label_names[gold], LONGEST)} -> {short(label_names[other], LONGEST)}  {rows:,}"
        for gold, other, rows in list(zip(*wrong, strict=True))[:CONFUSED_SHOWN]
    ]
    if (more := len(wrong.rows) - CONFUSED_SHOWN) > 0:
        lines.append(f"  and {more:,} more such pairs; every {'row' if 'predictions' in file else 'one'} is in {file}")
    return lines
