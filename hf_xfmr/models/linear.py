"""A linear layer that is quick for a few rows as well, as when words are written one by one on a CPU."""

import torch
from torch import Tensor, nn

# For so many rows W x^T is quicker there than x W^T: the kernels read each weight once, whatever the shape, but the
# latter spread few rows badly over the cores. All products of GPT-2 small on a Xeon with AMX: 1.1 to 1.4 times.
FEW = {torch.bfloat16: range(1, 65), torch.float32: range(8, 17)}


class Linear(nn.Linear):
    """`nn.Linear`, to which a few rows are multiplied from the other side where no gradient is asked for: the same
    numbers but for rounding."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        if not self._is_quick_for(x):
            return super().forward(x)
        return few_rows(x.reshape(-1, self.in_features), self.weight, self.bias).unflatten(0, x.shape[:-1])

    def _is_quick_for(self, x: Tensor) -> bool:
        return (
            not torch.compiler.is_compiling()  # where sizes may not be known
            and x.device.type == "cpu"
            and not torch.is_grad_enabled()
            and x.numel() // self.in_features in FEW.get(x.dtype, ())
            and type(self.weight) is nn.Parameter  # quantized and sharded weights know F.linear alone
            and self.weight.dtype == x.dtype
            and not torch.is_autocast_enabled("cpu")
        )


def few_rows(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (N, in) W^T + b, computed as (W x^T)^T + b: (N, out)."""
    if len(x) == 1:
        y = torch.mv(weight, x[0]) if bias is None else torch.addmv(bias, weight, x[0])
        return y.unsqueeze(0)
    y = weight @ x.t() if bias is None else torch.addmm(bias.unsqueeze(1), weight, x.t())
    return y.t().contiguous()
