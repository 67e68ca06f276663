"""JSON: its rows, wherever in the file they stand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..regular import once
from ..wording import listed, short
from .reading import Reading

SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test"}
Rows = list[dict]


def read(path: Path, text: str, reading: Reading, *, lines: bool) -> dict[str | None, Rows]:
    """The rows of a JSON text, by split where the file names splits, else under None.

    A list of objects; one object a line or after another; objects of columns or of records; a list of rows under a
    key. `lines`: the file's name says that each line is a row. Raises UserError, naming the line.
    """
    values, is_list = _values(path, text)
    if is_list:
        reading.format = "JSON"
        return {None: _checked(path, values)}
    reading.format = "JSON" if len(values) == 1 and not lines else "JSON lines"
    if len(values) != 1 or lines or not isinstance(values[0], dict):
        return {None: _checked(path, values)}
    return _of_object(path, values[0], reading)


def _values(path: Path, text: str) -> tuple[list, bool]:
    """The values in a text, and whether they are those of its one list."""
    first = text.lstrip()[:1]
    if first == "[":
        return _loaded(path, text, 1), True
    if first == "{" and "\n{" not in text.lstrip()[1:].replace("\r", "\n"):
        try:
            return [json.loads(text, object_pairs_hook=once)], False
        except (ValueError, RecursionError):
            pass
    parts = [(line, part) for line, part in enumerate(text.split("\n"), 1) if part.strip()]
    try:
        return [_loaded(path, part, line) for line, part in parts], False
    except UserError:
        if (values := _one_after_another(text)) is None:
            raise
        return values, False


def _one_after_another(text: str) -> list | None:
    """Objects that span lines, printed one after another; None if they are not that."""
    values: list = []
    decoder, place = json.JSONDecoder(object_pairs_hook=once), 0
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if place == len(text):
            return values
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        values.append(value)


def _loaded(path: Path, part: str, line: int) -> Any:
    try:
        return json.loads(part, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: line {line + error.lineno - 1} is not JSON ({error.msg}, column {error.colno}); "
            "the file holds one list of objects, or one object a line"
        ) from None
    except RecursionError:
        raise UserError(f"{path}: line {line} is nested too deep to be read; flatten it") from None
    except ValueError as error:  # a number of thousands of digits, a key twice
        raise UserError(f"{path}: line {line} can't be read ({str(error).partition(';')[0]}); mend it") from None


def _checked(path: Path, rows: Iterable, where: str = "") -> Rows:
    rows = list(rows)
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(
                f"{path}: row {number}{where} is {json.dumps(row)[:40]}, not an object with the columns as its keys"
            )
    return rows


def _of_object(path: Path, value: dict, reading: Reading) -> dict[str | None, Rows]:
    """The rows of a file that is one object."""
    if value and set(map(str.lower, value)) <= SPLITS and all(_is_table(one) for one in value.values()):
        reading.note(f"the splits are its keys {listed(value)}")
        return {split: _rows(path, one, reading) for split, one in value.items()}
    if _is_table(value):
        return {None: _rows(path, value, reading)}
    nests = [name for name, one in value.items() if _is_table(one)]
    if len(nests) == 1:
        others = [name for name in value if name != nests[0]]
        reading.note(f'the rows are those under "{short(nests[0])}"' + (f", beside {listed(others)}" if others else ""))
        return {None: _rows(path, value[nests[0]], reading)}
    if len(nests) > 1:
        raise UserError(
            f"{path}: rows stand under {listed(nests)}, and which are meant is not known; keep one of them, or call "
            "them train, validation and test"
        )
    return {None: [value]}  # one row


def _is_table(value: Any) -> bool:
    """Whether a value is rows: a list of objects, columns, or objects by a key."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) for one in value)
    if not isinstance(value, dict) or not value:
        return False
    return _is_split(value) or _are_columns(value) or _are_indexed(value) or _are_records(value)


def _is_split(value: dict) -> bool:
    """pandas' orient="split"."""
    return set(value) <= {"columns", "index", "data", "index_names", "column_names"} and {"columns", "data"} <= set(
        value
    )


def _are_columns(value: dict) -> bool:
    return (
        all(isinstance(one, list) and not any(isinstance(x, dict) for x in one) for one in value.values())
        and len({len(one) for one in value.values()}) == 1
        and len(next(iter(value.values()))) > 0
        and len(value) > 1
    )


def _are_indexed(value: dict) -> bool:
    """pandas' default: columns of {"0": value, "1": value}."""
    inner = list(value.values())
    return (
        all(isinstance(one, dict) and one for one in inner)
        and all(set(one) == set(inner[0]) for one in inner)
        and all(key.isdigit() for key in inner[0])
        and not all(key.isdigit() for key in value)
    )


def _are_records(value: dict) -> bool:
    """Objects by a key each, which have keys in common and plain values."""
    inner = list(value.values())
    if len(inner) < 2 or not all(isinstance(one, dict) and one for one in inner):
        return False
    return bool(set.intersection(*(set(one) for one in inner)))


def _rows(path: Path, value: Any, reading: Reading) -> Rows:
    if isinstance(value, list):
        return _checked(path, value)
    if _is_split(value):
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    if _are_columns(value):
        reading.note("it is an object of columns")
        return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    if _are_indexed(value):
        reading.note("it is an object of columns, with the numbers of their rows")
        return [{name: column[key] for name, column in value.items()} for key in next(iter(value.values()))]
    id_column = next(name for name in ("id", "key", "key_") if not any(name in row for row in value.values()))
    reading.note(f'it is an object of rows, whose keys are the column "{id_column}"')
    return [{id_column: key, **row} for key, row in value.items()]
