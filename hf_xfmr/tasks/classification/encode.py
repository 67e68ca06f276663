"""Checked rows -> the finished columns: tokens, labels and what travels along."""

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetInfo, Features, List, Value
from datasets.fingerprint import generate_random_fingerprint
from datasets.table import InMemoryTable

from ...data.kept_columns import Kept
from ...errors import UserError
from ...progress import progress
from ...tokenizer import chunks, frame, long_texts
from . import overlong
from .overlong import Encoder

TOGETHER = 2_000  # rows encoded at a time

IDS, TYPES = List(Value("int32")), List(Value("int8"))
TOKENS = {
    "input_ids": IDS,
    "token_type_ids": TYPES,
    "windows": List(IDS),
    "windows_token_type_ids": List(TYPES),
}


def encode_rows(
    rows: Dataset, labels: list, feature, encoder: Encoder, *, split: str, source: str, kept: Kept
) -> Dataset:
    """The columns `text`, `text_pair` and `id` as they are, the encoder's, `labels` of this feature, `cut` (bool: the
    encoder left tokens out) and `length` (tokens in all sequences of the row). `source` is the split `row` counts in.
    What the encoder makes is taken from `kept`, where it knows these texts.
    """
    tokens = {name: TOKENS[name] for name in encoder.columns}
    made = Features({**tokens, **dict.fromkeys(("tokens", "kept", "length"), Value("int32")), "cut": Value("bool")})
    given = _in_memory(rows)
    texts = given.select([name for name in ("text", "text_pair") if name in given.column_names])
    encoded = kept.columns(
        texts,
        encoder.tokenizer,
        encoder.facts,
        lambda: _encoded(given, encoder, made.arrow_schema, split=split, source=source),
        code=(overlong, frame, long_texts, chunks),
    )
    passengers = [name for name in ("text", "text_pair", "id") if name in given.column_names]
    features = Features({**{name: rows.features[name] for name in passengers}, **made, "labels": feature})
    columns = [*given.select(passengers).columns, *encoded.columns]
    columns.append(pa.array(labels, features.arrow_schema.field("labels").type))
    table = pa.table(columns, names=list(features)).cast(features.arrow_schema)
    return Dataset(InMemoryTable(table), info=DatasetInfo(features=features), fingerprint=generate_random_fingerprint())


def _in_memory(rows: Dataset) -> pa.Table:
    return rows.with_format("arrow")[:] if rows._indices is not None else rows.data.table


def _encoded(rows: pa.Table, encoder: Encoder, schema: pa.Schema, *, split: str, source: str) -> pa.Table:
    """A part of the rows at a time."""
    parts = []
    with progress(total=len(rows), what=f"tokenizing {split}", unit="row", leave=False) as bar:
        for start in range(0, len(rows), TOGETHER):
            part = rows.slice(start, TOGETHER)
            columns = {name: part.column(name).to_pylist() for name in part.column_names}
            names = [f"{source} row {row}" for row in columns["row"]]
            found = encoder(columns["text"], columns.get("text_pair"), names=names)
            found["cut"] = [kept < tokens for kept, tokens in zip(found["kept"], found["tokens"], strict=True)]
            found["length"] = [_length(row) for row in found[encoder.columns[0]]]
            parts.append(pa.table([pa.array(found[name], kind) for name, kind in _types(schema)], schema=schema))
            bar.update(len(part))
    return pa.concat_tables(parts)


def _types(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema]


def _length(row: list) -> int:
    return sum(map(len, row)) if isinstance(row[0], list) else len(row)


def all_ids(rows: Dataset) -> pa.ChunkedArray:
    """Every token id of the encoded rows, in all their windows, special tokens too, as one flat column."""
    ids = rows.data.column("windows" if "windows" in rows.column_names else "input_ids")
    while not pa.types.is_integer(ids.type):
        ids = pc.list_flatten(ids)
    return ids


def check_ids(rows: Dataset, tokenizer, vocab_size: int | None) -> None:
    """Raise UserError if an id of the encoded rows is `vocab_size`, the number of the model's embeddings, or more."""
    if vocab_size is None:
        return
    if beyond := sorted(one for one in pc.unique(all_ids(rows)).to_pylist() if one >= vocab_size):
        found = ", ".join(f'{one} "{tokenizer.convert_ids_to_tokens(one)}"' for one in beyond[:5])
        more = f" and {len(beyond) - 5:,} more" if len(beyond) > 5 else ""
        raise UserError(
            f"the tokenizer gives ids beyond the embedding, whose last is {vocab_size - 1}: {found}{more}; use the "
            "checkpoint's own tokenizer, or enlarge the embedding by model.resize_token_embeddings(len(tokenizer))"
        )
