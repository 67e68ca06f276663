"""A hash of all rows of a dataset: of what they hold, not of how it lies in memory or on disk."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import xxhash


def hash_of(rows: Any) -> str | None:
    """16 hexadecimal digits of rows with numbers; None where a row is another each time it is asked for.

    A `datasets.Dataset` is read column by column as it lies there, a few tenths of a second for a million rows; rows
    that have a `row_hash()` of their own are asked for it; others are read one by one.
    """
    if isinstance(rows, datasets.Dataset):
        return of_table(rows.data.table, rows._indices)
    if hasattr(rows, "row_hash"):
        return rows.row_hash()
    some = range(min(10, len(rows)))
    if _json(rows[place] for place in some) != _json(rows[place] for place in some):
        return None
    return _json(rows[place] for place in range(len(rows)))


class Passing:
    """A hash of rows while they pass: of their number and of what each of them holds."""

    def __init__(self) -> None:
        self.rows, self._sha = 0, xxhash.xxh3_128()

    def add(self, row: Any) -> None:
        """A row of a stream: numbers, texts and arrays, in mappings and lists."""
        self.rows += 1
        self._sha.update(json.dumps(row, sort_keys=True, default=_plain).encode())
        self._sha.update(b"\n")

    @property
    def hash(self) -> str:
        """16 hexadecimal digits of the rows until now."""
        return self._sha.hexdigest()[:16]


def of_arrays(rows: Iterable) -> str:
    """The hash of rows that are arrays, or tuples or lists of them."""
    sha = xxhash.xxh3_128()
    for one in _arrays(rows):
        sha.update(f"{one.dtype}{one.shape}".encode())
        sha.update(np.ascontiguousarray(one).data)
    return sha.hexdigest()[:16]


def _arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _arrays(one)
    else:
        yield np.asarray(value)


def _json(items) -> str:
    sha = xxhash.xxh3_128()
    for item in items:
        sha.update(json.dumps(item, sort_keys=True, default=_plain).encode())
    return sha.hexdigest()[:16]


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else type(value).__name__


def of_table(table: pa.Table, chosen: Any = None) -> str:
    """The hash of a table, or of the rows whose places the table `chosen` has in its only column."""
    streams: dict[str, Any] = {}
    for name in sorted(table.column_names):
        for chunk in table.column(name).chunks:
            _add(streams, name, chunk)
    if chosen is not None:  # the places, in their order: gathering the rows takes longer
        for chunk in chosen.column(0).chunks:
            _add(streams, "chosen rows", chunk)
    whole = xxhash.xxh3_128()
    for name, one in sorted(streams.items()):
        whole.update(f"{name} {one if isinstance(one, int) else one.hexdigest()} ".encode())
    return whole.hexdigest()[:16]


def _add(streams: dict[str, Any], name: str, array: pa.Array) -> None:
    """Each part of a column has a hash of its own, so that it does not matter where the column is cut into chunks."""

    def add(part: str, data) -> None:
        streams.setdefault(f"{name}.{part}", xxhash.xxh3_128()).update(data)

    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _add(streams, name, array.storage)
    before = streams.get(f"{name}#", 0)  # values in the chunks before this one
    streams[f"{name}#"] = before + len(array)
    if array.null_count:
        add("nulls", (np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)) + before).data)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        add("lengths", lengths.astype(np.int64).data)
        _add(streams, f"{name}[]", array.flatten())
    elif pa.types.is_struct(kind):
        for place, field in enumerate(kind):
            _add(streams, f"{name}.{field.name}", array.field(place).slice(0))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        wide = np.int64 if pa.types.is_large_string(kind) else np.int32
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, wide)[array.offset : array.offset + len(array) + 1]
        add("lengths", np.diff(places).astype(np.int64).data)
        if data is not None:
            add("bytes", memoryview(data)[int(places[0]) : int(places[-1])])
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        filled = array.fill_null(0) if array.null_count else array
        add(str(kind), np.ascontiguousarray(filled.to_numpy(zero_copy_only=False)).data)
    else:  # booleans, dates and the like: rare in what is trained on
        add(str(kind), json.dumps(array.to_pylist(), default=str).encode())
    return None
