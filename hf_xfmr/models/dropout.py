"""Dropout at the price of its random numbers on a CPU, where they cost more than what they drop.

torch draws one random number for each entry, which takes longer than a softmax over as many; here a 64-bit word decides
on four entries, 16 bits each. They are drawn from torch's own generator: a seed and gradient checkpointing act as ever.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEVELS = 2**16  # of the probability: p is rounded to a multiple of 1 / LEVELS


def rounded(p: float) -> float:
    """The probability that is used for p; what survives is divided by 1 minus this, so that means are kept exactly."""
    return round(p * LEVELS) / LEVELS


def surviving(count: int, p: float) -> Tensor:
    """Which of `count` entries survive, each with probability 1 - `rounded(p)`: (count,) int8, 0 or 1, on the CPU."""
    words = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return (words.view(torch.int16)[:count] >= round(p * LEVELS) - LEVELS // 2).view(torch.int8)


def is_cheap(x: Tensor, p: float) -> bool:
    """Whether this file's way is meant for dropout of x: on a CPU, outside torch.compile and torch.export."""
    return 0 < rounded(p) < 1 and x.device.type == "cpu" and not torch.compiler.is_compiling()


class Dropout(nn.Dropout):
    """`nn.Dropout` with cheap random numbers on a CPU, and a byte for each entry kept for the way back."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if not is_cheap(x, self.p):
            return super().forward(x)
        return _Dropout.apply(x, surviving(x.numel(), self.p).view(x.shape), 1 / (1 - rounded(self.p)))


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, survives, scale):
        ctx.save_for_backward(survives)
        ctx.scale = scale
        return survives.to(x.dtype).mul_(scale).mul_(x)

    @staticmethod
    def backward(ctx, upstream):
        (survives,) = ctx.saved_tensors
        return survives.to(upstream.dtype).mul_(ctx.scale).mul_(upstream), None, None


QUERIES = 128  # of a long sequence at a time: their scores stay in a core's cache
SCORES = 2**17  # of short sequences at a time, for the same reason: 512 KiB in float32
SHORT = 2**15  # numbers of a sequence's queries, T * H * D, up to which several at a time are worth their copies


class _Block(NamedTuple):
    """What is computed at a time: queries of `count` sequences of one length that follow one another, the keys that
    they may see, and how many of the last of these are hidden from the first query (from the second one less, ...)."""

    count: int
    queries: slice
    keys: slice
    future: int

    def of_queries(self, x: Tensor) -> Tensor:
        """Of rows [N, H, D] those of the block, (count * H, T, D): of one sequence a view, of several a copy."""
        return self.by_head(x[self.queries])

    def of_keys(self, x: Tensor) -> Tensor:
        return self.by_head(x[self.keys])

    def by_head(self, rows: Tensor) -> Tensor:
        return self.apart(rows) if self.count == 1 else self.apart(rows).flatten(0, 1)

    def apart(self, rows: Tensor) -> Tensor:
        """[count * T, H, D] as (count, H, T, D), a view; without the first dimension for one sequence."""
        return rows.transpose(0, 1) if self.count == 1 else rows.view(self.count, -1, *rows.shape[1:]).transpose(1, 2)

    def size(self, heads: int) -> int:
        """The number of scores."""
        queries, keys = (rows.stop - rows.start for rows in (self.queries, self.keys))
        return heads * queries * (keys // self.count)

    def weights(self, queries: Tensor, keys: Tensor, scaling: float) -> Tensor:
        """softmax(q k^T * scaling), (count * H, T, S), from (count * H, T, D) and (count * H, S, D)."""
        scores = torch.bmm(queries * scaling, keys.transpose(1, 2))
        if self.future:
            hidden = torch.full((self.future, self.future), -torch.inf, dtype=scores.dtype).triu_(1)
            scores[..., -self.future :] += hidden
        return scores.softmax(-1)


class _DropoutAttention(torch.autograd.Function):
    """Attention with dropout of its weights, within each sequence. query [N, H, D], key and value [M, H, D], float32;
    the lengths of the sequences that lie end to end in either. The weights are computed anew on the way back, so that
    a byte for each of them is all that is kept."""

    @staticmethod
    def forward(ctx, query, key, value, lengths, key_lengths, is_causal, scaling, p):
        blocks = list(_blocks(lengths, key_lengths, is_causal, query.shape[1:]))
        sizes = [block.size(query.size(1)) for block in blocks]
        survive = surviving(sum(sizes), p).split(sizes)
        ctx.save_for_backward(query, key, value, *survive)
        ctx.blocks, ctx.scaling, ctx.scale = blocks, scaling, 1 / (1 - rounded(p))
        out = torch.empty_like(query)
        for block, survives in zip(blocks, survive, strict=True):
            weights = block.weights(block.of_queries(query), block.of_keys(key), scaling)
            weights *= survives.view(weights.shape)
            found = torch.bmm(weights, block.of_keys(value)).mul_(ctx.scale)
            into = block.apart(out[block.queries])
            into.copy_(found.view(into.shape))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        query, key, value, *survive = ctx.saved_tensors
        d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for block, survives in zip(ctx.blocks, survive, strict=True):
            queries, keys, up = block.of_queries(query), block.of_keys(key), block.of_queries(upstream) * ctx.scale
            weights = block.weights(queries, keys, ctx.scaling)
            survives = survives.view(weights.shape).to(weights.dtype)
            d_weights = torch.bmm(up, block.of_keys(value).transpose(1, 2)).mul_(survives)
            d_values = torch.bmm(survives.mul_(weights).transpose(1, 2), up)
            d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
            d_queries = torch.bmm(d_scores, keys).mul_(ctx.scaling)
            d_keys = torch.bmm(d_scores.transpose(1, 2), queries).mul_(ctx.scaling)
            into = block.apart(d_query[block.queries])
            into.copy_(d_queries.view(into.shape))
            for total, part in ((d_key, d_keys), (d_value, d_values)):
                into = block.apart(total[block.keys])
                into.add_(part.view(into.shape))
        return d_query, d_key, d_value, None, None, None, None, None


def _blocks(lengths: list[int], key_lengths: list[int], is_causal: bool, row: torch.Size) -> Iterator[_Block]:
    """Short sequences of one length together, where they follow one another; a long one in parts. `row` is (H, D)."""
    start, key_start = 0, 0
    for (length, key_length), run in groupby(zip(lengths, key_lengths, strict=True)):
        left, most = len(list(run)), max(1, SCORES // max(1, row[0] * length * key_length))
        if length * row.numel() > SHORT:
            most = 1
        while left:
            count = min(left, most)
            step = QUERIES if count == 1 else max(1, length)
            for first in range(0, length, step):
                last = min(first + step, length)
                seen = last if is_causal else key_length
                queries = slice(start + first, start + first + count * (last - first))
                yield _Block(count, queries, slice(key_start, key_start + count * seen), (last - first) * is_causal)
            left, start, key_start = left - count, start + count * length, key_start + count * key_length


def dropout_attention(query, key, value, lengths, key_lengths, *, is_causal: bool, scaling: float, p: float) -> Tensor:
    """[1, H, N, D] and twice [1, H, M, D] to [1, N, H, D]: each sequence attends to the one of the same place among
    the keys; a weight is dropped with probability p. Computed in float32, in float64 if given it. CPU."""
    exact = torch.promote_types(query.dtype, torch.float32)
    rows = [t.squeeze(0).transpose(0, 1).to(exact) for t in (query, key, value)]
    with torch.autocast("cpu", enabled=False):
        out = _DropoutAttention.apply(*rows, lengths, key_lengths, is_causal, scaling, p)
    return out.unsqueeze(0).to(query.dtype)
