"""Dropout at the price of its random numbers on a CPU, where they cost more than what they drop.

torch draws one random number for each entry, which takes longer than a softmax over as many; here a 64-bit word decides
on four entries, 16 bits each. They are drawn from torch's own generator: a seed and gradient checkpointing act as ever.
"""

from collections.abc import Iterator

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


QUERIES = 128  # of one sequence at a time: their scores stay in a core's cache


class _DropoutAttention(torch.autograd.Function):
    """Attention with dropout of its weights, within each sequence. query [N, H, D], key and value [M, H, D], float32;
    the lengths of the sequences that lie end to end in either. The weights are computed anew on the way back, so that
    a byte for each of them is all that is kept."""

    @staticmethod
    def forward(ctx, query, key, value, lengths, key_lengths, is_causal, scaling, p):
        blocks = list(_blocks(lengths, key_lengths, is_causal))
        sizes = [query.size(1) * (q.stop - q.start) * (k.stop - k.start) for q, k, _ in blocks]
        survive = surviving(sum(sizes), p).split(sizes)
        ctx.save_for_backward(query, key, value, *survive)
        ctx.blocks, ctx.scaling, ctx.scale = blocks, scaling, 1 / (1 - rounded(p))
        out = torch.empty_like(query)
        for (q, k, future), survives in zip(blocks, survive, strict=True):
            weights = _weights(query[q], key[k], future, scaling)  # (H, T, S)
            weights *= survives.view(weights.shape)
            out[q] = torch.bmm(weights, value[k].transpose(0, 1)).mul_(ctx.scale).transpose(0, 1)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        query, key, value, *survive = ctx.saved_tensors
        d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for (q, k, future), survives in zip(ctx.blocks, survive, strict=True):
            weights = _weights(query[q], key[k], future, ctx.scaling)
            survives = survives.view(weights.shape).to(weights.dtype)
            up = upstream[q].transpose(0, 1) * ctx.scale  # (H, T, D)
            d_weights = torch.bmm(up, value[k].permute(1, 2, 0)).mul_(survives)
            d_value[k] += torch.bmm(survives.mul_(weights).transpose(1, 2), up).transpose(0, 1)
            d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
            d_query[q] = torch.bmm(d_scores, key[k].transpose(0, 1)).mul_(ctx.scaling).transpose(0, 1)
            d_key[k] += torch.bmm(d_scores.transpose(1, 2), query[q].transpose(0, 1)).mul_(ctx.scaling).transpose(0, 1)
        return d_query, d_key, d_value, None, None, None, None, None


def _blocks(lengths: list[int], key_lengths: list[int], is_causal: bool) -> Iterator[tuple[slice, slice, int]]:
    """Some queries of a sequence, the keys they may see, and the number of the last of these that are hidden from the
    first query, from the second all but one, and so on."""
    start, key_start = 0, 0
    for length, key_length in zip(lengths, key_lengths, strict=True):
        for first in range(0, length, QUERIES):
            last = min(first + QUERIES, length)
            seen = last if is_causal else key_length
            yield slice(start + first, start + last), slice(key_start, key_start + seen), (last - first) * is_causal
        start, key_start = start + length, key_start + key_length


def _weights(query: Tensor, key: Tensor, future: int, scaling: float) -> Tensor:
    """softmax(q k^T * scaling), (H, T, S), from (T, H, D) and (S, H, D)."""
    scores = torch.bmm(query.transpose(0, 1) * scaling, key.permute(1, 2, 0))
    if future:
        scores[..., -future:] += torch.full((future, future), -torch.inf, dtype=scores.dtype).triu_(1)
    return scores.softmax(-1)


def dropout_attention(query, key, value, lengths, key_lengths, *, is_causal: bool, scaling: float, p: float) -> Tensor:
    """[1, H, N, D] and twice [1, H, M, D] to [1, N, H, D]: each sequence attends to the one of the same place among
    the keys; a weight is dropped with probability p. Computed in float32, in float64 if given it. CPU."""
    exact = torch.promote_types(query.dtype, torch.float32)
    rows = [t.squeeze(0).transpose(0, 1).to(exact) for t in (query, key, value)]
    with torch.autocast("cpu", enabled=False):
        out = _DropoutAttention.apply(*rows, lengths, key_lengths, is_causal, scaling, p)
    return out.unsqueeze(0).to(query.dtype)
