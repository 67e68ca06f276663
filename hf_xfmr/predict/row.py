"""A row to predict, and what its columns may be called."""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..plain import is_unicode

FORMATS = ("csv", "tsv", "jsonl", "txt")  # by their endings


class Row(NamedTuple):
    """A row as it came: its id (its own, or its number from 0) and texts; `fault` says why it can't be predicted;
    `kept` are values of other columns, which stand beside its answer (None: of a row that can't be read)."""

    id: str
    text: str
    pair: str | None
    fault: str | None = None
    kept: dict | None = None


class Columns(NamedTuple):
    """What the user said; None: found by its name. `keep` are the words of --keep, then (column, new name) each."""

    text: str | None = None
    pair: str | None = None
    id: str | None = None
    keep: tuple = ()


BY_NAME = Columns()


def of_texts(texts: Iterable[str]) -> Iterator[Row]:
    """Texts as rows, whose ids are their numbers."""
    return (row_of(str(number), text, None) for number, text in enumerate(texts))


def row_of(name: str, text: str, pair: str | None) -> Row:
    """A row, with a fault where its texts can't be read."""
    if not is_unicode(text + (pair or "")):
        return Row(name, text, pair, "half a character (a lone surrogate) in its text")
    return Row(name, text, pair, None if text.strip() and (pair is None or pair.strip()) else "no text")


def of_record(number: int, row: dict, columns: Columns) -> Row:
    """The row of a record by its columns, all of which are known."""
    found = _texts_of(number, row, columns)
    return found._replace(kept={new: row.get(old) for old, new in columns.keep}) if columns.keep else found


def _texts_of(number: int, row: dict, columns: Columns) -> Row:
    text, pair = row.get(columns.text), row.get(columns.pair) if columns.pair else None
    own = row.get(columns.id) if columns.id else None
    name = str(number) if own is None or own == "" else str(own)
    if not isinstance(text, str):
        return Row(name, _written(text), pair if isinstance(pair, str) else None, _not_text(columns.text, text))
    if columns.pair and not isinstance(pair, str):
        return Row(name, text, _written(pair), _not_text(columns.pair, pair))
    return row_of(name, text, pair)


def _written(value) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _not_text(column: str | None, value) -> str:
    return "no text" if value is None else f"{column} is no text but {type(value).__name__}"
