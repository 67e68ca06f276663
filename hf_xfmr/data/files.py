"""Local files -> datasets: read as they are, with what was understood of each, or one sentence on what is wrong."""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from datasets import Dataset

from ..errors import UserError
from .table import delimited, kinds, objects, packed
from .table.columns import of_rows
from .table.encoding import as_utf8
from .table.reading import Reading
from .table.settings import TableSettings
from .table.types import typed
from .wording import listed

TEXTS = ("CSV", "TSV", "JSON", "JSON lines", "text")


def read_files(
    paths: Mapping[str, Path | Sequence[Path]],
    table: TableSettings | None = None,
    readings: list[Reading] | None = None,
) -> dict[str, Dataset]:
    """Read the file of each split, or its parts. What was understood of each is added to `readings`.

    A column of a table of text gets one type for all splits: int64 if every value is a whole number, else float64 if
    every value is a number, else bool, else text exactly as written ("NA" and "007" too). Raises UserError for anything
    that cannot be read whole and as it stands, and for a question only the user can answer.
    """
    settings, found = table or TableSettings(), []
    parts: dict[str, list[pa.Table]] = {}
    untyped: set[str] = set()
    for split, given in paths.items():
        for path in [given] if isinstance(given, Path) else given:
            reading = Reading(str(path))
            for own, rows in read_tables(path, settings, reading).items():
                _check(path, rows)
                parts.setdefault(own or split, []).append(rows)
                reading.count(rows.num_rows)
                reading.columns = reading.columns or rows.column_names
                if reading.delimiter or reading.format in ("CSV", "TSV", "text") or "sheet" in (reading.part or ""):
                    untyped.add(own or split)
            found.append(reading)
    check_used(settings, found)
    if untyped:
        flat = [(split, rows) for split, tables in parts.items() if split in untyped for rows in tables]
        tables = typed([rows for _, rows in flat])
        for split in untyped:
            parts[split] = [rows for (one, _), rows in zip(flat, tables, strict=True) if one == split]
    if readings is not None:
        readings += found
    return {split: _joined(split, paths, tables) for split, tables in parts.items()}


def read_tables(path: Path, settings: TableSettings, reading: Reading) -> dict[str | None, pa.Table]:
    """The tables in a file, by split where the file itself names splits, else under None; those of text untyped."""
    with packed.opened(path) as (file, reading.compression, name):
        head = file.peek(16)[:16]  # type: ignore[attr-defined]  # all of these streams have it
        kind = kinds.kind_of(name, head)
        if kind in ("sqlite", "duckdb"):
            return {None: _of_database(path, kind, settings, reading)}
        data = packed.all_of(path, file, reading.compression)
    if kind == "parquet":
        from .table import arrow

        reading.format = "Parquet"
        return {None: arrow.read_parquet(path, pa.py_buffer(data), reading)}
    if kind == "arrow":
        from .table import arrow

        reading.format = "Arrow"
        return {None: arrow.read_arrow(path, pa.py_buffer(data), reading)}
    if kind == "workbook":
        from .table import sheets

        packed.check_archive(path)
        reading.format = sheets.FORMATS.get(Path(name).suffix.lower(), "an Excel workbook")
        return {None: sheets.read(path, bytes(data), settings, reading)}
    return _of_text(path, name, kind, data, settings, reading)


def _of_database(path: Path, kind: str, settings: TableSettings, reading: Reading) -> pa.Table:
    from .table import databases

    if reading.compression:
        raise UserError(f"{path}: a database can't be read while it is packed; unpack it, and give the file")
    if kind == "sqlite":
        reading.format = "SQLite"
        return databases.read_sqlite(path, settings, reading)
    reading.format = "DuckDB"
    return databases.read_duckdb(path, settings, reading)


def _of_text(
    path: Path, name: str, kind: str | None, data: packed.Bytes, settings: TableSettings, reading: Reading
) -> dict[str | None, pa.Table]:
    suffix = Path(name).suffix.lower()
    try:
        text, reading.encoding = as_utf8(path, data, settings.encoding)
    except UserError:
        if kind is None and suffix not in (".txt", "") and settings.encoding is None:
            raise _unknown(path, suffix) from None
        raise
    first = bytes(memoryview(text)[:4096]).lstrip()
    if not first and not bytes(text).strip():
        raise UserError(f"{path}: the file is empty; it should hold rows")
    if kind is None and first[:1] in (b"{", b"[") and settings.delimiter is None:
        try:
            return _of_json(path, text, reading, lines=False)
        except UserError:  # a line that only begins so
            reading.format, reading.notes = "", []
    if kind in ("json", "lines"):
        return _of_json(path, text, reading, lines=kind == "lines")
    reading.format = "TSV" if suffix in (".tsv", ".tab") else "CSV"
    if kind is None and settings.delimiter is None:
        return {None: _of_anything(path, suffix, text, settings, reading)}
    return {None: delimited.read(path, text, settings, kinds.DELIMITED.get(suffix), reading)}


def _of_json(path: Path, text, reading: Reading, *, lines: bool) -> dict[str | None, pa.Table]:
    found = objects.read(path, str(text, "utf-8"), reading, lines=lines)
    return {split: of_rows(path, rows, reading) for split, rows in found.items()}


def _of_anything(path: Path, suffix: str, text, settings: TableSettings, reading: Reading) -> pa.Table:
    """A table of text, or, where nothing stands in columns, lines of text."""
    table = delimited.read_if_wide(path, text, settings, reading)
    if table is not None:
        return table
    if suffix not in (".txt", ""):
        raise _unknown(path, suffix)
    reading.format = "text"
    return delimited.read_lines(path, text, settings, reading)


def _unknown(path: Path, suffix: str) -> UserError:
    return UserError(
        f"{path}: files that end in {suffix or 'nothing'} cannot be read, and no table stands in it; give one of "
        f"{kinds.FORMATS}"
    )


def _check(path: Path, table: pa.Table) -> None:
    for name in table.column_names:
        if any(unicodedata.category(one) == "Cc" for one in name):
            raise UserError(f"{path}: the column {name!r} has a control character in its name; rename the column")
    if table.num_rows == 0:
        only = f", only {listed(table.column_names)}" if table.column_names else ""
        raise UserError(f"{path}: has no rows{only}; nothing to read")


def check_used(settings: TableSettings, readings: list[Reading]) -> None:
    """Raises UserError for a flag that says something of no file that was read."""
    formats = {reading.format for reading in readings}
    tables = bool(formats & {"CSV", "TSV", "text"})
    books = any("sheet" in (reading.part or "") for reading in readings)
    uses = {
        "delimiter": (tables, "tables of text (CSV)"),
        "quotechar": (tables, "tables of text (CSV)"),
        "header": (tables or books, "tables of text (CSV) and workbooks"),
        "encoding": (bool(formats & set(TEXTS)), "files of text"),
        "sheet": (books, "workbooks (.xlsx, .ods, .xls)"),
        "query": (bool(formats & {"SQLite", "DuckDB"}), "SQLite and DuckDB files"),
    }
    for name, (used, what) in uses.items():
        if getattr(settings, name) is not None and not used:
            raise UserError(f"--{name} is for {what}, which {readings[0].path} is not; leave it out")


def _joined(split: str, paths: Mapping, tables: list[pa.Table]) -> Dataset:
    from .table import arrow

    if len(tables) == 1:
        return arrow.dataset_of(tables[0])
    names = tables[0].column_names
    for number, table in enumerate(tables):
        if set(table.column_names) != set(names):
            raise UserError(
                f"the {split} split's parts have other columns: {listed(names)} and, in part {number + 1}, "
                f"{listed(table.column_names)}; give parts of one table"
            )
    try:
        return arrow.dataset_of(pa.concat_tables(tables, promote_options="permissive"))
    except pa.ArrowException as error:
        raise UserError(f"the {split} split's parts have columns of other types ({error}); write them alike") from None


def read_text(path: Path, table: TableSettings | None = None, reading: Reading | None = None) -> str:
    """The whole file as text, in whatever encoding and however packed; a byte order mark is dropped. Raises UserError
    for what is no file or no text, and where its encoding is not sure."""
    data, compression, _ = packed.contents(path)
    text, encoding = as_utf8(path, data, table.encoding if table else None)
    if reading is not None:
        reading.format, reading.compression, reading.encoding = "text", compression, encoding
    words = str(text, "utf-8")
    if not words.strip("\ufeff \t\r\n"):
        raise UserError(f"{path}: the file is empty; it should hold rows")
    return words
