"""TensorFlow's checkpoints (a tensor bundle: entries in `.index`, numbers in `.data-…`) without TensorFlow.

The table of entries is LevelDB's: blocks of keys that share beginnings with the key before, a block that tells where
those are, and a footer. An entry is a protocol buffer: kind, shape, file, offset, size. TensorFlow compresses none.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data.regular import check_regular
from ..errors import UserError

MAGIC = 0xDB4775248B80FB57
FOOTER, TRAILER = 48, 5  # bytes; a block ends in its compression and a sum
KINDS: dict[int, Any] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<i4"),
    9: np.dtype("<i8"),
    19: np.dtype("<f2"),
}
SMALL = 64 * 2**20  # bytes of a table, at most


class Entry(NamedTuple):
    """Where a tensor lies. `kind` is TensorFlow's number of its type; `sliced`: it lies in several parts."""

    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    sliced: bool


class Damaged(ValueError):
    """A table or an entry that is none."""


def read(prefix: Path) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint by name, mapped from its files; `prefix` is its path without `.index`. Raises
    `UserError` for files that are missing, cut off or damaged, and for tensors that lie in parts."""
    table = prefix.with_name(f"{prefix.name}.index")
    check_regular(table, "TensorFlow checkpoint's index")
    if table.stat().st_size > SMALL:
        raise UserError(
            f"{table} has {table.stat().st_size / 2**20:,.0f} MiB, too many for an index: give another file"
        )
    try:
        rows = dict(_table(table.read_bytes()))
        header = dict(_fields(rows.pop(b"", b"")))
        shards = _number(header.get(1, 1))
        entries = {key.decode(): _entry(value) for key, value in rows.items()}
    except (Damaged, struct.error, UnicodeDecodeError, IndexError):
        raise UserError(f"{table} is no index of a TensorFlow checkpoint, or is damaged: copy it again") from None
    return {name: _mapped(prefix, name, one, shards) for name, one in entries.items()}


def _mapped(prefix: Path, name: str, entry: Entry, shards: int) -> np.ndarray:
    if entry.sliced:
        raise UserError(
            f"{prefix}: {name} lies in several parts, which is not read here: save the checkpoint without partitions"
        )
    if entry.kind not in KINDS:
        return np.empty(0)  # a text or a quantised number, which no weight is
    file = prefix.with_name(f"{prefix.name}.data-{entry.shard:05}-of-{shards:05}")
    check_regular(file, "file of a TensorFlow checkpoint's numbers")
    kind = KINDS[entry.kind]
    count = int(np.prod(entry.shape, dtype=object)) if entry.shape else 1
    if count * kind.itemsize != entry.size or entry.offset + entry.size > file.stat().st_size:
        raise UserError(
            f"{file} is cut off, or is not of {prefix.name}.index: {name} would lie beyond its end; copy it again"
        )
    if not count:
        return np.zeros(entry.shape, kind)
    return np.memmap(file, kind, "r", entry.offset, entry.shape)


def _table(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(raw) < FOOTER or struct.unpack("<Q", raw[-8:])[0] != MAGIC:
        raise Damaged
    place = len(raw) - FOOTER
    for _ in range(2):  # of what is about the blocks
        _, place = _varint(raw, place)
    offset, place = _varint(raw, place)
    size, _ = _varint(raw, place)
    for _, handle in _block(raw, offset, size):
        start, end = _varint(handle, 0)
        yield from _block(raw, start, _varint(handle, end)[0])


def _block(raw: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = raw[offset : offset + size]
    if len(block) != size or size < 4 or raw[offset + size] != 0:  # compressed
        raise Damaged
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]  # where keys stand whole
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + own + length > end:
            raise Damaged
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


def _entry(raw: bytes) -> Entry:
    fields: dict[int, int | bytes] = {}
    sliced = False
    for number, value in _fields(raw):
        sliced |= number == 7
        fields[number] = value
    shape = fields.get(2, b"")
    if not isinstance(shape, bytes):
        raise Damaged
    sizes = tuple(
        _number(dict(_fields(one)).get(1, 0))
        for number, one in _fields(shape)
        if number == 2 and isinstance(one, bytes)
    )
    kind, shard, offset, size = (_number(fields.get(number, 0)) for number in (1, 3, 4, 5))
    return Entry(kind, sizes, shard, offset, size, sliced)


def _number(value: int | bytes) -> int:
    if not isinstance(value, int) or value >= 2**62:
        raise Damaged
    return value


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """A protocol buffer's fields: their numbers, and an integer or bytes."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(raw, place)
            yield tag >> 3, value
            continue
        length, place = _varint(raw, place) if kind == 2 else ({1: 8, 5: 4}.get(kind, len(raw) + 1), place)
        if place + length > len(raw):
            raise Damaged
        yield tag >> 3, raw[place : place + length]
        place += length


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(raw) or shift > 63:
            raise Damaged
        value |= (raw[place] & 127) << shift
        if raw[place] < 128:
            return value, place + 1
        place, shift = place + 1, shift + 7
