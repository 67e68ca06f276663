"""Products that are quick for a few rows as well, as when words are written one by one on a CPU.

The layers are `nn.Linear` itself, which tools that replace or quantize layers look for; which product is taken is
decided where they are called.
"""

import time
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# For so many rows W x^T may be quicker than x W^T: a processor's kernels read each weight once, whatever the shape, but
# some spread few rows badly over the cores. In float32 neither way is clearly quicker for several rows, so that the
# library's is taken; of one row it is a product of a matrix and a vector, which costs fewer steps. So a text's numbers
# in float32 never depend on a clock.
MOST = {torch.bfloat16: 64, torch.float32: 1}
CLEARLY = 0.9  # of the plain way's time: with less to win the library's way stays
PART = 4096  # rows of a weight that are timed: of a vocabulary some tell what all would
TIMES = 7  # each way is timed, in turns

_chosen: dict[tuple, bool] = {}
_lock = Lock()


def project(layer, x: Tensor) -> Tensor:
    """`layer(x)`, (..., in_features) to (..., out_features). Where no gradient is asked for, a row of float32 is
    multiplied to an `nn.Linear` from the other side, and so are a few rows of bfloat16 if this processor is quicker at
    it, which a few milliseconds at the first such product find out: the same numbers but for rounding."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():  # there sizes may not be known
        return layer(x)
    few = 0 < x.numel() // x.size(-1) <= MOST.get(x.dtype, 0)
    if not (few and is_plain(layer) and is_usual(layer.weight, x.dtype) and is_computed_here(x)):
        return layer(x)
    return product(layer, x.reshape(-1, x.size(-1))).view(*x.shape[:-1], -1)


def product(layer: nn.Linear, x: Tensor) -> Tensor:
    """`project` of rows x (N, in) of which all is known that it asks: a plain layer, no gradient, a CPU."""
    weight, bias = layer.weight, layer.bias
    if x.size(0) > MOST.get(x.dtype, 0) or (x.dtype == torch.bfloat16 and not is_quicker(x, weight)):
        return F.linear(x, weight, bias)
    return few_rows(x, weight, bias)


def is_bare(module: nn.Module) -> bool:
    """Whether calling a module is nothing but its class's forward: no hooks, and none of the instance's own."""
    return not module._forward_hooks and not module._forward_pre_hooks and "forward" not in module.__dict__


def is_plain(layer) -> bool:
    """Whether a layer is its weight and bias and nothing else: no adapter, no hooks that gather or change them."""
    return type(layer) is nn.Linear and is_bare(layer)


def is_usual(weight, dtype: torch.dtype) -> bool:
    """Whether a weight of this type is on a CPU: quantized and sharded ones are no `nn.Parameter`, and know F.linear
    alone."""
    return type(weight) is nn.Parameter and weight.dtype == dtype and weight.device.type == "cpu"


def is_computed_here(x: Tensor) -> bool:
    """Whether x is a tensor on a CPU with numbers in it, not one that only records or pretends, computed as given."""
    return (
        type(x) is Tensor
        and x.device.type == "cpu"
        and not torch.jit.is_tracing()
        and not torch.is_autocast_enabled("cpu")
    )


def is_quicker(x: Tensor, weight: Tensor) -> bool:
    """Whether `few_rows` is clearly quicker than `F.linear` here, for about so many rows x (N, in) and a weight
    (out, in) of this size: timed once in a process, and kept."""
    weight = weight[:PART]
    kind = (len(x) - 1).bit_length(), weight.shape, torch.get_num_threads()
    if kind not in _chosen:
        with _lock:  # one thread at a time is timed
            if kind not in _chosen:
                plain, few = _times((F.linear, few_rows), x, weight)
                _chosen[kind] = few[2] < CLEARLY * plain[0]  # not by luck, where others use the machine
    return _chosen[kind]


def _times(products, x: Tensor, weight: Tensor) -> list[list[float]]:
    """Seconds of each one's runs, the quickest first; they take turns, and the first, which makes the kernels, does not
    count."""
    taken: list[list[float]] = [[] for _ in products]
    for _ in range(TIMES + 1):
        for product, seconds in zip(products, taken, strict=True):
            start = time.perf_counter()
            product(x, weight, None)
            seconds.append(time.perf_counter() - start)
    return [sorted(seconds[1:]) for seconds in taken]


def few_rows(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (N, in) W^T + b, computed as (W x^T)^T + b: (N, out)."""
    if x.size(0) == 1:
        row = x.view(-1)
        return (torch.mv(weight, row) if bias is None else torch.addmv(bias, weight, row)).view(1, -1)
    y = weight @ x.t() if bias is None else torch.addmm(bias.unsqueeze(1), weight, x.t())
    return y.t().contiguous()
