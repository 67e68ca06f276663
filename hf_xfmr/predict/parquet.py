"""Predictions as Parquet. A Parquet file ends with what says where its parts lie, so that it can't grow: until the last
row is there the answers are an Arrow stream, which can be cut off after any batch and gone on with."""

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..data.table import arrow
from ..data.table.reading import Reading
from ..data.table.rows import FIRST, kind_of
from ..errors import UserError
from ..plain import one_line
from ..writing import whole
from . import keep
from .keep import as_text
from .row import Columns

ROWS, BYTES = 65_536, 64 * 2**20  # of a row group at most
ENTITY = pa.struct(
    [
        *(pa.field(name, pa.string()) for name in ("type", "text")),
        *(pa.field(name, pa.int64()) for name in ("start", "end")),
        pa.field("probability", pa.float64()),
    ]
)


class Parquet:
    """How answers are written: columns of texts, probabilities as float64, entities as a list of structs, and the kept
    columns of a Parquet file with their own types; of other files they are texts."""

    is_table = True

    def __init__(self, columns: Sequence[str], kept: Sequence[str], types: dict[str, pa.DataType]):
        self.texts = [name for name in kept if name not in types]
        self.schema = pa.schema([pa.field(name, types.get(name) or self._type(name, kept)) for name in columns])

    @staticmethod
    def _type(name: str, kept: Sequence[str]) -> pa.DataType:
        if (
            name in kept
            or name in ("id", "text", "text_pair", "label", "answer", "error")
            or re.fullmatch(r"top\d+", name)
        ):
            return pa.string()
        if name in ("start", "end"):
            return pa.int64()
        return pa.list_(ENTITY) if name == "entities" else pa.float64()

    def head(self) -> bytes:
        return self.schema.serialize().to_pybytes()

    def lines(self, answers: list[dict]) -> bytes:
        """Raises `UserError` for a kept value that is not of its column's type."""
        rows = [{**one, **{name: as_text(one.get(name)) for name in self.texts}} for one in answers]
        try:
            return pa.RecordBatch.from_pylist(rows, self.schema).serialize().to_pybytes()
        except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
            raise UserError(
                f"the answers from row {answers[0].get('id')} on do not fit into Parquet ({one_line(error)}): leave "
                "the column out of --keep, or write .jsonl"
            ) from None

    def finish(self, partial: Path, path: Path) -> None:
        """The stream as a Parquet file, in row groups, never whole in memory."""
        with whole(path) as aside, partial.open("rb") as file, pq.ParquetWriter(aside, self.schema) as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in pa.ipc.open_stream(file):
                waiting.append(batch)
                if sum(one.num_rows for one in waiting) >= ROWS or sum(one.nbytes for one in waiting) >= BYTES:
                    writer.write_table(pa.Table.from_batches(waiting, self.schema), row_group_size=ROWS)
                    waiting = []
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting, self.schema), row_group_size=ROWS)


def types_of(file: Path | str | None, columns: Columns, kept: Sequence[str]) -> dict[str, pa.DataType]:
    """The types of the `kept` columns, which --keep names in `columns`, where the input is Parquet; else none."""
    if not kept or file is None or kind_of(Path(file))[0] != "parquet":
        return {}
    with pq.ParquetFile(file) as source:
        first = next(source.iter_batches(FIRST), None)
    if first is None:
        return {}
    schema = arrow.plain(pa.Table.from_batches([first]), Reading(str(file))).schema
    names = keep.resolved(columns.keep, schema.names, (), str(file))  # more of `all` than is kept, and no harm
    return {new: schema.field(old).type for old, new in names if new in kept}
