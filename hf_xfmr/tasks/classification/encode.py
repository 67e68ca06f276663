"""Checked rows -> the finished columns: tokens, labels and what travels along."""

import sys

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, Features, List, Value

from ...data.encoded import beside, in_memory, in_parts
from ...data.kept_columns import Kept
from ...errors import UserError
from ...tokenizer import chunks, frame, long_texts
from . import overlong
from .overlong import Encoder

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

    def encode(part: dict[str, list]) -> dict[str, list]:
        columns = encoder(part["text"], part.get("text_pair"), names=[f"{source} row {row}" for row in part["row"]])
        columns["cut"] = [kept < tokens for kept, tokens in zip(columns["kept"], columns["tokens"], strict=True)]
        columns["length"] = [_length(row) for row in columns[encoder.columns[0]]]
        return columns

    given = in_memory(rows)
    passengers = {name: rows.features[name] for name in ("text", "text_pair", "id") if name in given.column_names}
    found = kept.columns(
        given.select([name for name in ("text", "text_pair") if name in passengers]),
        [encoder.tokenizer],
        encoder.facts,
        lambda: in_parts(given, encode, made, what=f"tokenizing {split}"),
        code=(sys.modules[__name__], overlong, frame, long_texts, chunks),
    )
    columns = {name: found.column(name) for name in made}
    columns["labels"] = pa.array(labels, Features({"labels": feature}).arrow_schema.field("labels").type)
    return beside(given, columns, Features({**passengers, **made, "labels": feature}))


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
