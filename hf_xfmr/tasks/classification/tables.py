"""Figures of classes as lines for a terminal: whole tables of a few labels, of many what is looked at first."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from ...data.wording import short
from .metrics import Pairs, scores_of_classes, wrong_pairs

LABELS_SHOWN = 30  # rows of a table of labels
CONFUSED_SHOWN = 12  # labels of a whole confusion table; with more, pairs of them
LONGEST = 40  # columns of a label's name
COLUMNS, LEAST = 78, 18  # of a table, and of the names in it


def width_of(text: str) -> int:
    """Columns that it takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut_to(text: str, columns: int) -> str:
    """On one line, with … where there is more of it."""
    text = short(text, 4 * columns)
    if width_of(text) <= columns:
        return text
    while width_of(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def per_class_table(labels, predictions, label_names: Sequence[str], *, file: str | None = None) -> list[str]:
    """The lines of a table for the terminal: precision, recall, F1 and number of rows by label name; of many labels
    those with most rows, and how many more there are (in a `file`, if there is one)."""

    scores = scores_of_classes(labels, predictions, len(label_names))
    shown: Sequence[int] = range(len(scores))
    if len(scores) > LABELS_SHOWN:
        shown = sorted(shown, key=lambda label: -scores[label][3])[:LABELS_SHOWN]
    written = {label: cut_to(label_names[label], LONGEST) for label in shown}
    names = max(map(width_of, written.values()))
    lines = [f"{'':{names}}  precision  recall     f1   rows"]
    for label, name in written.items():
        precision, recall, score, rows = scores[label]
        padded = name + " " * (names - width_of(name))
        if rows:
            lines.append(f"{padded}  {precision:9.3f}  {recall:6.3f}  {score:.3f}  {int(rows):5d}")
        else:  # nothing to measure on
            lines.append(f"{padded}  {'–':>9}  {'–':>6}  {'–':>5}  {0:5d}")
    if rest := [scores[label] for label in set(range(len(scores))) - set(shown)]:
        mean, most = sum(score for _, _, score, _ in rest) / len(rest), max(int(rows) for *_, rows in rest)
        lines.append(
            f"and {len(rest):,} more labels of at most {most:,} rows, mean f1 {mean:.3f}"
            + (f"; all are in {file}" if file else "")
        )
    return lines


def confusion_table(counts: np.ndarray, label_names: Sequence[str]) -> list[str]:
    """`confusion` as the lines of a table for the terminal, of 80 columns at most: a row for each gold label, whose
    number heads its column. Of more labels than that takes, which is most often taken for which."""
    cell = max(len(f"{counts.max(initial=0):,}"), len(str(len(label_names)))) + 2
    room = COLUMNS - cell * len(label_names)
    if len(label_names) > CONFUSED_SHOWN or room < LEAST:
        gold, predicted = np.nonzero(counts)
        return top_confusions(Pairs(gold, predicted, counts[gold, predicted]), label_names)
    head, corner = "".join(f"{number:>{cell}}" for number in range(1, len(label_names) + 1)), "gold \\ predicted"
    names = [f"{number} {name}" for number, name in enumerate(label_names, 1)]
    width = max(len(corner), min(room, max(map(width_of, names))))
    lines = [f"{corner:<{width}}{head}"]
    for name, row in zip(names, counts, strict=True):
        shown = cut_to(name, width)
        lines.append(shown + " " * (width - width_of(shown)) + "".join(f"{count:>{cell},}" for count in row))
    return lines


def top_confusions(pairs: Pairs, label_names: Sequence[str], *, file: str = "the predictions file") -> list[str]:
    """Which label is most often taken for which; what is left out is in a `file`."""
    wrong = wrong_pairs(pairs)
    if not len(wrong.rows):
        return ["no label was taken for another"]
    lines = ["most often taken for another (gold, predicted, rows):"]
    lines += [
        f"  {cut_to(label_names[gold], LONGEST // 2 + 10)} -> {cut_to(label_names[other], LONGEST // 2 + 10)}  {rows:,}"
        for gold, other, rows in list(zip(*wrong, strict=True))[:CONFUSED_SHOWN]
    ]
    if (more := len(wrong.rows) - CONFUSED_SHOWN) > 0:
        lines.append(f"  and {more:,} more such pairs; every {'row' if 'predictions' in file else 'one'} is in {file}")
    return lines
