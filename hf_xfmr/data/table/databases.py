"""SQLite and DuckDB files: the rows of one SELECT, or of the only table."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from ...errors import UserError
from ..wording import listed, short
from .arrow import plain
from .columns import of_rows
from .heading import unique
from .reading import Reading
from .settings import TableSettings

HINT = "say which rows with --query, as in --query 'SELECT * FROM {}'"


def read_sqlite(path: Path, settings: TableSettings, reading: Reading) -> pa.Table:
    """Raises UserError for a damaged file, a query that fails, and, asking for --query, for several tables."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        try:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            known = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            tables = [name for (name,) in connection.execute(f"{known} ORDER BY name")]
            cursor = connection.execute(_query(path, settings, tables, reading))
            if cursor.description is None:
                raise UserError(f"{path}: --query is no SELECT, so it has no rows; give one that has")
            notes: list[str] = []
            names, _ = unique([column[0] for column in cursor.description], notes)
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise UserError(f"{path}: {_fault(settings)} ({' '.join(str(error).split())})") from None
    for note in notes:
        reading.note(note)
    if not rows:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    return plain(of_rows(path, rows, reading), reading)


def read_duckdb(path: Path, settings: TableSettings, reading: Reading) -> pa.Table:
    """Raises UserError as `read_sqlite`, and without duckdb."""
    try:
        import duckdb
    except ImportError:
        raise UserError(
            f"{path}: reading DuckDB files needs duckdb: pip install 'hf_xfmr[tables]', or write the table as Parquet"
        ) from None
    try:
        # The file alone: a query reads nothing else of this machine, and nothing from elsewhere.
        connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
        try:
            tables = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
            table: pa.Table = connection.execute(_query(path, settings, sorted(tables), reading)).to_arrow_table()  # type: ignore[assignment]
        finally:
            connection.close()
    except duckdb.Error as error:
        raise UserError(f"{path}: {_fault(settings)} ({' '.join(str(error).split())[:300]})") from None
    notes: list[str] = []
    names, _ = unique(table.column_names, notes)
    for note in notes:
        reading.note(note)
    return plain(table.rename_columns(names), reading)


def _query(path: Path, settings: TableSettings, tables: list[str], reading: Reading) -> str:
    if settings.query is not None:
        reading.part = f"rows of {short(settings.query, 80)}"
        return settings.query
    if not tables:
        raise UserError(f"{path}: the database has no table in it; nothing to read")
    if len(tables) > 1:
        raise UserError(f"{path}: the database has the tables {listed(tables)}; {HINT.format(_name(tables[0]))}")
    reading.part = f'table "{tables[0]}"'
    reading.note("the only table of the database")
    return f"SELECT * FROM {_name(tables[0])}"


def _name(table: str) -> str:
    return table if table.isidentifier() else '"' + table.replace('"', '""') + '"'


def _fault(settings: TableSettings) -> str:
    return "is not a readable database" if settings.query is None else "--query fails"
