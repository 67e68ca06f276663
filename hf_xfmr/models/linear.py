"""Products that are quick for a few rows as well, as when words are written one by one on a CPU.

The layers are `nn.Linear` itself, which tools that replace or quantize layers look for; which product is taken is
decided where they are called.
"""

import torch
from torch import Tensor, nn

# For so many rows W x^T is quicker there than x W^T: the kernels read each weight once, whatever the shape, but the
# latter spread few rows badly over the cores. All products of GPT-2 small on a Xeon with AMX: 1.1 to 1.4 times.
FEW = {torch.bfloat16: range(1, 65), torch.float32: range(8, 17)}


def project(layer, x: Tensor) -> Tensor:
    """`layer(x)`, (..., in_features) to (..., out_features). A few rows are multiplied to an `nn.Linear` from the other
    side where no gradient is asked for: the same numbers but for rounding."""
    if not _is_quick(layer, x):
        return layer(x)
    return few_rows(x.reshape(-1, layer.in_features), layer.weight, layer.bias).unflatten(0, x.shape[:-1])


def is_plain(layer) -> bool:
    """Whether a layer is its weight and bias and nothing else: no adapter, no hooks that gather or change them."""
    return type(layer) is nn.Linear and not layer._forward_hooks and not layer._forward_pre_hooks


def _is_quick(layer, x: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()  # where sizes may not be known
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and x.numel() // x.size(-1) in FEW.get(x.dtype, ())
        and is_plain(layer)
        and "forward" not in layer.__dict__  # accelerate puts one there
        and type(layer.weight) is nn.Parameter  # quantized and sharded weights know F.linear alone
        and layer.weight.dtype == x.dtype
        and not torch.is_autocast_enabled("cpu")
    )


def few_rows(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (N, in) W^T + b, computed as (W x^T)^T + b: (N, out)."""
    if len(x) == 1:
        y = torch.mv(weight, x[0]) if bias is None else torch.addmv(bias, weight, x[0])
        return y.unsqueeze(0)
    y = weight @ x.t() if bias is None else torch.addmm(bias.unsqueeze(1), weight, x.t())
    return y.t().contiguous()
