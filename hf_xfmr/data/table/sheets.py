"""Workbooks of spreadsheets (.xlsx, .xls, .ods): one sheet's rows, as a table of text."""

import datetime
import io
from pathlib import Path

import pyarrow as pa

from ...errors import UserError
from ..wording import listed, short
from . import dialect, heading
from .reading import Reading
from .settings import TableSettings

FORMATS = {".xls": "an Excel 97 workbook", ".ods": "an OpenDocument sheet"}


def read(path: Path, data: bytes, settings: TableSettings, reading: Reading) -> pa.Table:
    """The rows of the sheet that the user named, or of the only one that has rows; every column as texts.

    Raises UserError for a workbook that can't be read, and, asking for --sheet, where several sheets have rows.
    """
    try:
        import python_calamine
    except ImportError:
        raise UserError(
            f"{path}: reading workbooks needs python-calamine: pip install 'hf_xfmr[tables]', or save the sheet as CSV"
        ) from None
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
        if settings.sheet is not None and settings.sheet not in names:
            raise UserError(f"{path}: --sheet is '{short(settings.sheet)}', but its sheets are {listed(names)}")
        wanted = names if settings.sheet is None else [settings.sheet]
        sheets = {name: _rows(book.get_sheet_by_name(name)) for name in wanted}
    except UserError:
        raise
    except Exception as error:  # calamine has a class for each format, and panics of what it did not expect
        raise UserError(
            f"{path}: is not a readable workbook ({' '.join(str(error).split())}); save it again, or as CSV"
        ) from None
    filled = {name: rows for name, rows in sheets.items() if rows}
    if not filled:
        raise UserError(f"{path}: has no rows in {listed(wanted)}; nothing to read")
    if len(filled) > 1:
        raise UserError(
            f"{path}: the sheets {listed(filled)} have rows; say which with --sheet, as in "
            f"--sheet '{next(iter(filled))}'"
        )
    ((reading.part, rows),) = filled.items()
    reading.part = f'sheet "{reading.part}"'
    if others := [name for name in names if name not in filled and settings.sheet is not None]:
        reading.note(f"not read: the sheets {listed(others)}")
    return of_records(path, rows, settings, reading)


def _rows(sheet) -> list[list[str]]:
    rows = [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=True)]
    return [row for row in rows if any(cell.strip() for cell in row)]


def _text(cell) -> str:
    """A cell as CSV would have it."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return "" if cell is None else str(cell)


def of_records(path: Path, rows: list[list[str]], settings: TableSettings, reading: Reading) -> pa.Table:
    """A table of rows of texts, of which the first may be a title and names."""
    top = heading.find(path, rows[: dialect.ROWS], settings.header)
    names, unnamed = heading.unique(top.names if top.names is not None else heading.numbered(top.width), top.notes)
    for note in top.notes:
        reading.note(note)
    reading.header = top.names is not None
    body = rows[top.skipped :]
    columns = list(zip(*body, strict=True)) if body else [()] * len(names)
    empty = [name for name, column in zip(names, columns, strict=True) if name in unnamed and not any(column)]
    if empty:
        reading.note(f"{len(empty)} empty column{'s' * (len(empty) > 1)} without a name left out")
    kept = [(name, column) for name, column in zip(names, columns, strict=True) if name not in empty]
    if called := [name for name, _ in kept if name in unnamed]:
        reading.note(f"a column without a name is called {listed(called)}")
    return pa.table({name: pa.array(column, pa.string()) for name, column in kept})
