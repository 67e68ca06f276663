"""Rows of texts to rows of numbers, a part at a time, straight into Arrow columns."""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
from datasets import Dataset, DatasetInfo, Features
from datasets.fingerprint import generate_random_fingerprint
from datasets.table import InMemoryTable

from ..errors import UserError
from ..progress import progress

TOGETHER = 2_000  # rows encoded at a time


def in_memory(rows: Dataset) -> pa.Table:
    """The rows as a table, in their order."""
    return rows.with_format("arrow")[:] if rows._indices is not None else rows.data.table


def in_parts(
    rows: pa.Table, make: Callable[[dict[str, list]], Mapping[str, Sequence]], features: Features, *, what: str
) -> pa.Table:
    """What `make` makes of the columns of each part, as the columns of `features`."""
    schema = features.arrow_schema
    parts = [schema.empty_table()]
    with progress(total=len(rows), what=what, unit="row", leave=False) as bar:
        for start in range(0, len(rows), TOGETHER):
            part = rows.slice(start, TOGETHER)
            made = make({name: part.column(name).to_pylist() for name in part.column_names})
            parts.append(pa.table([pa.array(made[one.name], one.type) for one in schema], schema=schema))
            bar.update(len(part))
    return pa.concat_tables(parts)


def check_ids(rows: Dataset, vocab_size: int | None) -> None:
    """Raises `UserError` if an id reaches the number of the model's embeddings (None: not known yet)."""
    if vocab_size is None:
        return
    if (largest := max(max(ids) for ids in rows["input_ids"][:])) >= vocab_size:
        raise UserError(
            f"the tokenizer gives the id {largest}, beyond the model's {vocab_size} embeddings: use its own tokenizer"
        )


def beside(rows: pa.Table, columns: Mapping[str, pa.Array | pa.ChunkedArray], features: Features) -> Dataset:
    """The columns of `rows` and these, as far as `features` name them and in their order."""
    given = {name: rows.column(name) for name in rows.column_names} | dict(columns)
    table = pa.table([given[name] for name in features], names=list(features)).cast(features.arrow_schema)
    return Dataset(InMemoryTable(table), info=DatasetInfo(features=features), fingerprint=generate_random_fingerprint())
