"""The labels of a dataset's rows: none missing or strange, the distinct ones in order, all of them seen in train."""

import re
from collections import Counter
from collections.abc import Iterable

from datasets import ClassLabel, Dataset, LargeList, List

from ...data.part import each_label
from ...data.wording import at
from ...errors import UserError
from .problem import Problem, label_name


def check_labels(values: list, kind: type[Problem], *, column: str, split: str, rows: list[int]) -> list:
    """The values of `Problem.raw` as `checked` gives them. Raises UserError, naming rows, for one that is missing or
    wrong."""

    def refuse(wrong: list[bool], why: str) -> None:
        if any(wrong):
            raise UserError(
                f'{at(split, (row for row, bad in zip(rows, wrong, strict=True) if bad))}: column "{column}" {why}'
            )

    missing = [kind.is_missing(value) for value in values]
    refuse(
        missing, f"has no {kind.noun} there (empty or NaN); fill it in, or leave such rows out by drop_unlabelled: true"
    )
    return kind.checked(values, refuse)


def check_recurring(values: list, *, column: str) -> None:
    """Raises UserError for labels of which most occur once: an id, a name or a text, and nothing to learn."""
    found = Counter(each_label(values))
    once = sum(times == 1 for times in found.values())
    if len(values) >= 20 and 2 * len(found) > found.total() and 2 * once > len(found):
        raise UserError(
            f'label column "{column}" has {len(found):,} different labels in {len(values):,} rows, most of them once: '
            "it is no label, or not yet one; name another label_column"
        )


def distinct_labels(values: list, feature, *, column: str) -> list:
    """The distinct labels of train in order: a ClassLabel's own, numbers by size, texts naturally (2 before 10).

    Raises UserError if there are fewer than two.
    """
    found = _distinct(values)
    if len(found) < 2:
        only = f'the one class "{label_name(*found)}"' if found else "no label at all"
        raise UserError(
            f'label column "{column}" has {only} in train; there is nothing to tell apart, so add rows of another'
        )
    inner = feature.feature if isinstance(feature, List | LargeList) else feature
    if isinstance(inner, ClassLabel):
        return list(inner.names)
    return sorted(found, key=_natural) if all(isinstance(one, str) for one in found) else sorted(found)


def _natural(text: str) -> list:
    return [int(part) if place % 2 else part for place, part in enumerate(re.split("([0-9]+)", text))]


def check_seen(rows: Dataset, train: Dataset, *, column: str, split: str, source: str) -> None:
    """Raise UserError for a `label` that no row of train has; `source` is the split that `row` counts in."""
    known = _distinct(train["label"][:])
    for row, value in zip(rows["row"][:], rows["label"][:], strict=True):
        for one in value if isinstance(value, list) else [value]:
            if one not in known:
                carved = f" (carved from {source})" if source != split else ""
                raise UserError(
                    f'{at(source, [row])}: label "{label_name(one)}" of the {split} split{carved} never occurs in '
                    f'train; add train rows of this label, or correct or remove the row (column "{column}")'
                )


def _distinct(labels: Iterable) -> set:
    return set(each_label(labels))
