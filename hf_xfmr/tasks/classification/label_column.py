"""What a label column holds, understood as a person who wrote it means it, and said: lists written into a text, numbers
that are classes, names beside numbers, what stands for a missing label."""

import shlex
from collections.abc import Callable

from datasets import Dataset, DatasetDict, List, Value

from ...data.columns import Columns, WhichColumn, find_columns
from ...data.wording import listed, short
from ...errors import UserError
from . import named_numbers, one_hot, written_lists

FEW = 20  # distinct whole numbers that are classes though they are written as decimals
TEXTS = ("string", "large_string")


def find(loaded: DatasetDict, settings, notes: list[str]) -> tuple[DatasetDict, Columns]:
    """The splits with one column of labels that are what they mean, and which columns are what, as found and as the
    fields of `ClassificationSettings` say. Raises `UserError` for what can't be told, with the flag that says it."""
    label = settings.label_column
    if settings.label_columns is not None:
        if label is not None:
            raise UserError("label_column and label_columns are both given: leave one of them out")
        loaded, label = one_hot.gather(loaded, settings.label_columns)
    train = loaded["train"]
    try:
        columns = find_columns(train, text=settings.text_column, pair=settings.text_pair_column, label=label)
    except WhichColumn as error:
        several = one_hot.candidates(train)
        if error.option != "label_column" or len(several) < 2:
            raise
        raise WhichColumn(
            f"{error}. {listed(several)} hold nothing but 0 and 1: if each says whether a label holds, give "
            f"--label_columns {shlex.quote(','.join(several))}",
            error.option,
            error.candidates,
        ) from None
    understood = understand(
        loaded,
        columns.label,
        problem_type=settings.problem_type,
        separator=settings.label_separator,
        missing=settings.missing_label,
        notes=notes,
    )
    return understood, columns


def understand(
    splits: DatasetDict,
    column: str,
    *,
    problem_type: str | None,
    separator: str | None,
    missing: str | None,
    notes: list[str],
) -> DatasetDict:
    """The splits with a label column of one kind: a ClassLabel, texts, whole or decimal numbers, or lists of labels.

    `separator` stands between several labels of a row, `missing` for a label that is not there; None: it is found out,
    and nothing does. What was understood is added to `notes`, with the flag that says otherwise. Raises `UserError` for
    what can be meant in two ways.
    """
    feature = splits["train"].features[column]
    if missing is not None:
        splits = _changed(splits, column, feature, lambda value: None if _said(value) == missing else value)
    kind = feature.dtype if isinstance(feature, Value) else ""
    if kind in TEXTS:
        return _texts(splits, column, problem_type, separator, notes)
    if separator is not None:
        raise UserError(
            f'label_separator is "{separator}", but label column "{column}" holds {feature}, not texts to be divided: '
            "leave label_separator out"
        )
    said = len(notes)
    if kind.startswith("float") and problem_type in (None, "single_label_classification"):
        splits = _classes(splits, column, problem_type, notes)
        kind = splits["train"].features[column].dtype
    if kind.startswith(("int", "uint")) and problem_type in (None, "single_label_classification"):
        beside = named_numbers.find(splits["train"], column)
        if beside is not None:
            return named_numbers.name(splits, column, beside, notes)
        if problem_type is None and len(notes) == said and (several := len(_distinct(splits["train"], column))) > 2:
            notes.append(
                f'labels: the {several:,} whole numbers of column "{column}" are taken as classes; as ratings: '
                "--problem_type regression"
            )
    return splits


def _said(value) -> str:
    """A label as a user writes it: 2 for 2.0, too."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _distinct(rows: Dataset, column: str) -> set:
    return {value for value in rows[column][:] if value is not None and value == value}


def _everywhere(splits: DatasetDict, column: str) -> set:
    return set().union(*(_distinct(rows, column) for rows in splits.values() if column in rows.column_names))


def _texts(
    splits: DatasetDict, column: str, problem_type: str | None, separator: str | None, notes: list[str]
) -> DatasetDict:
    values = _everywhere(splits, column)
    if problem_type == "regression":
        return _decimals(splits, column, values, notes)
    if problem_type == "single_label_classification" and separator is None:
        return splits
    written = written_lists.Written(separator) if separator else written_lists.find(values, column=column)
    if written is None:
        if problem_type == "multi_label_classification":
            raise UserError(
                f'label column "{column}" holds one text a row, as {listed(sorted(values)[:3])}, and nothing in them '
                "tells where one label ends: say what stands between two, as with --label_separator ,"
            )
        if (unsure := written_lists.unsure(values)) is not None:
            example = next(value for value in sorted(values) if unsure in value)
            notes.append(f'labels: "{short(example)}" is taken as one label; as several: --label_separator "{unsure}"')
        return splits
    by_value = {value: written.labels(value) for value in values}
    whole = written_lists.numbers(by_value.values())
    notes.append(
        f'labels: column "{column}" holds {written.words}, several labels a row'
        + ("" if separator else "; each text as one label: --problem_type single_label_classification")
    )

    def divided(value: str | None) -> list | None:
        if value is None or (value == "" and separator is None and written.separator is None):
            return None
        found = by_value[value]
        return [int(one) for one in found] if whole else found

    return _changed(splits, column, List(Value("int64" if whole else "string")), divided)


def _decimals(splits: DatasetDict, column: str, values: set[str], notes: list[str]) -> DatasetDict:
    """Texts that are numbers with a decimal comma, as numbers. Others are left to be refused by their rows."""

    def number(value: str | None) -> float | None:
        return None if value is None or not value.strip() else float(value.strip().replace(",", "."))

    commas = [value for value in values if written_lists.DECIMAL.fullmatch(value.strip())]
    try:
        for value in values:
            number(value)
    except ValueError:
        return splits
    if not commas:
        return splits
    notes.append(f'ratings: the commas of column "{column}" are decimal points')
    return _changed(splits, column, Value("float64"), number)


def _classes(splits: DatasetDict, column: str, problem_type: str | None, notes: list[str]) -> DatasetDict:
    """Whole numbers that are written as decimals, as pandas does where one is missing, as whole ones: if few, or so
    told."""
    values = _everywhere(splits, column)
    whole = all(float(value).is_integer() and abs(value) < 2**53 for value in values)
    several = len(values)
    if not values or not whole:
        if problem_type is None and 1 < several <= FEW // 2:
            notes.append(
                f'labels: the {several} numbers of column "{column}" are taken as ratings; as classes: --problem_type '
                "single_label_classification"
            )
        return splits
    if problem_type is None and several > FEW:
        notes.append(
            f'labels: the {several:,} whole numbers of column "{column}" are taken as ratings, being more than {FEW}; '
            "as classes: --problem_type single_label_classification"
        )
        return splits
    notes.append(
        f'labels: column "{column}" holds whole numbers written as decimals ({listed(map(str, sorted(values)[:3]))}), '
        "which are taken as classes; as ratings: --problem_type regression"
    )

    def number(value: float | None) -> int | None:
        return None if value is None or value != value else int(value)

    return _changed(splits, column, Value("int64"), number)


def _changed(splits: DatasetDict, column: str, feature, change: Callable) -> DatasetDict:
    """The splits with `change` applied to each value of a column, which then holds `feature`."""
    changed = {}
    for split, rows in splits.items():
        if column not in rows.column_names:
            changed[split] = rows
            continue
        values, names = [change(value) for value in rows[column][:]], rows.column_names
        new = rows.remove_columns(column).add_column(column, values, feature=feature)
        changed[split] = new.select_columns(names)
    return DatasetDict(changed)
