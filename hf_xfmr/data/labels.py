"""The label column: which problem it poses, its label names in order, and the labels a model reads."""

import math
import re
from collections.abc import Iterable

from datasets import ClassLabel, Dataset, LargeList, List, Value

from ..errors import UserError
from .wording import at

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"

# What the column `labels` of the finished splits holds.
LABEL_FEATURES = {SINGLE: Value("int64"), MULTI: List(Value("float32")), REGRESSION: Value("float32")}


def problem_type_of(feature, *, column: str, told: str | None) -> str:
    """What a label column of this feature poses: floats regression, lists multi-label, anything else single-label."""
    if told not in (None, *LABEL_FEATURES):
        raise UserError(f'problem_type is "{told}"; it can be {", ".join(LABEL_FEATURES)}')
    several = isinstance(feature, List | LargeList)
    inner = feature.feature if several else feature
    kind = inner.dtype if isinstance(inner, Value | ClassLabel) else ""
    decimal = bool(re.match("float|double", kind))
    if not re.match("int|uint|string|large_string|bool|float|double", kind) or (several and decimal):
        raise UserError(
            f'label column "{column}" holds {feature}, but labels are texts, numbers, or lists of texts or whole '
            "numbers; name another label_column, or change this one"
        )
    if told and several != (told == MULTI):
        raise UserError(
            f'problem_type is "{told}", but label column "{column}" holds {feature}, and lists alone are multi-label; '
            "leave problem_type out, or change the column"
        )
    return told or (MULTI if several else REGRESSION if decimal else SINGLE)


def raw_labels(column: list, feature, problem_type: str) -> list:
    """Labels as values that mean the same in every split: names for a ClassLabel, lists of them for multi-label. A
    missing one is None: null, NaN, an empty text, a ClassLabel's -1.
    """
    inner = feature.feature if isinstance(feature, List | LargeList) else feature
    names = dict(enumerate(inner.names)) if isinstance(inner, ClassLabel) and problem_type != REGRESSION else None

    def value(one):
        if one is None or one == "" or one != one:
            return None
        return one if names is None else names.get(one)

    return [[value(one) for one in row] if isinstance(row, list) else value(row) for row in column]


def check_labels(values: list, problem_type: str, *, column: str, split: str, rows: list[int]) -> list:
    """The values, ratings as floats. Raises UserError for one that is missing, no number, or listed twice."""

    def refuse(wrong: list[bool], why: str) -> None:
        if any(wrong):
            raise UserError(
                f'{at(split, (row for row, bad in zip(rows, wrong, strict=True) if bad))}: column "{column}" {why}'
            )

    what = "rating" if problem_type == REGRESSION else "label"
    missing = [value is None or (problem_type == MULTI and None in value) for value in values]
    refuse(missing, f"has no {what} there (empty or NaN); fill it in, or remove the rows")
    if problem_type == REGRESSION:
        values = [_number(value) for value in values]
        wrong = [not math.isfinite(value) for value in values]
        refuse(wrong, "holds no finite number there, and regression needs one a row; correct it, or remove the rows")
    if problem_type == MULTI:
        twice = [len(set(value)) < len(value) for value in values]
        refuse(
            twice,
            "lists a label twice there; a row lists the labels that hold, each once, not a 0 or 1 for every label",
        )
    return values


def _number(value) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def label_values(values: list, feature, *, column: str) -> list:
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


def label_name(value) -> str:
    """How a label is called: a text as it is, 2 and 2.0 as `2`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


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
    return {one for row in labels for one in (row if isinstance(row, list) else [row])}


def encode_labels(values: list, problem_type: str, known: list) -> list:
    """Labels as a model reads them: an id, a 0.0 or 1.0 for every known label, or a rating."""
    if problem_type == REGRESSION:
        return values
    ids = {value: number for number, value in enumerate(known)}
    if problem_type == SINGLE:
        return [ids[value] for value in values]
    return [[float(one in row) for one in known] for row in values]
