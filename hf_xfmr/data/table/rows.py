"""The rows of a file one after another, never the whole of it in memory, where its format allows that."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from ...errors import UserError
from ..regular import once
from . import arrow, delimited, dialect, kinds, quotes
from .columns import of_rows
from .packed import opened
from .reading import Reading
from .settings import TableSettings
from .stream import text_of
from .types import as_type, type_of

FIRST = 1000  # rows that decide what a column holds


def streamed(path: Path, settings: TableSettings, reading: Reading) -> tuple[Dataset, Iterable[dict]] | None:
    """The first rows of a file, typed as by all of them, and its rows, to be read any number of times; a text is a text
    in each, as it is written. None for a format that is read whole (workbooks, databases, one JSON value).

    Raises UserError for what can't be read, as `read_files`.
    """
    kind, name = kind_of(path)
    if kind == "parquet":
        return _of_parquet(path, reading)
    if kind == "lines":
        return _of_objects(path, settings, reading)
    if kind != "delimited":
        return None
    return _of_text(path, name, settings, reading)


def kind_of(path: Path) -> tuple[str | None, str]:
    """The file's kind (see kinds.py), and the name it has when unpacked."""
    with opened(path) as (file, _, name):
        return kinds.kind_of(name, file.peek(16)[:16]), name  # type: ignore[attr-defined]


@contextmanager
def laid_out(
    path: Path, usual: str | None, settings: TableSettings, reading: Reading
) -> Iterator[tuple[delimited.Layout, Any]]:
    """The layout of a table of text, seen from its beginning, and a stream of text that stands at its first row."""
    with text_of(path, settings, reading) as text:
        beginning = text.read(dialect.SAMPLE)
        whole = len(beginning) < dialect.SAMPLE
    data = beginning.removeprefix("\ufeff").encode("utf-8", "replace")
    found = delimited.layout(path, data, settings, usual, reading, whole=whole)
    how = found.dialect
    if how.delimiter is not None and how.delimiter in delimited.LENIENT and how.quotechar and not settings.quotechar:
        body = data[found.bytes_above :]
        body = body if whole else body[: body.rfind(b"\n") + 1]
        count = quotes.plain(body, how.delimiter, how.quotechar)
        swallows = any(how.delimiter in cell for row in dialect.parsed(_lines(body), how) for cell in row)
        if count is None or (count and swallows and _is_even(_lines(body), replace(how, quotechar=None))):
            found.dialect, reading.quotechar = replace(how, quotechar=None), None
            reading.note("quotation marks are characters of the texts")
    with text_of(path, settings) as text:
        for _ in range(found.lines_above):
            next(text)
        yield found, text


def _lines(body: bytes) -> list[str]:
    return dialect.complete_lines(body.decode("utf-8", "replace"), whole=True)


def _is_even(lines: list[str], how: dialect.Dialect) -> bool:
    return len({len(row) for row in dialect.parsed(lines, how)}) == 1


def _of_text(path: Path, name: str, settings: TableSettings, reading: Reading) -> tuple[Dataset, Iterable[dict]]:
    suffix = Path(name).suffix.lower()
    usual = kinds.DELIMITED.get(suffix)
    reading.format = "TSV" if usual == "\t" else "CSV"

    def rows() -> Iterator[dict]:
        again = Reading(str(path))
        with laid_out(path, usual, settings, again) as (found, text):
            lines = delimited.rows_of(path, text, found.dialect, len(found.names), found.lines_above, again)
            yield from (dict(zip(found.names, row, strict=True)) for row in lines)

    with laid_out(path, usual, settings, reading) as (found, _):
        reading.columns = found.names
    first = list(islice(rows(), FIRST))
    columns = {
        name: pa.chunked_array([pa.array([row[name] for row in first], pa.string())]) for name in reading.columns
    }
    table = pa.table({name: as_type(column, type_of([column])) for name, column in columns.items()})
    return _head(path, table), _Again(rows)


def _of_objects(path: Path, settings: TableSettings, reading: Reading) -> tuple[Dataset, Iterable[dict]]:
    reading.format = "JSON lines"

    def rows() -> Iterator[dict]:
        with text_of(path, settings, reading) as text:
            for number, line in enumerate(text, 1):
                if not line.strip("\ufeff \t\r\n"):
                    continue
                try:
                    value = json.loads(line.removeprefix("\ufeff"), object_pairs_hook=once)
                except (ValueError, RecursionError) as error:
                    raise UserError(f"{path}: line {number} is not JSON ({error}); give one object a line") from None
                if not isinstance(value, dict):
                    raise UserError(f"{path}: line {number} is no object with the columns as its keys; mend it")
                yield flat(value)

    table = of_rows(path, list(islice(rows(), FIRST)), reading)
    return _head(path, table), _Again(rows)


def flat(row: dict, above: str = "") -> dict:
    """A row with the values of its nested objects as `outer.inner`, beside the objects themselves."""
    found: dict = {}
    for name, value in row.items():
        found[f"{above}{name}"] = value
        if isinstance(value, dict):
            found |= {key: one for key, one in flat(value, f"{above}{name}.").items() if key not in row}
    return found


def _of_parquet(path: Path, reading: Reading) -> tuple[Dataset, Iterable[dict]]:
    reading.format = "Parquet"

    def batches() -> Iterator[pa.Table]:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(FIRST):
                    yield arrow.plain(pa.Table.from_batches([batch]), reading)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path}: is not a readable Parquet file ({error}); write or download it again") from None

    first = next(batches(), pa.table({}))
    return _head(path, first), _Again(lambda: chain.from_iterable(batch.to_pylist() for batch in batches()))


def _head(path: Path, table: pa.Table) -> Dataset:
    if table.num_rows == 0:
        raise UserError(f"{path}: has no rows; nothing to read")
    return arrow.dataset_of(table)


class _Again:
    """Rows that are read anew each time."""

    def __init__(self, rows):
        self.rows = rows

    def __iter__(self) -> Iterator[dict]:
        return iter(self.rows())
