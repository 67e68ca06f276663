"""A batch's padding is not computed: [B, T] is packed to its N real tokens [1, N] and put back at the end.

A model packs the ids, runs every block on [1, N], and unpacks the last hidden state. In the blocks a batch without
padding is known by its `Spans`, which travel where the attention mask travels. Hidden states of padding come back as
zeros (stock classes return noise there).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional as F

from .dropout import dropout_attention, is_cheap
from .kernel_checks import kernel_on
from .kernels import Kernel, Spans, attend
from .sizes import filler, is_to_fill


def taken(x: Tensor, keep: Tensor) -> Tensor:
    """Of [B, T, ...] the places `keep` [N] of the flattened grid: [1, N, ...]."""
    return x.flatten(0, 1).index_select(0, keep).unsqueeze(0)


def put_back(x: Tensor, keep: Tensor, shape: tuple[int, int] | torch.Size) -> Tensor:
    """[1, N, ...] to [B, T, ...] of this `shape`, zeros elsewhere."""
    full = x.new_zeros(shape[0] * shape[1], *x.shape[2:])
    return full.index_copy(0, keep, x.squeeze(0)).unflatten(0, tuple(shape))


def side_by_side(*lengths: list[int]) -> list[int] | None:
    """An order in which sequences that are as long as one another, by each of these lists, stand side by side; None if
    they do."""
    kinds = list(zip(*lengths, strict=True))
    if sum(1 for _ in groupby(kinds)) == len(set(kinds)):
        return None
    return sorted(range(len(kinds)), key=kinds.__getitem__)


class Packing:
    """Where the real tokens of a batch are: `keep` [N] indexes the flattened [B * T] grid, `lengths` are those of the
    sequences that follow one another there: in the batch's order, or, on a CPU, with those of one length side by side,
    which then attend in one call. A row holds one sequence, or several if the caller packed it. Where a CPU wants it
    (`sizes.py`) a few `filler` tokens stand behind them, a sequence of their own that nothing comes of."""

    def __init__(self, attention_mask: Tensor, rows: Tensor | None = None, fill: bool = False):
        """attention_mask [B, T], 0 at padding; rows [B, T] int64: which sequence of its row a token is in."""
        self.shape = attention_mask.shape
        real = attention_mask != 0
        if rows is None:  # a row may be empty, and is then still one of the sequences
            lengths = real.sum(1)
        else:
            counts = rows[:, -1] + 1  # of sequences in each row
            sequence = rows + (counts.cumsum(0) - counts).unsqueeze(1)
            lengths = sequence[real].bincount(minlength=int(counts.sum()))
        self.lengths: list[int] = lengths.tolist()  # the one time that a GPU has to be waited for
        if real.device.type == "cuda":
            self.keep = torch.nonzero_static(real.flatten(), size=sum(self.lengths)).squeeze(1)  # (N,)
            self.ends = F.pad(lengths.cumsum(0), (1, 0)).int()
        else:
            self.keep, self.ends = real.flatten().nonzero().squeeze(1), None
        self.filler = filler(len(self.keep)) if fill and len(self.keep) else 0
        self.read = F.pad(self.keep, (0, self.filler))  # (N + filler,)
        self.order: list[int] | None = None  # of the batch's sequences here, if it is another

    @classmethod
    def of(cls, attention_mask: Tensor | None, rows: Tensor | None, fill: bool = False) -> "Packing | None":
        """None if every row is one sequence without padding, so that there is nothing to drop."""
        if attention_mask is None:
            return None if rows is None else cls(torch.ones_like(rows), rows, fill).arranged()
        packing = cls(attention_mask, rows, fill)
        return None if rows is None and len(packing.keep) == attention_mask.numel() else packing.arranged()

    @classmethod
    def pair(
        cls,
        x: Tensor,
        mask: Tensor | None,
        rows: Tensor | None,
        memory: Tensor,
        memory_mask: Tensor | None,
        memory_rows: Tensor | None,
        fill: bool = False,
    ) -> "tuple[Packing, Packing] | tuple[None, None]":
        """For attention from x [B, T, ...] to memory [B, S, ...], sequence by sequence; None twice if every row is one
        of each without padding. `check_pairs` has to hold."""
        if rows is None and memory_rows is None and all(m is None or bool(m.all()) for m in (mask, memory_mask)):
            return None, None
        sides = (x, mask, rows), (memory, memory_mask, memory_rows)
        first, second = [
            cls(torch.ones(t.shape[:2], device=t.device) if given is None else given, numbers, fill)
            for t, given, numbers in sides
        ]
        if first.keep.device.type == "cpu":
            order = side_by_side(first.lengths, second.lengths)
            first._arrange(order)
            second._arrange(order)
        return first, second

    def arranged(self, like: "Packing | None" = None) -> "Packing":
        """Itself, on a CPU with sequences of one length side by side, or in the order of `like`, which has the same."""
        if self.keep.device.type == "cpu":
            self._arrange(side_by_side(self.lengths) if like is None else like.order)
        return self

    def _arrange(self, order: list[int] | None) -> None:
        self.order = order
        if order is not None:
            parts = self.keep.split(self.lengths)
            self.keep = torch.cat([parts[place] for place in order])
            self.lengths = [self.lengths[place] for place in order]
            self.read = F.pad(self.keep, (0, self.filler))

    def pack(self, x: Tensor | None) -> Tensor | None:
        """[B, T, ...] (or [1, T, ...], the same for every row) to [1, N, ...], N with the filler; None stays None."""
        if x is None:
            return None
        return taken(x.expand(*self.shape, *x.shape[2:]), self.read)

    def unpack(self, x: Tensor) -> Tensor:
        """[1, N, ...] to [B, T, ...], zeros where there was padding."""
        return put_back(x[:, : len(self.keep)], self.keep, self.shape)

    def only(self, few: "Packing", x: Tensor) -> Tensor:
        """[1, N, ...] to [1, M, ...]: of these tokens those that are also in `few`, a packing of the same batch."""
        place = torch.zeros(self.shape.numel(), dtype=torch.int64, device=x.device)  # in x; 0 for the filler too
        place[self.keep] = torch.arange(len(self.keep), device=x.device)
        return x.index_select(1, place[few.read])

    def spans(self, memory: "Packing | None" = None) -> Spans:
        """For self-attention, or for attention to the sequences of `memory`, one for each of these."""
        memory = self if memory is None else memory
        kept = self.keep, memory.keep, (*self.shape, memory.shape[1])
        query, key = self.lengths, memory.lengths
        if memory.filler:
            query, key = [*query, self.filler], [*key, memory.filler]
        elif self.filler:  # they see the last memory: what they see goes nowhere
            query = [*query[:-1], query[-1] + self.filler]
        return Spans(query, key, self.ends, memory.ends, kept)


_rows_as_given: ContextVar[bool] = ContextVar("rows_as_given", default=False)


@contextmanager
def rows_as_given() -> Iterator[None]:
    """Within, each row of a batch is computed as it was given, its padding too: for what goes by the row, as when each
    has an adapter of its own."""
    token = _rows_as_given.set(True)
    try:
        yield
    finally:
        _rows_as_given.reset(token)


def keeps_rows() -> bool:
    return _rows_as_given.get()


def is_packable(model, kwargs: dict, *masks: Tensor | None) -> bool:
    """Whether a forward pass may drop what its attention masks call padding (`kwargs` are the forward's): by PyTorch's
    own attention where the device has a kernel for it, by the written-out one where the weights are asked for, outside
    torch.compile and torch.export. `model` has its layers as `blocks`.

    Hidden states and weights that are asked for under gradient checkpointing keep a batch's padding: a block that is
    computed anew would not know what was put back of the one before (`recording.py`)."""
    recorded = is_asked(model, kwargs, "output_hidden_states", "output_attentions")
    return (
        not torch.compiler.is_compiling()
        and not (recorded and torch.is_grad_enabled() and getattr(model, "is_gradient_checkpointing", False))
        and not keeps_rows()  # which a compiler can't read
        and all(mask is None or mask.dim() == 2 for mask in masks)
        and packed_kernel(model, is_asked(model, kwargs, "output_attentions")) is not None
    )


def is_filled(model, kwargs: dict) -> bool:
    """Whether a packed row is to be filled up (`sizes.py`): not where blocks' outputs are put back one by one."""
    recorded = is_asked(model, kwargs, "output_hidden_states", "output_attentions")
    return not recorded and is_to_fill(model.device, model.dtype)


def is_asked(model, kwargs: dict, *names: str) -> bool:
    """Whether a forward pass or the config asks for one of these, as `output_hidden_states`."""
    return any(kwargs.get(name, getattr(model.config, name, False)) for name in names)


def packed_kernel(model, with_weights: bool = False) -> Kernel | None:
    """The kernel by which a model would attend within packed rows, None if by none; `with_weights`, if the weights are
    to be returned, which written-out attention alone does."""
    implementation, kind = model.config._attn_implementation, model.device.type
    if implementation == "eager":  # what it computes otherwise is the reference, and stock's to the letter
        return Kernel.WRITTEN_OUT if with_weights and kind in ("cpu", "cuda", "xpu", "mps") else None
    if implementation != "sdpa":
        return None
    dtype = model.dtype
    if kind in ("cuda", "xpu", "mps") and torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
    return kernel_on(model.device, dtype, model.blocks[0].attention.head_dim)


def packed_rows(
    shape: torch.Size,
    position_ids: Tensor | None,
    attention_mask: Tensor | None = None,
    cu_seq_lens: Tensor | None = None,
    first: int = 0,
) -> Tensor | None:
    """Number the sequences of each row that the caller packed: [B, T] int64; None if every row is one sequence.

    `cu_seq_lens` [n + 1] are boundaries in the flattened batch; or `position_ids` [B, T] count `first`, `first` + 1,
    ... anew for each sequence. Positions that count in any other way (at real tokens) say nothing about sequences.
    """
    if cu_seq_lens is not None:
        starts = torch.zeros(shape.numel(), dtype=torch.int64, device=cu_seq_lens.device)
        starts[cu_seq_lens[:-1].long()] = 1  # the first too: of one boundary a compiler makes a graph of its own
        starts = starts.view(shape)
        rows = starts.cumsum(1) - starts[:, :1]
        return rows if len(cu_seq_lens) > 2 else None
    if position_ids is None:
        return None
    position_ids = position_ids.expand(shape)
    starts, follows = position_ids[:, 1:] == first, position_ids[:, 1:] == position_ids[:, :-1] + 1
    if attention_mask is not None and attention_mask.dim() == 2:
        real = attention_mask != 0
        begun = real.cumsum(1)[:, :-1] > 0  # the first real token of a row starts no further sequence
        starts, follows = starts & real[:, 1:] & begun, follows | ~(real[:, 1:] & real[:, :-1])
    starts = starts & (starts | follows).all()
    if not torch.compiler.is_compiling() and not bool(starts.any()):
        return None  # a compiled graph can't ask what the data are
    return F.pad(starts.cumsum(1), (1, 0))


def positions(x: Tensor, rows: Tensor | None, past: int = 0) -> Tensor:
    """Where each token of x [B, T, ...] stands in its sequence, int64: counted from `past`, [1, T], or with `rows` of
    `packed_rows` from 0 in each sequence of a row, [B, T]."""
    place = torch.arange(x.size(1), device=x.device).unsqueeze(0)
    if rows is None:
        return place + past
    return place - torch.where(sequence_starts(rows), place, 0).cummax(1).values


def sequence_starts(rows: Tensor) -> Tensor:
    """Where a sequence starts: rows [B, T] of `packed_rows` to [B, T] bool, True at the beginning of each row."""
    return F.pad(rows[:, 1:] != rows[:, :-1], (1, 0), value=True)


def within(rows: Tensor | None, memory_rows: Tensor | None = None) -> Callable | None:
    """The rule "only within a sequence", or from it to the memory of the same number in the row, as
    `transformers.masking_utils` takes it (`and_mask_function`)."""
    if rows is None:
        return None
    key_rows = rows if memory_rows is None else memory_rows
    return lambda b, h, q, k: rows[b, q] == key_rows[b, k]


def check_pairs(rows: Tensor | None, memory_rows: Tensor | None) -> None:
    """Raises `ValueError` if a row holds more sequences than memories, or fewer. A compiled graph can't ask."""
    if (rows is None and memory_rows is None) or torch.compiler.is_compiling():
        return
    targets, sources = (torch.ones(()) if each is None else (each[:, -1] + 1).cpu() for each in (rows, memory_rows))
    targets, sources = torch.broadcast_tensors(targets, sources)
    for row in (targets != sources).nonzero()[:1, 0].tolist():
        raise ValueError(
            f"row {row} holds {int(sources[row])} sources and {int(targets[row])} targets: pack both alike, and give "
            "position_ids and decoder_position_ids that start at 0 for each (or cu_seq_lens_k and cu_seq_lens_q)"
        )


def packed_attention(module, query, key, value, attention_mask: Spans, scaling, dropout=0.0, **_):
    """Attention within each sequence of a packed row, on views: no mask, no padding.

    query [1, H, N, D], key and value [1, H, M, D] to ([1, N, H, D], None). With dropout, which torch's kernel does not
    know on a CPU, it is `dropout_attention`. Half precision is computed in float32 there where gradients are recorded,
    since a CPU's bfloat16 kernel takes twice as long on the way back. GPUs have kernels of their own (`kernels.py`).
    """
    spans, dtype = attention_mask, query.dtype
    kernel = kernel_on(query.device, dtype, query.size(-1)) or Kernel.LENGTHS
    if kernel is not Kernel.SEQUENCES:
        return attend(kernel, query, key, value, spans, module.is_causal, scaling, dropout), None
    if is_cheap(query, dropout):
        options = {"is_causal": module.is_causal, "scaling": scaling, "p": dropout}
        return dropout_attention(query, key, value, spans.query, spans.key, **options), None
    recorded = torch.is_grad_enabled() and any(t.requires_grad for t in (query, key, value))
    if dtype == torch.float16 or (dtype == torch.bfloat16 and recorded):
        query, key, value = query.float(), key.float(), value.float()
    options = {"dropout_p": dropout, "is_causal": module.is_causal, "scale": scaling}
    with torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext():
        if len(spans.query) == 1:  # of one short text what follows would cost as much as its attention
            attended = F.scaled_dot_product_attention(query, key, value, **options).transpose(1, 2)
        else:
            attended = _runs_of_equal_lengths(query, key, value, spans, options)
    return attended.to(dtype), None


def _runs_of_equal_lengths(query: Tensor, key: Tensor, value: Tensor, spans: Spans, options: dict) -> Tensor:
    """One call for sequences of one length that follow one another, as `Packing.arranged` has them: all of them views.
    query [1, H, N, D], key and value [1, H, M, D] to [1, N, H, D]."""
    runs = [(len(list(run)), *lengths) for lengths, run in groupby(zip(spans.query, spans.key, strict=True))]
    read = [count * length for count, length, _ in runs], *([count * memory for count, _, memory in runs],) * 2
    rows = (t.squeeze(0).transpose(0, 1) for t in (query, key, value))  # (N, H, D) and twice (M, H, D)
    outs = []
    for (count, length, memory), *parts in zip(
        runs, *(t.split(sizes) for t, sizes in zip(rows, read, strict=True)), strict=True
    ):
        q, k, v = (
            t.unflatten(0, (count, n)).transpose(1, 2) for t, n in zip(parts, (length, memory, memory), strict=True)
        )
        outs.append(F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(0, 1))
    return torch.cat(outs).unsqueeze(0)


def unpadded_attention(module, query, key, value, attention_mask: None, scaling, dropout=0.0, **_):
    """`packed_attention` for a batch of whole rows: query [B, H, T, D], key and value [B, H, S, D] to [B, T, H, D]."""
    rows = [t.transpose(1, 2).flatten(0, 1).transpose(0, 1).unsqueeze(0) for t in (query, key, value)]
    spans = Spans([query.size(2)] * len(query), [key.size(2)] * len(key))
    out, _ = packed_attention(module, rows[0], rows[1], rows[2], spans, scaling, dropout)  # (1, B * T, H, D)
    return out.squeeze(0).unflatten(0, (len(query), -1)), None
