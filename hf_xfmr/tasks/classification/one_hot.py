"""A column of 0 and 1 for each label (`toxic, severe, obscene`) -> one column with the labels that hold."""

from collections.abc import Sequence

from datasets import ClassLabel, Dataset, DatasetDict, List, Value

from ...data.wording import at, listed
from ...errors import UserError

NAME = "labels"  # of the new column
HOLDS = {0: False, 1: True, "0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
LOOKED_AT = 1000  # rows that tell whether a column may be such a one


def split_names(told: str, names: Sequence[str]) -> list[str]:
    """The columns that `a,b,c` names. Raises `UserError` for one that is not there, and for fewer than two."""
    found = [one.strip() for one in told.split(",") if one.strip()]
    for one in found:
        if one not in names:
            raise UserError(f'label_columns names "{one}", but the dataset has no such column; it has {listed(names)}')
    if len(set(found)) < 2 or len(set(found)) < len(found):
        raise UserError(f'label_columns is "{told}"; it names two or more different columns, as toxic,insult,threat')
    return found


def gather(splits: DatasetDict, told: str) -> tuple[DatasetDict, str]:
    """The splits with a column of lists of names in place of the named ones, and what it is called. A split that lacks
    all of them is left as it is. Raises `UserError`, naming rows, for what is neither 0 nor 1."""
    columns = split_names(told, splits["train"].column_names)
    name = next(one for one in (NAME, "label_list", "labels_that_hold") if one not in splits["train"].column_names)
    gathered = {}
    for split, rows in splits.items():
        missing = [one for one in columns if one not in rows.column_names]
        if len(missing) == len(columns):
            gathered[split] = rows
            continue
        if missing:
            raise UserError(f"the {split} split lacks the columns {listed(missing)} of label_columns, which train has")
        held = {one: _held(rows[one][:], one, split) for one in columns}
        lists = [
            None if None in row else [number for number, holds in enumerate(row) if holds]
            for row in zip(*held.values(), strict=True)
        ]
        gathered[split] = rows.remove_columns(columns).add_column(name, lists, feature=List(ClassLabel(names=columns)))
    return DatasetDict(gathered), name


def _held(values: list, column: str, split: str) -> list[bool | None]:
    """Whether the label holds, by row; None where that is not said."""
    found: list[bool | None] = []
    for row, value in enumerate(values):
        if value is None or value != value or value == "":
            found.append(None)
            continue
        key = value.strip().casefold() if isinstance(value, str) else value
        if key not in HOLDS:
            raise UserError(
                f'{at(split, [row])}: column "{column}" of label_columns holds {value!r}; each is 1 where its label '
                "holds, and 0 where not: correct it, or leave the column out"
            )
        found.append(HOLDS[key])
    return found


def candidates(rows: Dataset) -> list[str]:
    """Columns that hold nothing but 0 and 1 in the first rows, both of them."""
    head = rows.select(range(min(len(rows), LOOKED_AT)))
    found = []
    for name, feature in head.features.items():
        if isinstance(feature, Value) and feature.dtype.startswith(("int", "uint", "bool", "float")):
            values = {value for value in head[name][:] if value is not None and value == value}
            if values and values <= {0, 1}:
                found.append(name)
    return found
