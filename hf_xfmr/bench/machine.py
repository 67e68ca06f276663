"""What this machine is and the most it can do: the rate of its matrix products, and its memory's bandwidth."""

import os
import platform
import time
from statistics import median

import torch
import transformers

from ..machine import processor


def device() -> torch.device:
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")  # type: ignore[return-value]


def synchronize(on: torch.device) -> None:
    """Wait until the device has done what it was told; a CPU always has."""
    if on.type != "cpu":
        torch.accelerator.synchronize(on)


def describe(on: torch.device) -> dict[str, str]:
    """Names and versions that a time is meaningless without."""
    return {
        "device": torch.cuda.get_device_name(on) if on.type == "cuda" else processor(),
        "threads": str(torch.get_num_threads()),
        "load before": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


# (rows, in, out) of products: a square, and those of BERT-base's and GPT-2 small's layers for a batch of 1,024 tokens
SHAPES = ((2048, 2048, 2048), (1024, 768, 768), (1024, 768, 3072), (1024, 3072, 768))


def matrix_rate(dtype: torch.dtype, on: torch.device, *, shapes=SHAPES, repeats: int = 7) -> float:
    """Floating-point operations per second of matrix products on torch's threads: the best of `shapes`, of a weight
    that lies as a layer's does or the other way, warm. So nothing that is made of such products comes out above it,
    whichever shapes a processor's kernels like."""
    best = 0.0
    for rows, inner, outer in shapes:
        x = torch.randn(rows, inner, device=on).to(dtype)
        weight = torch.randn(outer, inner, device=on).to(dtype)
        for w in (weight.t(), weight.t().contiguous()):
            seconds = min(_times(lambda x=x, w=w: x @ w, on, repeats))  # type: ignore[misc]
            best = max(best, 2 * rows * inner * outer / seconds)
    return best


def bandwidth(on: torch.device, *, size: int = 2**28, repeats: int = 7) -> float:
    """Bytes per second of copying `size` bytes within memory, those read and those written."""
    source = torch.zeros(size, dtype=torch.uint8, device=on)
    target = torch.empty_like(source)
    return 2 * size / median(_times(lambda: target.copy_(source), on, repeats))


def _times(work, on: torch.device, repeats: int) -> list[float]:
    """Seconds of each run after two that do not count."""
    times = []
    for _ in range(repeats + 2):
        synchronize(on)
        start = time.perf_counter()
        work()
        synchronize(on)
        times.append(time.perf_counter() - start)
    return times[2:]
