"""Batches of sentence pairs by a budget of tokens, in which all rows are of about the same length."""

import random
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from ...errors import UserError
from ...models.losses import IGNORE
from .tokenizer_pair import TokenizerPair


class TokenBatches(Sampler[list[int]]):
    """Row numbers of one batch at a time: rows times the longest row's tokens is at most `tokens`, on either side.

    Each epoch every row is in exactly one batch. Rows are put in order of length, those of one length dealt anew every
    epoch, cut into batches, and the batches are shuffled: all by `seed` and the epoch alone, so that a resumed run sees
    what an uninterrupted one would. The number of batches is the same in every epoch.

    With several `processes`, each takes every so many-th batch; where they do not come out even, the largest are
    halved. Raises UserError if one row alone is over the budget.
    """

    def __init__(
        self, lengths: Sequence[int], tokens: int, *, seed: int = 0, processes: int = 1, process: int = 0
    ) -> None:
        """lengths: tokens of each row's longer side."""
        if max(lengths) > tokens:
            raise UserError(
                f"tokens_per_batch {tokens:,} has no room for the longest pair, {max(lengths):,} tokens; raise it, or "
                "lower max_length"
            )
        self.lengths, self.seed, self.epoch = list(lengths), seed, 0
        self.processes, self.process = processes, process
        self.ends = self._ends(sorted(self.lengths), tokens)

    def _ends(self, lengths: list[int], tokens: int) -> list[tuple[int, int]]:
        """Where each batch begins and ends among the rows in order of length, which is the same in every epoch."""
        spans, start = [], 0
        for stop in range(1, len(lengths) + 1):
            if stop == len(lengths) or lengths[stop] * (stop + 1 - start) > tokens:
                spans.append((start, stop))
                start = stop
        while len(spans) % self.processes:
            start, stop = max(spans, key=lambda span: span[1] - span[0])
            if stop - start < 2:
                raise UserError(
                    f"{len(lengths)} train pairs are too few for {self.processes} processes; use fewer processes"
                )
            spans.remove((start, stop))
            spans += [(start, (start + stop) // 2), ((start + stop) // 2, stop)]
        return spans

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.ends) // self.processes

    def __iter__(self) -> Iterator[list[int]]:
        draw = random.Random(f"{self.seed} {self.epoch}")
        dealt = [(length, draw.random(), row) for row, length in enumerate(self.lengths)]
        rows = [row for _, _, row in sorted(dealt)]
        spans = draw.sample(self.ends, len(self.ends))
        return iter([rows[start:stop] for start, stop in spans[self.process :: self.processes]])


class TranslationCollator:
    """Pads each side of a batch on the right to its own longest row, and leaves passenger columns behind.

    Gives `input_ids` and `attention_mask` int64 [B, S], and `labels` int64 [B, T], -100 at padding.
    """

    def __init__(self, tokenizers: TokenizerPair):
        self.padding = tokenizers.source.pad_token_id
        if self.padding is None:
            raise UserError(f"{type(tokenizers.source).__name__} has no padding token; set tokenizer.pad_token")

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        source = [row["input_ids"] for row in rows]
        return {
            "input_ids": padded(source, self.padding),
            "attention_mask": padded([[1] * len(ids) for ids in source], 0),
            "labels": padded([row["labels"] for row in rows], IGNORE),
        }


def padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """Rows of unequal lengths as one int64 tensor [B, longest]."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows], dtype=torch.int64)
