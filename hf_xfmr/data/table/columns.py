"""Rows of Python's values as columns of Arrow's: nested ones flat, mixed ones as texts, and what can't be named."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...errors import UserError
from ...plain import is_unicode
from ..wording import listed
from .reading import Reading

DEEPEST = 60  # lists in lists; Arrow hands on no more than 63


def of_rows(path: Path | str, rows: list[dict], reading: Reading) -> pa.Table:
    """The columns of objects; a key an object lacks is missing (None) there."""
    names = dict.fromkeys(name for row in rows for name in row)
    if (name := next((one for one in names if not isinstance(one, str)), None)) is not None:
        raise UserError(f"{path}: the column {name!r} has no text as its name; rename it")
    if (name := _with_nul(rows)) is not None:
        raise UserError(f"{path}: a key has the character U+0000 in it ({name!r}), which no column can; rename it")
    for name in names:
        if not is_unicode(name):
            raise UserError(f"{path}: the column {name!r} has half a character (a lone surrogate) in its name; mend it")
    columns = {name: [row.get(name) for row in rows] for name in names}
    try:
        flat = _flat(columns)
    except RecursionError:
        raise UserError(f"{path}: a column is nested too deep to be read; flatten it") from None
    if added := [name for name in flat if name not in columns]:
        reading.note(f"nested objects are columns: {listed(added)}")
    return pa.table({name: column_of(path, name, values, reading) for name, values in flat.items()})


def _flat(columns: dict[str, list]) -> dict[str, list]:
    """Columns of objects as columns of their values, called `outer.inner`; not translations, which are one value."""
    flat: dict[str, list] = {}
    for name, values in columns.items():
        objects = [value for value in values if value is not None]
        nested = bool(objects) and all(isinstance(value, dict) for value in objects) and any(objects)
        keys = dict.fromkeys(key for value in objects for key in value) if nested else {}
        inner = {f"{name}.{key}": [None if v is None else v.get(key) for v in values] for key in keys}
        if not nested or _is_translation(name, objects) or any(one in columns or one in flat for one in inner):
            flat[name] = values
        else:
            flat |= _flat(inner)
    return flat


def _is_translation(name: str, values: list[dict]) -> bool:
    keys = {key for value in values for key in value}
    texts = all(one is None or isinstance(one, str) for value in values for one in value.values())
    codes = all(len(key.split("_")[0].split("-")[0]) in (2, 3) and key.isascii() for key in keys)
    return texts and len(keys) > 1 and (name == "translation" or codes)


def _with_nul(value: Any) -> str | None:
    """A key within that Arrow, which ends names there, would take for another."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, list):
            pending += [inner for inner in one if isinstance(inner, dict | list)]
        elif isinstance(one, dict):
            if (name := next((key for key in one if isinstance(key, str) and "\0" in key), None)) is not None:
                return name
            pending += [inner for inner in one.values() if isinstance(inner, dict | list)]
    return None


def column_of(path: Path | str, name: str, values: list, reading: Reading) -> pa.Array:
    """One column. Plain values of several kinds are all texts, which is noted. Raises UserError for others."""
    try:
        array = pa.array(values)
        if _depth(array.type) > DEEPEST:
            raise RecursionError
        return array
    except UnicodeEncodeError:
        row = next(row for row, value in enumerate(values) if not is_unicode(json.dumps(value, ensure_ascii=False)))
        raise UserError(
            f'{path}: column "{name}" has half a character (a lone surrogate, as \\ud800) in row {row} '
            "(counted from 0); take it out, or mend what wrote it"
        ) from None
    except RecursionError:
        raise UserError(f'{path}: column "{name}" is nested too deep to be read; flatten it') from None
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        kinds: dict[str, int] = {}
        for row, value in enumerate(values):
            if value is not None:
                kinds.setdefault(type(value).__name__, row)
        found = ", ".join(f"{kind} in row {row}" for kind, row in kinds.items())
        if set(kinds) <= {"str", "int", "float", "bool"}:
            texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
            array = column_of(path, name, texts, reading)
            reading.note(f'column "{name}" mixes kinds of values ({found}, counted from 0): all are texts')
            return array
        why = f"mixes kinds of values ({found})" if len(kinds) > 1 else f"cannot be read ({error})"
        raise UserError(
            f'{path}: column "{name}" {why}; give all its rows one kind (rows are counted from 0)'
        ) from None


def _depth(kind: pa.DataType) -> int:
    return 1 + max((_depth(kind.field(i).type) for i in range(kind.num_fields)), default=0)
