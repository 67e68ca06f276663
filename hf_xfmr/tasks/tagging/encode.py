"""Checked sentences -> the rows a model reads: ids, the label of each piece, and whose pieces they are; and batches."""

from collections.abc import Iterator, Sequence

import torch
from datasets import Dataset, Features, List, Value
from torch.nn.utils.rnn import pad_sequence

from ...data.kept_columns import Kept
from ...errors import UserError
from ...tokenizer.token_table import kept_tokens
from .alignment import Aligned, align, piece_labels, word_tags
from .schemes import entities


def encode_sentences(
    split: str, sentences: Dataset, tokenizer, labels: list[str], *, longest: int, report: list[str], kept: Kept
) -> Dataset:
    """The model's rows of a split's sentences, of at most `longest` tokens. What became of them goes to `report`.
    Tokens are taken from `kept`, where it knows these sentences."""
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    if cls is None or sep is None:
        raise UserError(
            f"{type(tokenizer).__name__} has no tokens for the beginning and end of a text ([CLS] and [SEP], or <s> "
            "and </s>): use an encoder's tokenizer"
        )
    index = {name: number for number, name in enumerate(labels)}
    tags = sentences["tags"][:]
    rows, hidden, divided, unknown, pieces = [], 0, 0, 0, 0
    for number, (aligned, gold) in enumerate(zip(_aligned(sentences, tokenizer, kept), tags, strict=True)):
        ids = piece_labels(aligned, gold, index)
        hidden += len({*entities(gold)} - {*_seen(aligned, ids, labels, len(gold))})
        pieces, unknown = pieces + len(ids), unknown + aligned.ids.count(tokenizer.unk_token_id)
        spans = list(_parts(aligned, longest - 2))
        divided += len(spans) > 1
        for start, stop in spans:
            rows.append(
                {
                    "input_ids": [cls, *aligned.ids[start:stop], sep],
                    "labels": [-100, *ids[start:stop], -100],
                    "word": aligned.word[start:stop],
                    "sentence": number,
                }
            )
    report.append(
        f"tokens of {split}: {pieces:,} ({unknown / max(pieces, 1):.2%} unknown); {divided:,} sentences longer than "
        f"max_length {longest} go on in another row; {hidden:,} entities begin or end inside a token and can't be found"
    )
    features = {name: List(Value("int32")) for name in ("input_ids", "labels", "word")} | {"sentence": Value("int32")}
    return Dataset.from_list(rows, features=Features(features))


def _aligned(sentences: Dataset, tokenizer, kept: Kept) -> Iterator[Aligned]:
    known = kept_tokens(sentences["text"][:], tokenizer, kept, offsets=True)
    tokens = None if known is None else iter(known)
    for start in range(0, len(sentences), 1000):
        some = sentences[start : start + 1000]
        yield from align(some["text"], some["starts"], tokenizer, tokens)


def _seen(aligned: Aligned, ids: list[int], labels: list[str], length: int):
    return entities(word_tags(aligned.word, [labels[one] for one in ids], length))


def _parts(aligned: Aligned, room: int) -> Iterator[tuple[int, int]]:
    """Spans of at most `room` pieces, each up to where a word begins unless that word alone fills it."""
    start, total = 0, len(aligned.ids)
    while total - start > room:
        stop = next((place for place in range(start + room, start, -1) if aligned.first[place]), start + room)
        yield start, stop
        start = stop
    yield start, total


class TaggingCollator:
    """Pads `input_ids` and `labels` (-100) on the right; `attention_mask` is 0 at padding. Each [B, T] int64."""

    def __init__(self, tokenizer):
        self.padding = tokenizer.pad_token_id

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        labels = [torch.tensor(row["labels"]) for row in rows]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.padding),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        }
