"""Local files -> Arrow tables: CSV, TSV, JSON, JSON lines and Parquet, with errors that name file, line and column."""

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Dataset
from datasets.table import InMemoryTable

from ..errors import UserError
from ..plain import is_unicode
from .regular import check_regular
from .wording import listed

# How a missing value is written in a column of numbers. In a column of texts these are texts.
MISSING = pa.array(["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none"])
WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"
NUMBER = r"^[+-]?((0|[1-9][0-9]{0,14})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?[Ii]nf(inity)?$"
DEEPEST = 60  # lists in lists; Arrow hands on no more than 63
BOOLEAN = r"^([Tt]rue|[Ff]alse|TRUE|FALSE)$"


def read_files(paths: dict[str, Path]) -> dict[str, Dataset]:
    """Read one file per split. Raises UserError for anything that cannot be read whole and as it stands.

    A CSV or TSV column gets one type for all splits: int64 if every value is a whole number, else float64 if every
    value is a number, else bool, else text exactly as written ("NA" and "007" too).
    """
    tables = {}
    for split, path in paths.items():
        check_regular(path, "data file")
        try:
            tables[split] = READERS[path.suffix.lower()](path)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions"
            ) from None
        _check_names(path, tables[split].column_names)
        if tables[split].num_rows == 0:
            raise UserError(f"{path}: has no rows, only {listed(tables[split].column_names)}; nothing to read")
    untyped = [split for split, path in paths.items() if path.suffix.lower() in (".csv", ".tsv")]
    for name in {name: None for split in untyped for name in tables[split].column_names}:
        among = [split for split in untyped if name in tables[split].column_names]
        kind = _type([tables[split][name] for split in among])
        for split in among:
            place = tables[split].column_names.index(name)
            tables[split] = tables[split].set_column(place, name, _as(tables[split][name], kind))
    return {split: Dataset(InMemoryTable(table)) for split, table in tables.items()}


def read_text(path: Path) -> str:
    """The whole file as text; a byte order mark is dropped. Raises UserError for what is no file, or no UTF-8."""
    check_regular(path, "file")
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(
            f"{path}: is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 {path.name} > new{path.suffix}"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: byte {error.start} (line {line}) is not UTF-8; convert the file from the encoding it is in, "
            f"for example: iconv -f GB18030 -t UTF-8 {path.name} > new{path.suffix} (or -f WINDOWS-1252)"
        ) from None
    if not text.strip("\ufeff \t\r\n"):
        raise UserError(f"{path}: the file is empty; it should hold rows")
    return text.removeprefix("\ufeff")


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        if any(unicodedata.category(one) == "Cc" for one in name):
            raise UserError(f"{path}: the column {name!r} has a control character in its name; rename the column")


def _csv(path: Path) -> pa.Table:
    return _table(list(_rows(path, read_text(path), ",", csv.QUOTE_MINIMAL)))


def _tsv(path: Path) -> pa.Table:
    """Quotes are read as in CSV (what spreadsheets and pandas write), or, where that fails, as plain characters."""
    text = read_text(path)
    try:
        quoted = list(_rows(path, text, "\t", csv.QUOTE_MINIMAL))
    except UserError:
        return _table(list(_rows(path, text, "\t", csv.QUOTE_NONE)))
    # A tab inside a field: two quotation marks of the text may have swallowed what lay between them.
    if any("\t" in field for row in quoted for field in row):
        with suppress(UserError):  # no: the tabs were meant
            return _table(list(_rows(path, text, "\t", csv.QUOTE_NONE)))
    return _table(quoted)


def _rows(path: Path, text: str, delimiter: str, quoting) -> Iterator[list[str]]:
    """The header and every row after it, all of one width; blank lines are no rows."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default, 131,072 characters, is shorter than a book
    width, line = 0, 0
    try:
        for row in reader:
            first, line = line + 1, reader.line_num
            if not row:
                continue
            if not width:
                width = len(row)
                if twice := sorted({name for name in row if row.count(name) > 1}):
                    raise UserError(
                        f"{path}: the header names {listed(twice)} more than once; rename one of the columns"
                    )
            elif len(row) != width:
                raise UserError(
                    f"{path}: line {first} has {len(row)} fields but the header has {width}; "
                    f"put quotes around a field that contains {'a tab' if delimiter == chr(9) else 'a comma'}"
                )
            yield row
    except csv.Error as error:
        raise UserError(
            f"{path}: the quotes of the row at line {line + 1} do not match ({error}); a field that contains quotes is "
            'put in quotes and its own are doubled: "she said ""yes"""'
        ) from None
    finally:
        csv.field_size_limit(limit)


def _table(rows: list[list[str]]) -> pa.Table:
    header, *body = rows
    columns = zip(*body, strict=True) if body else [()] * len(header)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(header, columns, strict=True)})


def _type(columns: list[pa.ChunkedArray]) -> pa.DataType:
    """The narrowest type that holds every value of the columns and loses nothing of any."""
    values = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
    values = pc.utf8_trim_whitespace(values).filter(pc.invert(pc.is_in(pc.utf8_trim_whitespace(values), MISSING)))
    if len(values):
        for pattern, kind in ((WHOLE, pa.int64()), (NUMBER, pa.float64()), (BOOLEAN, pa.bool_())):
            if pc.all(pc.match_substring_regex(values, pattern)).as_py():
                return kind
    return pa.string()


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if kind == pa.string():
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(trimmed, MISSING), pa.scalar(None, pa.string()), trimmed).cast(kind)


def _json(path: Path) -> pa.Table:
    """A list of objects, or one object a line; a key an object lacks is missing (None) there."""
    text = read_text(path)
    whole = text.lstrip().startswith("[")
    rows: list = []
    for line, part in [(1, text)] if whole else enumerate(text.split("\n"), 1):
        if not part.strip():
            continue
        try:
            value = json.loads(part)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}: line {line + error.lineno - 1} is not JSON ({error.msg}, column {error.colno}); "
                "the file holds one list of objects, or one object a line"
            ) from None
        except RecursionError:
            raise UserError(f"{path}: line {line} is nested too deep to be read; flatten it") from None
        except ValueError as error:  # a number of thousands of digits
            raise UserError(f"{path}: line {line} can't be read ({str(error).partition(';')[0]}); mend it") from None
        rows.extend(value if whole else [value])
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(
                f"{path}: row {number} is {json.dumps(row)[:40]}, not an object with the columns as its keys"
            )
    names = {name: None for row in rows for name in row}
    if "\\u0000" in text and (name := _with_nul(rows)) is not None:
        raise UserError(f"{path}: a key has the character U+0000 in it ({name!r}), which no column can; rename it")
    for name in names:
        if not is_unicode(name):
            raise UserError(f"{path}: the column {name!r} has half a character (a lone surrogate) in its name; mend it")
    return pa.table({name: _column(path, name, [row.get(name) for row in rows]) for name in names})


def _with_nul(value) -> str | None:
    """A key within that Arrow, which ends names there, would take for another."""
    if isinstance(value, list):
        return next((name for one in value if (name := _with_nul(one)) is not None), None)
    if not isinstance(value, dict):
        return None
    return next((name for name in value if "\0" in name), None) or _with_nul(list(value.values()))


def _column(path: Path, name: str, values: list) -> pa.Array:
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
        why = f"mixes kinds of values ({found})" if len(kinds) > 1 else f"cannot be read ({error})"
        raise UserError(
            f'{path}: column "{name}" {why}; give all its rows one kind (rows are counted from 0)'
        ) from None


def _depth(kind: pa.DataType) -> int:
    return 1 + max((_depth(kind.field(i).type) for i in range(kind.num_fields)), default=0)


def _parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except pa.ArrowException as error:
        raise UserError(f"{path}: is not a readable Parquet file ({error}); write or download it again") from None


READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".json": _json,
    ".jsonl": _json,
    ".parquet": _parquet,
}
