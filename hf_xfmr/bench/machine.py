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


def matrix_rate(dtype: torch.dtype, on: torch.device, *, size: int = 2048, repeats: int = 7) -> float:
    """Floating-point operations per second of a product of square matrices, [size, size] each: the median of some."""
    a, b = torch.randn(2, size, size, device=on).to(dtype)
    return 2 * size**3 / _median_time(lambda: a @ b, on, repeats)


def bandwidth(on: torch.device, *, size: int = 2**28, repeats: int = 7) -> float:
    """Bytes per second of copying `size` bytes within memory, those read and those written."""
    source = torch.zeros(size, dtype=torch.uint8, device=on)
    target = torch.empty_like(source)
    return 2 * size / _median_time(lambda: target.copy_(source), on, repeats)


def _median_time(work, on: torch.device, repeats: int) -> float:
    times = []
    for _ in range(repeats + 2):
        synchronize(on)
        start = time.perf_counter()
        work()
        synchronize(on)
        times.append(time.perf_counter() - start)
    return median(times[2:])
