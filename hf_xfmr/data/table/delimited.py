"""Tables of text: fields between delimiters. Read by Arrow where it reads as csv does, else by csv."""

import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ...errors import UserError
from ..wording import listed
from . import dialect, heading, quotes
from .dialect import Dialect
from .reading import Reading
from .settings import TableSettings

BLOCK = 1 << 22  # bytes Arrow parses at a time
BATCH = 20_000  # rows csv reads at a time
LENIENT = "\t|"  # between which many programs quote nothing
IN_FIELD = {"\t": "a tab", ",": "a comma", ";": "a semicolon", "|": "a pipe"}


@dataclass
class Layout:
    """How a table of text is laid out: its dialect, names, and where in it the first row is."""

    dialect: Dialect
    heading: heading.Heading
    names: list[str]
    unnamed: set[str]
    lines_above: int
    bytes_above: int


def layout(
    path: Path, data, settings: TableSettings, usual: str | None, reading: Reading, *, whole: bool = True
) -> Layout:
    """The layout of UTF-8 text, seen from its beginning (all there is, if `whole`); what is worth saying is noted.
    Raises UserError for a text without lines, and where one question has to be answered."""
    size = dialect.SAMPLE
    while True:
        all_of_it = whole and size >= len(data)
        lines = dialect.complete_lines(_beginning(data, size), whole=all_of_it)
        if size >= len(data) or sum(1 for line in lines if line.strip()) > 2:
            break
        size *= 4
    if not any(line.strip() for line in lines):
        raise UserError(f"{path}: the file is empty; it should hold rows")
    found = dialect.find(path, lines, settings, usual)
    records, ends = _records(lines, found, whole=all_of_it)
    top = heading.find(path, records, settings.header)
    names, unnamed = heading.unique(top.names if top.names is not None else heading.numbered(top.width), top.notes)
    above = ends[top.skipped - 1] if top.skipped else 0
    for note in top.notes:
        reading.note(note)
    reading.delimiter, reading.quotechar, reading.header = found.delimiter, found.quotechar, top.names is not None
    if found.quotechar not in ('"', None):
        reading.note(f"fields are quoted with {found.quotechar}")
    if found.skips_space:
        reading.note("the space after each delimiter is left out")
    return Layout(found, top, names, unnamed, above, sum(len(line.encode()) for line in lines[:above]))


def read(path: Path, data, settings: TableSettings, usual: str | None, reading: Reading) -> pa.Table:
    """A table of UTF-8 text, every column as texts. Raises UserError, naming the line, for rows of other widths and
    for quotes that don't match."""
    found = layout(path, data, settings, usual, reading)
    body = memoryview(data)[found.bytes_above :]
    table = _body(path, body, found, reading, told=bool(settings.quotechar))
    for name, column in zip(reversed(found.names), reversed(table.columns), strict=True):
        if name not in found.unnamed or len(table.column_names) == 1 or not _is_empty(column):
            break
        table = table.drop_columns([name])
    if left_out := len(found.names) - table.num_columns:
        reading.note(f"{left_out} empty column{'s' * (left_out > 1)} without a name at the end left out")
    if unnamed := [name for name in table.column_names if name in found.unnamed]:
        reading.note(f"a column without a name is called {listed(unnamed)}")
    return table


def _beginning(data, size: int) -> str:
    return bytes(memoryview(data)[:size]).decode("utf-8", "ignore")


def _is_empty(column: pa.ChunkedArray) -> bool:
    return not pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py()


def _records(lines: list[str], found: Dialect, *, whole: bool) -> tuple[list[list[str]], list[int]]:
    """The first rows, and how many lines there are up to the end of each."""
    reader: Any = found.reader(iter(lines), strict=False)
    records, ends = [], []
    try:
        with long_fields():
            for row in reader:
                if row and not (len(row) == 1 and not row[0].strip()):
                    records.append(row)
                    ends.append(reader.line_num)
                if len(records) == dialect.ROWS:
                    break
    except csv.Error:
        pass
    if not whole and len(records) > 1 and ends[-1] == len(lines):
        records, ends = records[:-1], ends[:-1]  # it may go on
    return (records, ends) if records else ([[lines[0].strip("\r\n")]], [1])


def _body(path: Path, body, found: Layout, reading: Reading, *, told: bool) -> pa.Table:
    how, names, line = found.dialect, found.names, found.lines_above
    lenient = not told and how.delimiter is not None and how.delimiter in LENIENT and how.quotechar == '"'
    quoted = 0 if how.quotechar is None else quotes.plain(body, how.delimiter, how.quotechar)
    if quoted is not None and not how.skips_space:
        table = _by_arrow(body, how if quoted else replace(how, quotechar=None), names)
        if table is not None and not (lenient and quoted and _holds(table, how.delimiter)):
            return table
    try:
        table = _by_csv(path, body, how, names, line, reading)
    except UserError:
        if lenient:
            table = _by_csv(path, body, replace(how, quotechar=None), names, line, reading)
            _say_plain(reading)
            return table
        if how.quotechar == '"' and b'\\"' in bytes(body) and (mended := _unescaped(bytes(body))):
            table = _by_csv(path, mended, how, names, line, reading)
            reading.note('quotes within quoted fields are written \\"')
            return table
        raise
    # A delimiter inside a field: two quotation marks of the text may have swallowed what lay between them.
    if lenient and quoted != 0 and _holds(table, how.delimiter):
        try:
            table = _by_csv(path, body, replace(how, quotechar=None), names, line, reading)
            _say_plain(reading)
        except UserError:  # they were meant
            pass
    return table


def _say_plain(reading: Reading) -> None:
    reading.quotechar = None
    reading.note("quotation marks are characters of the texts")


def _holds(table: pa.Table, delimiter: str | None) -> bool:
    return any(pc.any(pc.match_substring(column, delimiter)).as_py() for column in table.columns)


def _unescaped(body: bytes) -> bytes:
    """Doubled quotes for those after a backslash (itself not after one)."""
    return re.sub(rb'(?<!\\)((?:\\\\)*)\\"', rb'\1""', body)


def _by_arrow(body, how: Dialect, names: list[str]) -> pa.Table | None:
    """None where Arrow stumbles: csv then says over what."""
    if not len(body):
        return pa.table({name: pa.array([], pa.string()) for name in names})
    size = BLOCK
    while True:
        try:
            return pyarrow.csv.read_csv(
                pa.BufferReader(pa.py_buffer(body)),
                read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=size),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=how.delimiter or "\x1f",
                    quote_char=how.quotechar or False,
                    newlines_in_values=how.quotechar is not None,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    check_utf8=False,  # it is known
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[],
                    strings_can_be_null=False,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error) or size > len(body):
                return None
            size *= 8


def _by_csv(path: Path, body, how: Dialect, names: list[str], line: int, reading: Reading) -> pa.Table:
    rows = rows_of(path, io.TextIOWrapper(io.BytesIO(body), "utf-8", newline=""), how, len(names), line, reading)
    parts = []
    while batch := list(islice(rows, BATCH)):
        parts.append(pa.table([pa.array(column, pa.string()) for column in zip(*batch, strict=True)], names=names))
    return pa.concat_tables(parts) if parts else pa.table({name: pa.array([], pa.string()) for name in names})


def rows_of(path: Path, lines, how: Dialect, width: int, line: int, reading: Reading) -> Iterator[list[str]]:
    """Every row, all of one width; blank lines are no rows, nor are comments that are shorter. `line` lines stand
    above. Raises UserError naming the line."""
    reader: Any = how.reader(lines)
    first, comments = line, []
    with long_fields():
        while True:
            first, before = line + reader.line_num + 1, reader.line_num
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                raise UserError(
                    f"{path}: the quotes of the row at line {line + before + 1} do not match ({error}); a field that "
                    'contains quotes is put in quotes and its own are doubled: "she said ""yes"""'
                ) from None
            if not row or (width > 1 and len(row) == 1 and not row[0].strip()):
                continue
            if len(row) != width:
                if row[0].startswith(heading.MARK) and len(row) < width:
                    comments.append(first)
                    continue
                inside = IN_FIELD.get(how.delimiter or "", f"'{how.delimiter}'")
                raise UserError(
                    f"{path}: line {first} has {len(row)} fields but the header has {width}; "
                    f"put quotes around a field that contains {inside}"
                )
            yield row
    if comments:
        lines_are = f"{len(comments):,} comments (from line {comments[0]} on) are" if comments[1:] else None
        reading.note(f"{lines_are or f'a comment (line {comments[0]}) is'} left out")


class long_fields:
    """While it is entered, csv's fields may be longer than 131,072 characters, as a book is."""

    def __enter__(self):
        self.limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

    def __exit__(self, *_):
        csv.field_size_limit(self.limit)


def read_if_wide(path: Path, data, settings: TableSettings, reading: Reading) -> pa.Table | None:
    """The table of a text of which nothing is promised; None if its lines don't stand in columns."""
    tried = Reading(str(path))
    lines = dialect.complete_lines(_beginning(data, dialect.SAMPLE), whole=len(data) <= dialect.SAMPLE)
    if dialect.find(path, lines, settings, None, only_even=True).delimiter is None:
        return None
    table = read(path, data, settings, None, tried)
    if tried.delimiter in (",", ";") and not tried.header and settings.header is None and b'"' not in bytes(data):
        return None  # sentences have them too
    reading.delimiter, reading.quotechar, reading.header = tried.delimiter, tried.quotechar, tried.header
    for note in tried.notes:
        reading.note(note)
    return table


def read_lines(path: Path, data, settings: TableSettings, reading: Reading) -> pa.Table:
    """Each line that is not blank as a row of the one column `text`, or of that which the first line names."""
    lines = [line for line in re.split(r"\r\n|\r|\n", str(data, "utf-8")) if line.strip()]
    has_name = heading.is_known(lines[0]) if settings.header is None else settings.header
    reading.header = has_name
    name = lines[0].strip() if has_name else "text"
    return pa.table({name: pa.array(lines[has_name:], pa.string())})
