"""How many rows a product should have, where a kernel is made for each number of them.

A CPU's bfloat16 kernels are made when a number of rows is first met (oneDNN, kept for the next time), which takes
longer with AMX than a product of a short batch itself: 100 ms a number for the three products, and their gradients, of
BERT-base's layers. The tokens of a batch without its padding are another number at each step. So they are filled up to
one of a few numbers.
"""

from functools import cache

import torch

LEAST = 16  # rows of a tile of AMX
SHARE = 64  # of the rows up to the next power of two: a batch is at most a 32nd larger, an 85th on average


def is_to_fill(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether products of `dtype`, or of what autocast makes of it, are quicker here for a few numbers of rows."""
    if device.type != "cpu" or torch.compiler.is_compiling():
        return False
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
    return dtype == torch.bfloat16 and _makes_kernels()


@cache
def _makes_kernels() -> bool:
    return torch.cpu._is_amx_tile_supported()


def filler(rows: int) -> int:
    """How many rows fill up so many to one of the few numbers."""
    step = 2 ** (rows - 1).bit_length() // SHARE
    return -rows % max(LEAST, step)
