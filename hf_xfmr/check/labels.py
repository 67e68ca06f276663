"""Findings about labels: those rare, missing, spelt in two ways, shared out unevenly; ratings far from all others."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..data.part import Part, each_label
from ..plain import some
from ..report.data_plots import OTHERS
from ..splits import plain
from .findings import KEPT, SHOWN, Finding, ids, per_cent

FREQUENT = 20  # labels of very many that a picture shows
FEW = 5  # rows of train below which a label is hardly learned
UNEVEN = 20  # times as many rows of one label as of another
MISSING = {
    "-1",
    "-100",
    "-99",
    "-9",
    "-999",
    "999",
    "9999",
    "nan",
    "null",
    "none",
    "n/a",
    "na",
    "?",
    "-",
    "--",
    "unknown",
}
MISSING |= {
    "undefined",
    "missing",
    "unlabeled",
    "unlabelled",
    "not labeled",
    "unk",
    "无",
    "空",
    "缺失",
    "未知",
    "未标注",
}
OUTLIER = 8  # standard deviations


def counts(part: Part) -> Counter:
    """How many rows have each label: of the split, where that is known, else of those that are looked at."""
    return Counter(each_label(part.labels or [])) if part.label_counts is None else part.label_counts


def balance(parts: Mapping[str, Part], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows of each label in each split; of many labels those most frequent in train, and under OTHERS all others."""
    found = {split: counts(part) for split, part in parts.items()}
    if len(names) <= KEPT:
        return {split: {name: count[name] for name in names} for split, count in found.items()}
    shown = sorted(names, key=lambda name: -found["train"][name])[:FREQUENT]
    return {
        split: {name: count[name] for name in shown} | {OTHERS: count.total() - sum(count[name] for name in shown)}
        for split, count in found.items()
    }


def check_labels(parts: Mapping[str, Part], names: Sequence[str]) -> Iterator[Finding]:
    """What is odd about the labels `names` in the splits, of which `train` is one."""
    train, column = counts(parts["train"]), parts["train"].named("label")
    for name in names:
        if train[name] < FEW:
            rows = f"{train[name]:,} train row" + ("" if train[name] == 1 else "s")
            advice = "add rows of it, or take it out of the labels: so few teach nothing"
            yield Finding(
                level="warning",
                name="rare-label",
                message=f'label "{name}" of column "{column}" has {rows}',
                advice=advice,
                split="train",
                column=column,
            )
    yield from _like_missing(names, train, column)
    spelt = defaultdict(list)
    for name in names:
        spelt[plain(name)].append(name)
    for same in (group for group in spelt.values() if len(group) > 1):
        written = ", ".join(f'"{name}" ({train[name]:,} rows)' for name in same[:SHOWN])
        written += f" and {len(same) - SHOWN:,} more" if len(same) > SHOWN else ""
        yield Finding(
            level="warning",
            name="label-spelling",
            message=f'labels of column "{column}" differ in nothing but case or white space: {written}',
            advice="write them alike",
            split="train",
            column=column,
        )
    ranked = [(name, count) for name, count in train.most_common() if count >= FEW]  # rarer ones are named already
    if len(ranked) > 1 and ranked[0][1] >= UNEVEN * ranked[-1][1]:
        yield Finding(
            level="warning",
            name="imbalance",
            message=f'label "{ranked[0][0]}" of column "{column}" has {ranked[0][1]:,} train rows, '
            f'"{ranked[-1][0]}" only {ranked[-1][1]:,}: always answering the former is right for '
            f"{per_cent(ranked[0][1] / train.total())}",
            advice="look at macro F1 in place of accuracy, and try class_weights: auto",
            split="train",
            column=column,
        )
    for split in (split for split in parts if split != "train"):
        yield from _held_out(parts[split], train)


def _like_missing(names: Sequence[str], train: Counter, column: str) -> Iterator[Finding]:
    """A label that among others looks like what a table has where there is none."""
    for name in names:
        if len(names) > 2 and plain(name) in MISSING:
            yield Finding(
                level="warning",
                name="missing-label",
                message=f'label "{name}" of column "{column}" ({train[name]:,} train rows) looks like a missing label, '
                "and is learned as one of its own",
                advice=f"if it is missing, give --missing_label={name} --drop_unlabelled true",
                split="train",
                column=column,
            )


def _held_out(part: Part, train: Counter) -> Iterator[Finding]:
    found = counts(part)
    all_train, all_here = train.total(), found.total()  # once: there may be 100,000 labels
    # Ten expected rows that are all missing are no accident.
    missing = [name for name, count in train.items() if not found[name] and count / all_train * all_here >= 10]
    if missing:
        yield Finding(
            level="warning",
            name="label-missing",
            message=f"no {part.split} row has the label {', '.join(map(repr, missing[:SHOWN]))}"
            f"{f' and {len(missing) - SHOWN:,} more' if len(missing) > SHOWN else ''} in column "
            f'"{part.named("label")}"',
            advice="split the rows anew: no figure says how well it is learned",
            split=part.split,
            column=part.named("label"),
        )
    unseen = [name for name in train if train[name] >= FEW and not found[name] and name not in missing]
    if unseen:
        yield Finding(
            level="note",
            name="label-not-held-out",
            message=f"no {part.split} row has the label {some(map(repr, unseen), SHOWN)}",
            advice=f"no figure will say how well it is learned: a larger {part.split} split, or more rows of it, would",
            split=part.split,
            column=part.named("label"),
        )
    for name in train:
        before, here = train[name] / all_train, found[name] / max(all_here, 1)
        noise = 4 * (before * (1 - before) / max(all_here, 1)) ** 0.5
        if found[name] and abs(here - before) > max(0.2, noise):
            yield Finding(
                level="warning",
                name="label-shift",
                message=f'{per_cent(before)} of the train labels in column "{part.named("label")}" are "{name}", but '
                f"{per_cent(here)} of those of {part.split}",
                advice="see whether the rows were sorted by label when they were split",
                split=part.split,
                column=part.named("label"),
            )
            return


def check_ratings(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Ratings that are all one number, and those far from all others."""
    train, column = np.array(parts["train"].labels, float), parts["train"].named("label")
    middle, spread = train.mean(), train.std()
    if spread == 0:
        yield Finding(
            level="error",
            name="constant-ratings",
            message=f'all {len(train):,} train rows have the rating {middle:g} in column "{column}"',
            advice="name another label_column: there is nothing to learn",
            split="train",
            column=column,
        )
        return
    for split, part in parts.items():
        values = np.array(part.labels, float)
        rows = [part.ids[row] for row in np.flatnonzero(np.abs(values - middle) > OUTLIER * spread)]
        if rows:
            yield Finding(
                level="warning",
                name="outlying-rating",
                message=f'{len(rows):,} {split} rows have ratings in column "{column}" over {OUTLIER} standard '
                f"deviations from the mean {middle:.3g}, from {values.min():g} to {values.max():g} ({ids(rows)})",
                advice="correct or remove them: squared errors follow the largest",
                split=split,
                column=column,
                rows=tuple(rows[:SHOWN]),
            )
