"""Checked rows -> the finished columns: tokens, labels and what travels along."""

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, Features, List, Value

from ...errors import UserError
from .overlong import Encoder

IDS, TYPES = List(Value("int32")), List(Value("int8"))
TOKENS = {
    "input_ids": IDS,
    "token_type_ids": TYPES,
    "windows": List(IDS),
    "windows_token_type_ids": List(TYPES),
}


def encode_rows(rows: Dataset, labels: list, feature, encoder: Encoder, *, split: str, source: str) -> Dataset:
    """The columns `text`, `text_pair` and `id` as they are, the encoder's, `labels` of this feature, `cut` (bool: the
    encoder left tokens out) and `length` (tokens in all sequences of the row). `source` is the split `row` counts in.
    """

    def encode(batch: dict[str, list], places: list[int]) -> dict[str, list]:
        columns = encoder(batch["text"], batch.get("text_pair"), names=[f"{source} row {row}" for row in batch["row"]])
        columns["cut"] = [kept < tokens for kept, tokens in zip(columns["kept"], columns["tokens"], strict=True)]
        columns["length"] = [len(_flat(row)) for row in columns[encoder.columns[0]]]
        columns["labels"] = [labels[place] for place in places]
        return columns

    passengers = {name: rows.features[name] for name in ("text", "text_pair", "id") if name in rows.column_names}
    tokens = {name: TOKENS[name] for name in encoder.columns}
    counts = {"length": Value("int32"), "tokens": Value("int32"), "kept": Value("int32")}
    return rows.map(
        encode,
        batched=True,
        with_indices=True,
        remove_columns=["label", "row"],
        features=Features({**passengers, **tokens, **counts, "cut": Value("bool"), "labels": feature}),
        keep_in_memory=True,
        load_from_cache_file=False,  # the cache's key knows the settings, but not this code
        desc=f"Tokenizing {split}",
    )


def _flat(row: list) -> list[int]:
    return [one for window in row for one in window] if isinstance(row[0], list) else row


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
