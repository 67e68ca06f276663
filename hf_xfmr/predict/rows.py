"""The rows of a file or of standard input to predict, one after another: never the whole file in memory."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from ..data.columns import IDS, TEXTS
from ..data.regular import check_regular
from ..data.table.columns import is_unicode
from ..data.wording import listed
from ..errors import UserError

FORMATS = ("csv", "tsv", "jsonl", "txt")  # by their endings


class Row(NamedTuple):
    """A row as it came: its id (its own, or its number from 0) and texts; `fault` says why it can't be predicted."""

    id: str
    text: str
    pair: str | None
    fault: str | None = None


class Columns(NamedTuple):
    """What the user said; None: found by its name."""

    text: str | None = None
    pair: str | None = None
    id: str | None = None


BY_NAME = Columns()


def read(path: str | Path | None, *, kind: str | None = None, columns: Columns = BY_NAME) -> Iterator[Row]:
    """The rows of a file, or of standard input (None), in their order.

    `kind` is one of FORMATS; None: by the file's name, and for standard input one text a line. In `txt` every line is
    a text. A row without text, a JSON line that is none and a table's line of another width become rows with a `fault`,
    so that no row is lost. Raises `UserError` for an unknown kind, missing columns, or a file that can't be read.
    """
    name = "standard input" if path is None else str(path)
    kind = kind or ("txt" if path is None else Path(path).suffix.lower().lstrip("."))
    if kind not in FORMATS:
        raise UserError(
            f"{name}: '{kind}' is no kind of file that can be predicted; give --format {', '.join(FORMATS)}"
        )
    with _opened(path, name) as file:
        if kind == "txt":
            if any(columns):
                raise UserError(f"{name}: a text file has no columns; leave {_option(columns)} out")
            yield from (_row(number, str(number), line.rstrip("\r\n"), None) for number, line in enumerate(file))
        elif kind == "jsonl":
            yield from _objects(file, name, columns)
        else:
            yield from _table(file, name, columns, "," if kind == "csv" else "\t")


@contextmanager
def _opened(path: str | Path | None, name: str) -> Iterator[IO[str]]:
    try:
        if path is None:
            sys.stdin.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]
            yield sys.stdin
        else:
            check_regular(path, "file of rows")
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                yield file
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 (byte {error.object[error.start]:#04x}); convert it, for example: "
            "iconv -f GB18030 -t UTF-8"
        ) from None
    except csv.Error as error:
        raise UserError(f"{name}: the table can't be read ({error}); see to its quotes") from None
    except OSError as error:
        raise UserError(f"{name} can't be read ({error.strerror or error}); check its name and permissions") from None


def _table(file: IO[str], name: str, columns: Columns, delimiter: str) -> Iterator[Row]:
    limit = csv.field_size_limit(2**31 - 1)  # a text may be a book
    try:
        rows = (row for row in csv.reader(file, delimiter=delimiter, strict=True) if row)  # blank lines are no rows
        header = next(rows, None)
        if header is None:
            raise UserError(f"{name} is empty; it should begin with a line of column names")
        found = _find(header, name, columns)
        for number, row in enumerate(rows):
            if len(row) != len(header):
                fault = f"{len(row)} fields where the header has {len(header)}"
                yield Row(str(number), delimiter.join(row), None if found.pair is None else "", fault)
            else:
                yield _of(number, dict(zip(header, row, strict=True)), found)
    finally:
        csv.field_size_limit(limit)


def _objects(file: IO[str], name: str, columns: Columns) -> Iterator[Row]:
    found = None
    lines = (line for line in file if line.strip())
    for number, line in enumerate(lines):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            yield Row(str(number), line.strip(), None if columns.pair is None else "", "no JSON object")
            continue
        found = found or _find(list(value), name, columns)
        yield _of(number, value, found)


def _find(names: list[str], source: str, told: Columns) -> Columns:
    """The columns of text, pair and id: those told, else the one known by its name."""
    for option, name in zip(("--text_column", "--text_pair_column", "--id_column"), told, strict=True):
        if name is not None and name not in names:
            raise UserError(f'{source}: {option} is "{name}", but there is {listed(names)}')
    text = told.text
    if text is None:
        known = [name for name in names if name.casefold() in TEXTS and name != told.pair]
        candidates = known or ([names[0]] if len(names) == 1 else [])
        if len(candidates) != 1:
            what = f"could be {listed(candidates)}" if candidates else f"is none of {listed(names)} by its name"
            both = ", for pairs with --text_pair_column too" if len(candidates) == 2 else ""
            raise UserError(f"{source}: the text column {what}; say which with --text_column{both}")
        text = candidates[0]
    ids = [name for name in names if name.casefold() in IDS and name not in (text, told.pair)]
    return Columns(text, told.pair, told.id or (ids[0] if ids else None))


def _of(number: int, row: dict, columns: Columns) -> Row:
    text, pair = row.get(columns.text), row.get(columns.pair) if columns.pair else None
    own = row.get(columns.id) if columns.id else None
    name = str(number) if own is None or own == "" else str(own)
    if not isinstance(text, str):
        return Row(name, _written(text), pair if isinstance(pair, str) else None, _not_text(columns.text, text))
    if columns.pair and not isinstance(pair, str):
        return Row(name, text, _written(pair), _not_text(columns.pair, pair))
    return _row(number, name, text, pair)


def _row(number: int, name: str, text: str, pair: str | None) -> Row:
    if not is_unicode(text + (pair or "")):
        return Row(name, text, pair, "half a character (a lone surrogate) in its text")
    return Row(name, text, pair, None if text.strip() and (pair is None or pair.strip()) else "no text")


def _written(value) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _not_text(column: str | None, value) -> str:
    return "no text" if value is None else f"{column} is no text but {type(value).__name__}"


def _option(columns: Columns) -> str:
    named: Iterable[str] = (
        option
        for option, name in zip(("--text_column", "--text_pair_column", "--id_column"), columns, strict=True)
        if name is not None
    )
    return ", ".join(named)
