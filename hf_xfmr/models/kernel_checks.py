"""A kernel of `kernels.py` on the device at hand: taken if at its first use its numbers are plain arithmetic's."""

import logging
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from .kernels import Kernel, Spans, attend, forced_kernel, kernels_for

logger = logging.getLogger(__name__)

HEADS, LENGTHS = 2, (7, 0, 16, 1, 7)  # a row of a batch may be nothing but padding


def kernel_on(device: torch.device, dtype: torch.dtype, head_dim: int) -> Kernel | None:
    """The kernel for packed rows of this type on a device; None where there is none, and padding is computed."""
    forced = forced_kernel()
    if forced is not None:
        return forced
    if device.type == "cpu":
        return Kernel.SEQUENCES
    return _first_that_works(device.type, device.index, dtype, head_dim)


@cache
def _first_that_works(kind: str, index: int | None, dtype: torch.dtype, head_dim: int) -> Kernel | None:
    device = torch.device(kind, index)
    capability = torch.cuda.get_device_capability(device) if kind == "cuda" else (0, 0)
    for kernel in kernels_for(kind, dtype, head_dim, capability, rocm=torch.version.hip is not None):
        wrong = fault(kernel, device, dtype, head_dim)
        if wrong is None:
            return kernel
        logger.warning("%s attention (%s, %s) is not used on this machine: %s", kernel.value, kind, dtype, wrong)
    return None


def fault(kernel: Kernel, device: torch.device, dtype: torch.dtype, head_dim: int) -> str | None:
    """What is wrong with a kernel on a device, in a phrase; None if nothing is.

    Outputs and gradients of some short sequences are compared with plain arithmetic in float64, causal or not, with
    dropout and without. Which weights were dropped is seen by giving the words unit vectors as values: each output is
    then a row of weights. The same random numbers drop the same ones once more, of other values. The caller's
    random numbers are left as they were.
    """
    if head_dim < 2:
        return "heads of one number can't be checked"
    state, restore = _random_state(device)
    before = state()
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
            for is_causal in (False, True):
                for dropout in (0.0, 0.25):
                    apart = _distance(kernel, device, dtype, head_dim, is_causal, dropout, lambda: restore(before))
                    if not apart < (0.03 if dtype in (torch.bfloat16, torch.float16) else 0.003):
                        how = f"{'causal' if is_causal else 'full'}, dropout {dropout:g}"
                        return f"its numbers are not those of plain arithmetic ({how}; {apart:.1g} of the largest)"
    except Exception as error:  # whatever a private function of another version of PyTorch may raise
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    finally:
        restore(before)
    return None


def _distance(
    kernel: Kernel,
    device: torch.device,
    dtype: torch.dtype,
    head_dim: int,
    is_causal: bool,
    dropout: float,
    rewind: Callable[[], None],
) -> float:
    """How far outputs and gradients are from plain arithmetic's, in parts of the largest number; infinity if another
    share of the weights was dropped than was asked for."""
    lengths = [min(length, head_dim) for length in LENGTHS]
    ends = torch.tensor([0, *lengths]).cumsum(0).int().to(device)
    spans, scaling = Spans(lengths, lengths, ends, ends), head_dim**-0.5
    generator = torch.Generator().manual_seed(0)
    query, key, value, upstream = (
        torch.randn(1, sum(lengths), HEADS, head_dim, generator=generator).to(device, dtype) for _ in range(4)
    )
    units = torch.cat([torch.eye(length, head_dim) for length in lengths])
    units = units[:, None].repeat(1, HEADS, 1).unsqueeze(0).to(device, dtype)

    def compute(*given: Tensor) -> Tensor:
        rewind()
        q, k, v = (t.transpose(1, 2) for t in given)  # as a model's heads lie: (1, H, N, D), a view
        return attend(kernel, q, k, v, spans, is_causal, scaling, dropout)

    seen = compute(query, key, units).detach().cpu().double()  # (1, N, H, D): of each query its weights
    leaves = [t.clone().requires_grad_() for t in (query, key, value)]
    out = compute(*leaves)
    found = [out, *torch.autograd.grad(out, leaves, upstream)]

    exact = [t.detach().cpu().double().requires_grad_() for t in leaves]
    weights, outs, dropped, start = [], [], [], 0
    for length in lengths:
        q, k, v = (t[0, start : start + length].transpose(0, 1) for t in exact)  # (H, length, D)
        scores = q @ k.transpose(1, 2) * scaling
        if is_causal:
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
        there = scores.softmax(-1)
        mine = seen[0, start : start + length].transpose(0, 1)[..., :length]
        kept = (mine != 0).double() if dropout else torch.ones_like(mine)
        dropped.append((kept == 0)[there > 0])
        there = there * kept / (1 - dropout)
        weights.append((mine - there).abs().flatten())
        outs.append((there @ v).transpose(0, 1))
        start += length
    share = float(torch.cat(dropped).double().mean())
    if abs(share - dropout) > 0.15 * (dropout > 0):
        return float("inf")
    plain = torch.cat(outs).unsqueeze(0)
    expected = [plain, *torch.autograd.grad(plain, exact, upstream.cpu().double())]
    pairs = [(a.detach().cpu().double(), b.detach()) for a, b in zip(found, expected, strict=True)]
    apart = [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]
    return max(float(torch.cat(weights).max()), *apart)


def _random_state(device: torch.device) -> tuple[Callable[[], Tensor], Callable[[Tensor], None]]:
    """How a device's random numbers are read, and set."""
    if device.type == "cpu":
        return torch.get_rng_state, torch.set_rng_state
    module = torch.get_device_module(device)
    if device.type == "mps":  # there is but one
        return module.get_rng_state, module.set_rng_state
    return partial(module.get_rng_state, device), partial(_set_state, module, device)


def _set_state(module, device: torch.device, state: Tensor) -> None:
    module.set_rng_state(state, device)
