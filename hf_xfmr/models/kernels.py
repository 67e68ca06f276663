"""Which kernel attends within the sequences of a packed row, by device, precision and size of a head; and GPUs' own.

They are PyTorch's, some of them under a private name, and none is trusted unseen: at its first use a kernel is compared
with plain arithmetic (`kernel_checks.py`), and where it fails the next one is taken. Where there is none, a batch keeps
its padding.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

HALF = (torch.bfloat16, torch.float16)


class Spans(NamedTuple):
    """The lengths of the sequences that lie end to end in a query row [1, N] and in its key row [1, M], pairwise; for
    a GPU also where they begin and end, [sequences + 1] int32 there. Of a batch whose padding was dropped `kept` says
    where in it the queries and keys stood, [N] and [M] int64 of B * T and B * S places, and (B, T, S)."""

    query: list[int]
    key: list[int]
    query_ends: Tensor | None = None
    key_ends: Tensor | None = None
    kept: tuple[Tensor, Tensor, tuple[int, int, int]] | None = None


class Kernel(Enum):
    """How attention within sequences is computed."""

    SEQUENCES = "sequence by sequence"  # packing.py and dropout.py: those of one length, side by side, in one call
    FLASH = "flash"
    MEMORY_EFFICIENT = "memory-efficient"
    LENGTHS = "equal lengths together"
    WRITTEN_OUT = "written out"  # where the weights are asked for: recording.py


def kernels_for(
    device: str, dtype: torch.dtype, head_dim: int, capability: tuple[int, int] = (0, 0), *, rocm: bool = False
) -> list[Kernel]:
    """The kernels that a kind of device may have, the best first; none, where padding is computed. All of them know
    dropout of the weights, and none of them a mask.

    flash: half precision from Ampere on, heads of a multiple of 8 up to 256. memory-efficient: float32 too, and older
    GPUs (bfloat16 from Ampere on); heads of whole 16 bytes. Both take one call for all sequences of any lengths. "Equal
    lengths together" is public on every device, at a call for each length there is, which a GPU waits for: so it is
    the last, and the only one of Apple's and Intel's GPUs, and of AMD's, whose kernels nobody tried here.
    """
    if device == "cpu":
        return [Kernel.SEQUENCES]
    if device not in ("cuda", "xpu", "mps"):
        return []
    found = [Kernel.LENGTHS]
    if device == "cuda" and not rocm:
        has_dtype = dtype == torch.float32 or (dtype in HALF and (dtype == torch.float16 or capability >= (8, 0)))
        if has_dtype and head_dim * dtype.itemsize % 16 == 0:
            found.insert(0, Kernel.MEMORY_EFFICIENT)
        if dtype in HALF and capability >= (8, 0) and head_dim % 8 == 0 and head_dim <= 256:
            found.insert(0, Kernel.FLASH)
    return found


_forced: ContextVar[Kernel | None] = ContextVar("forced", default=None)


@contextmanager
def forced(kernel: Kernel) -> Iterator[None]:
    """Within, this kernel is taken, whatever the device and unchecked: a CPU can compute what a GPU would."""
    token = _forced.set(kernel)
    try:
        yield
    finally:
        _forced.reset(token)


def forced_kernel() -> Kernel | None:
    return _forced.get()


def attend(kernel: Kernel, query, key, value, spans: Spans, is_causal: bool, scaling: float, dropout: float) -> Tensor:
    """Attention within each sequence: query [1, H, N, D], key and value [1, H, M, D] to [1, N, H, D].

    The weights are dropped with probability `dropout`, which flash attention rounds to a multiple of 1 / 256.
    """
    if kernel is Kernel.LENGTHS or not (query.numel() and key.numel()):
        return _equal_lengths(query, key, value, spans, is_causal, scaling, dropout)
    q, k, v = (t.transpose(1, 2) for t in (query, key, value))  # (1, N, H, D) and twice (1, M, H, D)
    ends = spans.query_ends, spans.key_ends, max(spans.query), max(spans.key)
    if kernel is Kernel.FLASH:
        rows = (t.squeeze(0) for t in (q, k, v))
        out, *_ = torch.ops.aten._flash_attention_forward(*rows, *ends, dropout, is_causal, False, scale=scaling)
        return out.unsqueeze(0)
    goes_back = torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v))
    out, *_ = torch.ops.aten._efficient_attention_forward(
        q, k, v, None, *ends, dropout, int(is_causal), goes_back, scale=scaling
    )
    return out


def _equal_lengths(query, key, value, spans: Spans, is_causal: bool, scaling: float, dropout: float) -> Tensor:
    """One call of PyTorch's attention for all sequences of one length: [n, H, length, D], without padding or mask."""
    parts = list(zip(query.split(spans.query, 2), key.split(spans.key, 2), value.split(spans.key, 2), strict=True))
    alike = defaultdict(list)
    for place, lengths in enumerate(zip(spans.query, spans.key, strict=True)):
        alike[lengths].append(place)
    out: list[Tensor] = [part[0].squeeze(0) for part in parts]  # (H, length, D) each; what stays so is empty
    for (length, memory), places in alike.items():
        q, k, v = (torch.cat(each) for each in zip(*(parts[place] for place in places), strict=True))
        if not memory:  # what sees nothing is 0
            attended = torch.zeros_like(q)
        elif length:
            attended = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=is_causal, scale=scaling)
        else:
            continue
        for place, one in zip(places, attended, strict=True):
            out[place] = one
    return torch.cat(out, dim=1).transpose(0, 1).unsqueeze(0)
