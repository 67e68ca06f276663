"""The rows of a file or of standard input to predict, one after another: never the whole file in memory."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from ..data.files import check_used, read_files
from ..data.names import IDS, TEXTS
from ..data.regular import check_regular, once
from ..data.table import kinds
from ..data.table.delimited import long_fields
from ..data.table.dialect import SAMPLE, Dialect, complete_lines, find, told
from ..data.table.encoding import check_told
from ..data.table.packed import bare
from ..data.table.reading import Reading
from ..data.table.rows import flat, kind_of, laid_out, streamed
from ..data.table.settings import TableSettings
from ..data.table.stream import text_of
from ..data.wording import listed
from ..errors import UserError
from . import keep
from .row import BY_NAME, FORMATS, Columns, Row, of_record, row_of

OPTIONS = ("--text_column", "--text_pair_column", "--id_column")


def read(
    path: str | Path | None,
    *,
    kind: str | None = None,
    columns: Columns = BY_NAME,
    table: TableSettings | None = None,
    reading: Reading | None = None,
) -> Iterator[Row]:
    """The rows of a file, or of standard input (None), in their order.

    `kind` is one of FORMATS; None: what the file is (see `data.files`), and for standard input one text a line. In
    `txt` every line is a text. A row without text, a JSON line that is none and a table's line of another width become
    rows with a `fault`, so that no row is lost. Tables of text, JSON lines, Parquet and texts are never whole in
    memory. `table` is what the user says of how the file is written; what was understood is put into `reading`.
    Raises `UserError` for an unknown kind, missing columns, a file that can't be read, and a question that only the
    user can answer.
    """
    settings, name = table or TableSettings(), "standard input" if path is None else str(path)
    reading = reading or Reading(name)
    if kind is not None and kind not in FORMATS:
        raise UserError(
            f"{name}: '{kind}' is no kind of file that can be predicted; give --format {', '.join(FORMATS)}"
        )
    if path is None:
        rows = _of_input(kind or "txt", name, columns, settings)
    else:
        rows = _of_file(Path(path), kind, columns, settings, reading)
    try:
        yield from rows
    except csv.Error as error:
        raise UserError(f"{name}: the table can't be read ({error}); see to its quotes") from None


def _of_input(kind: str, name: str, columns: Columns, settings: TableSettings) -> Iterator[Row]:
    encoding = "utf-8-sig" if settings.encoding is None else check_told(settings.encoding)
    try:
        sys.stdin.reconfigure(encoding=encoding, newline="")  # type: ignore[union-attr]
        file = without_nul(sys.stdin, name)
        if kind == "txt":
            yield from _lines(file, name, columns)
        elif kind == "jsonl":
            yield from _objects(file, name, columns)
        else:
            delimiter, quotechar = told(settings)
            how = Dialect(
                delimiter or ("," if kind == "csv" else "\t"), '"' if quotechar is None else quotechar or None
            )
            yield from _table(file, name, columns, how)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 (byte {error.object[error.start]:#04x}); say its encoding, as in --encoding gb18030"
        ) from None


def _of_file(
    path: Path, told_kind: str | None, columns: Columns, settings: TableSettings, reading: Reading
) -> Iterator[Row]:
    kind, usual, is_even = _kind(path, told_kind)
    if kind == "delimited" and is_even and not _stands_in_columns(path, settings):
        kind = "txt"
    if kind == "txt":
        reading.format = "text"
        with text_of(path, settings, reading) as text:
            check_used(settings, [reading])
            yield from _lines(text, str(path), columns)
    elif kind == "lines":
        reading.format = "JSON lines"
        with text_of(path, settings, reading) as text:
            check_used(settings, [reading])
            yield from _objects(text, str(path), columns)
    elif kind == "delimited":
        reading.format = "TSV" if usual == "\t" else "CSV"
        with laid_out(path, usual, settings, reading) as (found, text):
            check_used(settings, [reading])
            reading.columns = found.names
            yield from _table(text, str(path), columns, found.dialect, found.names)
    else:
        if (stream := streamed(path, settings, reading)) is not None:
            check_used(settings, [reading])
            rows: Iterable[dict] = stream[1]
        else:
            rows = _of_questions(_whole(path, settings, reading), path)
        yield from of_dicts(rows, str(path), columns)


def of_dicts(rows: Iterable[dict], name: str, columns: Columns = BY_NAME) -> Iterator[Row]:
    """Rows of a table that is called `name` in errors. Raises `UserError` for missing columns."""
    found = None
    for number, row in enumerate(rows):
        found = found or _find(list(row), name, columns)
        yield of_record(number, row, found)


def _kind(path: Path, told_kind: str | None) -> tuple[str | None, str | None, bool]:
    """What a file is, the delimiter it promises, and whether it is a table only if its lines stand in columns."""
    if told_kind in ("csv", "tsv"):
        return "delimited", "," if told_kind == "csv" else "\t", False
    if told_kind is not None:
        return {"jsonl": "lines"}.get(told_kind, told_kind), None, False
    check_regular(path, "file of rows")
    if bare(path).suffix.lower() == ".txt":
        return "txt", None, False
    kind, name = kind_of(path)
    if kind is not None:
        return kind, kinds.DELIMITED.get(Path(name).suffix.lower()), False
    with text_of(path) as text:
        begins = text.read(4096).lstrip("\ufeff \t\r\n")[:1]
    return ("lines", None, False) if begins == "{" else ("delimited", None, True)


def without_nul(lines: Iterable[str], name: str) -> Iterator[str]:
    """The same lines. Raises `UserError` for one with a NUL, which no text holds: UTF-16 read as UTF-8, or no text."""
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise UserError(
                f"{name}: line {number} holds a NUL, as UTF-16 and files that are no text do; convert it, as with "
                "iconv -f UTF-16 -t UTF-8"
            )
        yield line


def _stands_in_columns(path: Path, settings: TableSettings) -> bool:
    with text_of(path, settings) as text:
        beginning = text.read(SAMPLE)
    lines = complete_lines(beginning, whole=len(beginning) < SAMPLE)
    return bool(lines) and find(path, lines, settings, None, only_even=True).delimiter is not None


def _whole(path: Path, settings: TableSettings, reading: Reading) -> Iterator[dict]:
    """The rows of a file that is read whole."""
    readings: list[Reading] = []
    splits = read_files({"train": path}, settings, readings)
    if len(splits) > 1:
        raise UserError(f"{path}: has the splits {listed(splits)}; give the rows of one as a file of their own")
    for name, value in vars(readings[0]).items():
        setattr(reading, name, value)
    (rows,) = splits.values()
    yield from rows  # type: ignore[misc]


def _of_questions(rows: Iterator[dict], path: Path) -> Iterator[dict]:
    """The same rows; of SQuAD's layout its questions, with their contexts."""
    first = next(rows, None)
    if first is None or not {"paragraphs", "qas"} & {*first}:
        yield from rows if first is None else chain([first], rows)
        return
    from ..tasks.question_answering.layouts import nested

    for one, context in nested(chain([first], rows), path.name):
        yield {"id": one.get("id"), "question": one.get("question"), "context": context}


def _lines(file: Iterable[str], name: str, columns: Columns) -> Iterator[Row]:
    if any(columns):
        raise UserError(f"{name}: a text file has no columns; leave {_option(columns)} out")
    for number, line in enumerate(file):
        yield row_of(str(number), line.rstrip("\r\n"), None)


def _table(
    file: Iterable[str], name: str, columns: Columns, how: Dialect, header: list[str] | None = None
) -> Iterator[Row]:
    """The rows of a table, whose first one is the header unless that is given."""
    with long_fields():
        rows = (row for row in how.reader(file) if row)  # blank lines are no rows
        header = header or next(rows, None)
        if header is None:
            raise UserError(f"{name} is empty; it should begin with a line of column names")
        found = _find(header, name, columns)
        for number, row in enumerate(rows):
            if len(row) != len(header):
                fault = f"{len(row)} fields where the header has {len(header)}"
                words = (how.delimiter or "").join(row)
                yield Row(str(number), words, None if found.pair is None else "", fault)
            else:
                yield of_record(number, dict(zip(header, row, strict=True)), found)


def _objects(file: Iterable[str], name: str, columns: Columns) -> Iterator[Row]:
    found = None
    lines = (line.removeprefix("\ufeff") for line in file if line.strip("\ufeff \t\r\n"))
    for number, line in enumerate(lines):
        fault = "no JSON object"
        try:
            value = json.loads(line, object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            value, fault = None, fault if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
        if not isinstance(value, dict):
            yield Row(str(number), line.strip(), None if columns.pair is None else "", fault)
            continue
        value = flat(value)
        found = found or _find(list(value), name, columns)
        yield of_record(number, value, found)


def _find(names: list[str], source: str, told: Columns) -> Columns:
    """The columns of text, pair and id: those told, else the one known by its name."""
    for option, name in zip(OPTIONS, told[:3], strict=True):
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
    own = told.id or (ids[0] if ids else None)
    return Columns(text, told.pair, own, keep.resolved(told.keep, names, (text, told.pair, own), source))


def _option(columns: Columns) -> str:
    named: Iterable[str] = (option for option, name in zip((*OPTIONS, "--keep"), columns, strict=True) if name)
    return ", ".join(named)
