"""Parquet, Arrow and Feather files, and tables of Python's libraries: texts are texts, whatever they are kept in."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet as pq
import xxhash
from datasets import Dataset, DatasetDict
from datasets.features.features import generate_from_arrow_type
from datasets.table import InMemoryTable

from ...errors import UserError
from ...plain import one_line
from ..wording import listed, short
from .columns import of_rows
from .reading import Reading

INDEX = "__index_level_0__"  # what pandas calls the index it keeps


def read_parquet(path: Path, source: Path | pa.Buffer, reading: Reading) -> pa.Table:
    """Raises UserError for what is no Parquet file."""
    try:
        file = pa.BufferReader(source) if isinstance(source, pa.Buffer) else source
        return plain(pq.read_table(file), reading)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: is not a readable Parquet file ({error}); write or download it again") from None


def read_arrow(path: Path, source: pa.Buffer, reading: Reading) -> pa.Table:
    """An IPC file or stream, or Feather. Raises UserError for what is none."""
    try:
        if source.slice(0, 6).to_pybytes() == b"ARROW1":
            table = pa.ipc.open_file(source).read_all()
        elif source.slice(0, 4).to_pybytes() == b"FEA1":
            table = pyarrow.feather.read_table(pa.BufferReader(source))
        else:
            table = pa.ipc.open_stream(source).read_all()
        return plain(table, reading)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: is not a readable Arrow file ({one_line(error)}); write it again") from None


def plain(table: pa.Table, reading: Reading) -> pa.Table:
    """The table with its texts as string or large_string, its decimals as numbers, and no index of pandas'.

    Raises UserError for two columns of one name, and for one of a type that datasets does not know.
    """
    if INDEX in table.column_names:
        table = table.drop_columns([INDEX])
        reading.note("pandas' index is left out")
    if twice := sorted({name for name in table.column_names if table.column_names.count(name) > 1}):
        raise UserError(f"{reading.path}: {listed(twice)} names several columns; rename one of them")
    for place, field in enumerate(table.schema):
        column = _plain(table.column(place))
        if column is not table.column(place) and column.type != field.type:
            table = table.set_column(place, field.with_type(column.type), column)
            if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
                reading.note(f'the bytes of column "{short(field.name)}" are texts')
            elif pa.types.is_decimal(field.type):
                reading.note(f'the decimals of column "{short(field.name)}" are numbers')
            elif pa.types.is_uint64(field.type) and pa.types.is_string(column.type):
                reading.note(f'column "{short(field.name)}" has whole numbers beyond 9.2e18, and is read as texts')
        _check_type(reading.path, field.name, column.type)
    return table


def _check_type(path: str, name: str, kind: pa.DataType) -> None:
    try:
        generate_from_arrow_type(kind)
    except ValueError:
        raise UserError(
            f'{path}: column "{short(name)}" is of the type {short(str(kind), 60)}, which no data set can hold; write '
            "it as texts, numbers or lists of them, or leave it out"
        ) from None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if kind == pa.string_view():
        return column.cast(pa.string())
    if kind == pa.binary_view():
        return _plain(column.cast(pa.binary()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            texts = column.cast(pa.string() if pa.types.is_binary(kind) else pa.large_string())
        except pa.ArrowException:  # bytes that are no text
            return column
        return texts
    if pa.types.is_decimal(kind):
        whole = kind.scale <= 0 or pc.all(pc.equal(column, pc.round(column))).as_py() is not False
        try:
            return column.cast(pa.int64()) if whole and kind.scale <= 0 else column.cast(pa.float64())
        except pa.ArrowException:
            return column
    if pa.types.is_uint64(kind):
        try:
            return column.cast(pa.int64())
        except pa.ArrowException:
            return column.cast(pa.string())
    if kind == pa.null():
        return column
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    return column


def dataset_of(table: pa.Table) -> Dataset:
    """The table as a dataset; what its file says of features is kept where it is still so."""
    fingerprint = _fingerprint(table)  # datasets' own pickles the table: twice its memory, and longer than reading it
    try:
        return Dataset(InMemoryTable(table), fingerprint=fingerprint)
    except Exception:  # features that its columns no longer have, or of a version of datasets that knows others
        return Dataset(InMemoryTable(table.replace_schema_metadata(None)), fingerprint=fingerprint)


def _fingerprint(table: pa.Table) -> str:
    """A hash of the table's names, types and values, the same for the same ones: what datasets' cache goes by."""
    found = xxhash.xxh64(str(table.schema).encode())
    for column in table.columns:
        for chunk in column.chunks:
            found.update(f"{chunk.offset},{len(chunk)}".encode())
            for buffer in chunk.buffers():
                found.update(b"" if buffer is None else memoryview(buffer))
    return found.hexdigest()


def of_object(data: Any, readings: list[Reading]) -> dict[str, Dataset]:
    """The splits of a `Dataset`, `DatasetDict`, DataFrame (pandas', polars'), Arrow table, or a dict of these by split;
    a dict of columns or a list of rows is a table too. Raises UserError for anything else."""
    if isinstance(data, DatasetDict):
        return dict(data)
    if isinstance(data, dict) and data and not all(isinstance(one, list | tuple) for one in data.values()):
        return {str(split): _dataset(one, f'split "{split}"', readings) for split, one in data.items()}
    return {"train": _dataset(data, "data", readings)}


def _dataset(data: Any, name: str, readings: list[Reading]) -> Dataset:
    if isinstance(data, Dataset):
        return data
    kind = type(data)
    reading = Reading(name, f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
    if isinstance(data, dict) and all(isinstance(one, list | tuple) for one in data.values()):
        widths = {len(one) for one in data.values()}
        if len(widths) > 1:
            raise UserError(f"{name}: its columns have {sorted(widths)} values; they must have as many each")
        data = [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
        reading.format = "a dict of columns"
    elif isinstance(data, list | tuple):
        reading.format = "a list of rows"
    if isinstance(data, list | tuple):
        if not all(isinstance(row, dict) for row in data):
            raise UserError(f"{name}: a list of rows holds a dict for each, with the columns as its keys")
        table = of_rows(name, list(data), reading)
    elif kind.__name__ == "Series":  # which gives a stream too, of no table
        raise UserError(f"{name} is a {reading.format}, a single column; give a DataFrame of all columns")
    elif hasattr(data, "__arrow_c_stream__"):
        names = list(getattr(data, "columns", [])) if hasattr(data, "columns") else []
        if any(not isinstance(one, str | pa.ChunkedArray | pa.Array) for one in names):
            raise UserError(f"{name}: the column {names[0]!r} has no text as its name; rename the columns")
        try:
            table = pa.table(data)
        except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
            raise UserError(
                f"{name}: the {reading.format} can't be read ({one_line(error)}); mend that column"
            ) from None
        table = plain(table, reading)
    else:
        raise UserError(
            f"{name} is a {reading.format}, which can't be read; give a name, a Dataset, a DataFrame, an Arrow table, "
            "or a dict of these by split"
        )
    if table.num_rows == 0:
        raise UserError(f"{name}: has no rows; nothing to read")
    reading.rows, reading.columns = table.num_rows, table.column_names
    readings.append(reading)
    return dataset_of(table)
