"""The tokens of many texts as a table, which is how they are kept on disk."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from . import chunks, cuts, long_texts
from .long_texts import Tokens, tokens_of

TOGETHER = 2_000  # texts that are turned into Arrow at a time


def kept_tokens(texts: Iterable[str], tokenizer: Any, kept: Any, *, offsets: bool = False) -> Iterable[Tokens] | None:
    """The tokens of each text, as `tokens_of`, found or left by `kept` (`data.kept_columns.Kept`); None where it keeps
    none of these. `texts` can be read several times, and so can what is returned."""
    table = kept.of_texts(
        texts,
        [tokenizer],
        {"offsets": offsets},
        lambda: table_of(tokens_of(texts, tokenizer, offsets=offsets)),
        code=(sys.modules[__name__], long_texts, cuts, chunks),
    )
    return None if table is None else _Rows(table)


class _Rows:
    """A table of tokens that can be read several times."""

    def __init__(self, table: pa.Table):
        self.table = table

    def __iter__(self) -> Iterator[Tokens]:
        return tokens_in(self.table)


def kept_numbers(
    texts: Iterable[str],
    tokenizer: Any,
    kept: Any,
    settings: Mapping[str, Any],
    make: Callable[[], Iterable[np.ndarray]],
    *,
    code: Iterable[ModuleType],
) -> Iterator[np.ndarray] | None:
    """What else is made of each text's tokens, int32 numbers [n] by `make`, found or left by `kept` as above."""
    table = kept.of_texts(
        texts,
        [tokenizer],
        settings,
        lambda: table_of(Tokens(numbers.tolist(), (), ()) for numbers in make()),
        code=(sys.modules[__name__], *code),
    )
    return None if table is None else (np.asarray(one.ids) for one in tokens_in(table))


def table_of(tokens: Iterable[Tokens]) -> pa.Table:
    """A row for each text, with the columns of `Tokens`, lists of int32 each (a book's may be longer than 2^31)."""
    schema = pa.schema([(name, pa.large_list(pa.int32())) for name in Tokens._fields])
    parts, rest = [schema.empty_table()], iter(tokens)
    while some := list(islice(rest, TOGETHER)):
        columns = [_lists([getattr(one, name) for one in some]) for name in Tokens._fields]
        parts.append(pa.table(columns, schema=schema))
    return pa.concat_tables(parts)


def tokens_in(table: pa.Table) -> Iterator[Tokens]:
    """What `table_of` was given, of NumPy's int32 in place of lists; a row is a view of the table's memory."""
    for batch in table.to_batches():
        columns = []
        for name in Tokens._fields:
            column = batch.column(name)
            places = column.offsets.to_numpy(zero_copy_only=False)
            columns.append((column.values.to_numpy(zero_copy_only=False), places))
        for row in range(len(batch)):
            yield Tokens(*(values[places[row] : places[row + 1]] for values, places in columns))


def _lists(rows: list) -> pa.Array:
    places = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    flat = np.empty(places[-1], np.int32)
    for row, start, stop in zip(rows, places, places[1:], strict=False):
        flat[start:stop] = row
    return pa.LargeListArray.from_arrays(pa.array(places), pa.array(flat))
