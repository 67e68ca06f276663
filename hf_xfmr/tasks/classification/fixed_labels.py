"""Labels that were put right in a file of their own, as `--folds` leaves one to fill in, in place of a dataset's."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from ...data.columns import Columns
from ...data.regular import check_regular
from ...data.sources import load_dataset_dict
from ...data.wording import listed, short
from ...errors import UserError
from .problem import Problem, label_name

COLUMN = "fixed_label"
NOTHING = "|"  # of several labels, in the column: none of them holds

Where = dict[tuple[str, ...], list[tuple[str, int]]]


def applied(
    given: dict[str, Dataset], file: str, kind: type[Problem], columns: Columns, notes: list[str]
) -> dict[str, Dataset]:
    """The splits with the labels that the column `fixed_label` of a table says; its empty cells change nothing.

    A row is known by its `id` and text where the file has both columns, else by the one that it has; by its text alone
    every row of that text is meant. `notes` says how many labels changed. Raises `UserError`, with the file and its row
    (from 1, without the header), for a row that is not there, a label that no row has, and two that contradict.
    """
    path = Path(file).expanduser()
    check_regular(path, "file of fixed labels")
    table = load_dataset_dict(str(path))["train"]
    names = _columns(table, path, columns)
    told = {at: label_name(one).strip() for at, one in enumerate(table[COLUMN][:], 1) if one is not None}
    told = {at: one for at, one in told.items() if one}
    if not told:
        raise UserError(f"{path}: the column {COLUMN} is empty in every row: fill in the labels that are to change")
    where = _where(given, list(names))
    cells = {ours: table[theirs][:] for ours, theirs in names.items()}
    known = {label_name(one): one for rows in given.values() for one in _each(rows["label"][:], kind)}
    fixed: dict[tuple[str, int], tuple[Any, int]] = {}
    for at, cell in told.items():
        value = _value(cell, kind, known, f"{path}, row {at}")
        key = tuple(_plain(cells[name][at - 1]) for name in names)
        for place in _places(where, key, list(names), f"{path}, row {at}"):
            if place in fixed and fixed[place][0] != value:
                raise UserError(
                    f'{path}, row {at}: fixed_label is "{short(cell, 40)}", but row {fixed[place][1]} says another of '
                    "the same row of the dataset: decide for one"
                )
            fixed[place] = value, at
    return _changed(given, fixed, path, notes)


def _columns(table: Dataset, path: Path, columns: Columns) -> dict[str, str]:
    """Ours to the file's, of the columns by which rows are known."""
    if COLUMN not in table.column_names:
        raise UserError(
            f'{path} has no column "{COLUMN}", only {listed(table.column_names)}: give the wrong-labels.csv that '
            "--folds left"
        )
    wanted: dict[str, tuple[str, ...]] = {"id": ("id",), "text": ("text", columns.text)}
    if columns.pair is not None:
        wanted["text_pair"] = ("text_pair", columns.pair)
    names = {
        ours: next(one for one in theirs if one in table.column_names)
        for ours, theirs in wanted.items()
        if any(one in table.column_names for one in theirs)
    }
    if "id" not in names and "text" not in names:
        raise UserError(f"{path} has neither the column id nor text, by which rows are known: add one")
    return names


def _where(given: dict[str, Dataset], names: list[str]) -> Where:
    found: Where = defaultdict(list)
    for split, rows in given.items():
        for at, key in enumerate(zip(*(map(_plain, rows[name][:]) for name in names), strict=True)):
            found[key].append((split, at))
    return found


def _places(where: Where, key: tuple[str, ...], names: list[str], row: str) -> list[tuple[str, int]]:
    places = where.get(key, [])
    named = " and ".join(f'{name} "{short(one, 40)}"' for name, one in zip(names, key, strict=True))
    if not places:
        advice = "correct texts in the dataset itself, and labels here" if "text" in names else "is it another dataset?"
        raise UserError(f"{row}: no row of the dataset has the {named}; {advice}")
    if names == ["id"] and len(places) > 1:
        raise UserError(f"{row}: {len(places)} rows of the dataset have the {named}: keep the column text in the file")
    return places


def _value(cell: str, kind: type[Problem], known: dict[str, Any], row: str) -> Any:
    if not kind.has_names:
        try:
            return kind.checked([float(cell)], lambda wrong, why: _refuse(any(wrong), row, cell, why))[0]
        except ValueError:
            raise UserError(f'{row}: fixed_label is "{short(cell, 40)}", and a rating must be a number') from None
    told = ([] if cell == NOTHING else [one.strip() for one in kind.names_in(cell)]) if kind.several else [cell]
    for one in told:
        if one not in known:
            raise UserError(
                f'{row}: fixed_label is "{short(one, 40)}", a label that no row of the dataset has; it has '
                f"{listed(sorted(known))}"
            )
    values = [known[one] for one in dict.fromkeys(told)]
    return values if kind.several else values[0]


def _refuse(wrong: bool, row: str, cell: str, why: str) -> None:
    if wrong:
        raise UserError(f'{row}: fixed_label "{short(cell, 40)}" {why}')


def _changed(
    given: dict[str, Dataset], fixed: dict[tuple[str, int], tuple[Any, int]], path: Path, notes: list[str]
) -> dict[str, Dataset]:
    found, changed = dict(given), dict.fromkeys(given, 0)
    for split, rows in given.items():
        labels = rows["label"][:]
        for at in range(len(labels)):
            if (split, at) in fixed and _differs(fixed[split, at][0], labels[at]):
                labels[at] = fixed[split, at][0]
                changed[split] += 1
        if changed[split]:
            table = rows.data.table
            place = table.column_names.index("label")
            column = pa.array(labels, table.schema.field("label").type)
            found[split] = Dataset(InMemoryTable(table.set_column(place, "label", column)))
    shown = ", ".join(f"{count:,} of {split}" for split, count in changed.items() if count) or "none"
    same = len(fixed) - sum(changed.values())
    notes.append(
        f"fixed labels: {sum(changed.values()):,} labels changed ({shown}) by {path}"
        + (f"; {same:,} were so already" if same else "")
    )
    return found


def _differs(a: Any, b: Any) -> bool:
    return set(a) != set(b) if isinstance(a, list) else a != b


def _each(labels: list, kind: type[Problem]) -> list:
    return [one for row in labels for one in row] if kind.several else labels


def _plain(value: Any) -> str:
    """A cell without what a spreadsheet makes of it: 7 for 7.0, one space for white space."""
    return " ".join(label_name(value).split()) if value is not None else ""
