"""Checked pairs -> the finished columns: the ids of both sides, and what is done with pairs that are too long."""

import sys

import numpy as np
from datasets import Dataset, DatasetDict, Features, List, Value

from ...data.encoded import beside, in_memory, in_parts
from ...data.kept_columns import Kept
from ...data.wording import at
from ...errors import UserError
from ...tokenizer import long_texts
from . import tokenizer_pair
from .tokenizer_pair import TokenizerPair

IDS = List(Value("int32"))


def encode_pairs(
    rows: Dataset,
    tokenizers: TokenizerPair,
    max_length: int,
    over_long: str,
    *,
    split: str,
    origin: str,
    notes: list[str],
    kept: Kept,
) -> Dataset:
    """The columns `input_ids`, `labels` and `length` beside those of the pairs. A pair longer than `max_length` is
    dropped or cut, which is noted, or refused. `origin` is the split that `row` counts in. Ids are taken from `kept`,
    where it knows these texts."""

    def encode(part: dict[str, list]) -> dict[str, list]:
        source, target = tokenizers.source_ids(part["source"]), tokenizers.target_ids(part["target"])
        lengths = [max(map(len, pair)) for pair in zip(source, target, strict=True)]
        return {"input_ids": source, "labels": target, "length": lengths}

    given, made = in_memory(rows), Features({"input_ids": IDS, "labels": IDS, "length": Value("int32")})
    found = kept.columns(
        given.select(["source", "target"]),
        [tokenizers.source, tokenizers.target],
        {},
        lambda: in_parts(given, encode, made, what=f"tokenizing {split}"),
        code=(sys.modules[__name__], tokenizer_pair, long_texts),
    )
    passengers = {name: rows.features[name] for name in ("source", "target", "id", "row")}
    encoded = beside(given, {name: found.column(name) for name in made}, Features({**passengers, **made}))
    lengths = np.array(encoded["length"][:])
    long = np.flatnonzero(lengths > max_length)
    if not len(long):
        return encoded.remove_columns("row")
    places = at(origin, [encoded[int(row)]["row"] for row in long[:6]])
    if over_long == "error":
        raise UserError(
            f"{len(long):,} of {len(rows):,} {split} pairs are longer than max_length {max_length} tokens, up to "
            f"{lengths.max():,}: {places}; shorten them, raise max_length, or set over_long to drop or cut"
        )
    word = "dropped" if over_long == "drop" else "cut"
    notes.append(
        f"{word}: {len(long):,} of {len(rows):,} {split} pairs, longer than max_length {max_length} tokens (over_long: "
        f"{over_long}); the longest has {lengths.max():,}"
    )
    if over_long == "drop":
        encoded = encoded.select(np.flatnonzero(lengths <= max_length))
        if not len(encoded):
            raise UserError(f"every {split} pair is longer than max_length {max_length} tokens; raise it")
    else:

        def cut(pair: dict) -> dict:
            sides = {
                side: pair[side] if len(pair[side]) <= max_length else [*pair[side][: max_length - 1], pair[side][-1]]
                for side in ("input_ids", "labels")
            }
            return {**sides, "length": min(max_length, pair["length"])}

        encoded = encoded.map(cut, keep_in_memory=True, load_from_cache_file=False, desc=f"Cutting {split}")
    return encoded.remove_columns("row")


def check_ids(splits: DatasetDict, vocab_sizes: tuple[int, int]) -> None:
    """Raises `UserError` if an id reaches the number of the model's embeddings, of source and target."""
    for split, rows in splits.items():
        for side, size in zip(("input_ids", "labels"), vocab_sizes, strict=True):
            largest = max(map(max, rows[side][:]))
            if largest >= size:
                raise UserError(
                    f"the tokenizer gives the id {largest} in {split}, beyond the model's embedding of {size} rows; "
                    "use the checkpoint's own tokenizer"
                )


def length_lines(rows: Dataset) -> list[str]:
    """How long the sentences of train are, on either side."""
    lines = []
    for side, name in (("input_ids", "source"), ("labels", "target")):
        lengths = np.array([len(ids) for ids in rows[side][:]])
        p50, p90 = np.percentile(lengths, (50, 90), method="inverted_cdf")
        lines.append(
            f"{name} of train: {lengths.sum():,} tokens; median {p50:,} a sentence, 90 % up to {p90:,}, longest "
            f"{lengths.max():,}"
        )
    return lines


def unknown_line(rows: Dataset, tokenizers: TokenizerPair) -> str:
    """Much that is unknown means tokenizers of another language."""
    shares = []
    for side, tokenizer in (("input_ids", tokenizers.source), ("labels", tokenizers.target)):
        ids = np.concatenate([np.asarray(one) for one in rows[side][:]])
        shares.append(
            100 * float((ids == tokenizer.unk_token_id).mean()) if tokenizer.unk_token_id is not None else 0.0
        )
    return f"unknown to the tokenizer: {shares[0]:.2f} % of the source's tokens, {shares[1]:.2f} % of the target's"
