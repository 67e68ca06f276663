"""No padding token is ever computed: a batch [B, T] is packed to its N real tokens [1, N] and put back at the end.

A model packs the ids, runs every block on [1, N], and unpacks the last hidden state. In the blocks a batch without
padding is known by its `Spans`, which travel where the attention mask travels. Hidden states of padding come back as
zeros (stock classes return noise there).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .dropout import dropout_attention, is_cheap


class Spans(NamedTuple):
    """The lengths of the sequences that lie end to end in a query row [1, N] and in its key row [1, M], pairwise."""

    query: list[int]
    key: list[int]


class Packing:
    """Where the real tokens of a batch are: `keep` [N] indexes the flattened [B * T] grid, `lengths` are those of the
    sequences that follow one another there. A row holds one sequence, or several if the caller packed it."""

    def __init__(self, attention_mask: Tensor, rows: Tensor | None = None):
        """attention_mask [B, T], 0 at padding; rows [B, T] int64: which sequence of its row a token is in."""
        self.shape = attention_mask.shape
        self.keep = attention_mask.flatten().nonzero().squeeze(1)  # (N,)
        if rows is None:  # a row may be empty, and is then still one of the sequences
            self.lengths: list[int] = (attention_mask != 0).sum(1).tolist()
        else:
            row = torch.arange(self.shape[0], device=rows.device).unsqueeze(1)
            sequence = (row * self.shape[1] + rows).flatten()[self.keep]
            self.lengths = torch.unique_consecutive(sequence, return_counts=True)[1].tolist()

    @classmethod
    def of(cls, shape: torch.Size, attention_mask: Tensor | None, rows: Tensor | None) -> "Packing | None":
        """None if every row is one sequence without padding, so that there is nothing to drop."""
        if attention_mask is None:
            return None if rows is None else cls(torch.ones(shape, dtype=torch.bool, device=rows.device), rows)
        return None if rows is None and bool(attention_mask.all()) else cls(attention_mask, rows)

    @classmethod
    def pair(
        cls, x: Tensor, mask: Tensor | None, memory: Tensor, memory_mask: Tensor | None
    ) -> "tuple[Packing, Packing] | tuple[None, None]":
        """For attention from x [B, T, ...] to memory [B, S, ...], row by row; None twice if neither has padding."""
        if all(given is None or bool(given.all()) for given in (mask, memory_mask)):
            return None, None
        masks = [
            torch.ones(t.shape[:2], device=t.device) if given is None else given
            for t, given in ((x, mask), (memory, memory_mask))
        ]
        return cls(masks[0]), cls(masks[1])

    def pack(self, x: Tensor | None) -> Tensor | None:
        """[B, T, ...] (or [1, T, ...], the same for every row) to [1, N, ...]; None stays None."""
        if x is None:
            return None
        return x.expand(*self.shape, *x.shape[2:]).flatten(0, 1).index_select(0, self.keep).unsqueeze(0)

    def unpack(self, x: Tensor) -> Tensor:
        """[1, N, ...] to [B, T, ...], zeros where there was padding."""
        full = x.new_zeros(self.shape.numel(), *x.shape[2:])
        return full.index_copy(0, self.keep, x.squeeze(0)).unflatten(0, self.shape)

    def spans(self, memory: "Packing | None" = None) -> Spans:
        """For self-attention, or for attention to the sequences of `memory`, one for each of these."""
        return Spans(self.lengths, self.lengths if memory is None else memory.lengths)


def is_packable(model, attention_mask: Tensor | None, kwargs: dict) -> bool:
    """Whether a forward pass may drop padding: with PyTorch's own attention on a CPU, when nothing is asked for that
    has the shape of the padded batch (`kwargs` are the forward's), and outside torch.compile and torch.export."""
    asked = any(
        kwargs.get(key, getattr(model.config, key, False)) for key in ("output_attentions", "output_hidden_states")
    )
    return (
        not asked
        and not torch.compiler.is_compiling()
        and (attention_mask is None or attention_mask.dim() == 2)
        and model.config._attn_implementation == "sdpa"
        and model.device.type == "cpu"
    )


def packed_rows(
    shape: torch.Size,
    position_ids: Tensor | None,
    attention_mask: Tensor | None = None,
    cu_seq_lens: Tensor | None = None,
) -> Tensor | None:
    """Number the sequences of each row that the caller packed: [B, T] int64; None if every row is one sequence.

    `cu_seq_lens` [n + 1] are boundaries in the flattened batch; or `position_ids` [B, T] count 0, 1, 2, ... anew for
    each sequence. Positions that count in any other way (at real tokens) say nothing about sequences.
    """
    if cu_seq_lens is not None:
        starts = torch.zeros(shape.numel(), dtype=torch.int64, device=cu_seq_lens.device)
        starts[cu_seq_lens[1:-1].long()] = 1
        rows = starts.view(shape).cumsum(1)
        return rows if len(cu_seq_lens) > 2 else None
    if position_ids is None:
        return None
    position_ids = position_ids.expand(shape)
    starts, follows = position_ids[:, 1:] == 0, position_ids[:, 1:] == position_ids[:, :-1] + 1
    if attention_mask is not None and attention_mask.dim() == 2:
        real = (attention_mask[:, 1:] != 0) & (attention_mask[:, :-1] != 0)
        starts, follows = starts & real, follows | ~real
    starts = starts & (starts | follows).all()
    if not torch.compiler.is_compiling() and not bool(starts.any()):
        return None  # a compiled graph can't ask what the data are
    return F.pad(starts.cumsum(1), (1, 0))


def positions_within(rows: Tensor) -> Tensor:
    """Where each token stands in its sequence, from 0: rows [B, T] of `packed_rows` to positions [B, T] int64."""
    place = torch.arange(rows.size(1), device=rows.device).expand_as(rows)
    starts = F.pad(rows[:, 1:] != rows[:, :-1], (1, 0), value=True)
    return place - torch.where(starts, place, 0).cummax(1).values


def within(rows: Tensor | None) -> Callable | None:
    """The rule "only within a sequence", as `transformers.masking_utils` takes it (`and_mask_function`)."""
    return None if rows is None else lambda b, h, q, k: rows[b, q] == rows[b, k]


def packed_attention(module, query, key, value, attention_mask: Spans, scaling, dropout=0.0, **_):
    """Attention within each sequence of a packed row, on views: no mask, no padding. CPU.

    query [1, H, N, D], key and value [1, H, M, D] to ([1, N, H, D], None). With dropout, which torch's kernel does not
    know on a CPU, it is `dropout_attention`. Half precision is computed in float32: for matrices as small as these a
    CPU's bfloat16 kernels are slower, and less exact.
    """
    spans, dtype = attention_mask, query.dtype
    if is_cheap(query, dropout):
        options = {"is_causal": module.is_causal, "scaling": scaling, "p": dropout}
        return dropout_attention(query, key, value, *spans, **options), None
    if dtype in (torch.bfloat16, torch.float16):
        query, key, value = query.float(), key.float(), value.float()
    parts = zip(query.split(spans.query, 2), key.split(spans.key, 2), value.split(spans.key, 2), strict=True)
    with torch.autocast("cpu", enabled=False):
        attended = [
            F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=module.is_causal, scale=scaling)
            for q, k, v in parts
        ]
    return torch.cat(attended, dim=2).transpose(1, 2).to(dtype), None


def unpadded_attention(module, query, key, value, attention_mask: None, scaling, dropout=0.0, **_):
    """`packed_attention` for a batch of whole rows: query [B, H, T, D], key and value [B, H, S, D] to [B, T, H, D]."""
    rows = [t.transpose(1, 2).flatten(0, 1).transpose(0, 1).unsqueeze(0) for t in (query, key, value)]
    spans = Spans([query.size(2)] * len(query), [key.size(2)] * len(key))
    out, _ = packed_attention(module, rows[0], rows[1], rows[2], spans, scaling, dropout)  # (1, B * T, H, D)
    return out.squeeze(0).unflatten(0, (len(query), -1)), None
