"""What a machine computes with. The bits of a result depend on it: in which order a sum is taken, and by which
instructions, a library chooses by processor, threads and version."""

import ctypes
import functools
import os
import platform
import re
from pathlib import Path

import torch

WORDS = {
    "processor": "on another processor",
    "threads": "with another number of threads",
    "torch": "with another version of torch",
}


def processor() -> str:
    """The name of this machine's processor, and its number of cores."""
    return f"{processor_name()}, {os.cpu_count()} cores"


def processor_name() -> str:
    names = re.findall(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    return names[0] if names else platform.processor() or platform.machine()


def describe(device: torch.device) -> dict[str, str | int]:
    """The facts of `WORDS`, of computing on `device`: a GPU's name, or a processor's with the instructions used."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{processor_name()} with {torch.backends.cpu.get_cpu_capability()}"
    return {"processor": name, "threads": torch.get_num_threads(), "torch": str(torch.__version__)}


def change(before: dict, now: dict) -> str | None:
    """One line on what differs between two of these; None if nothing does that both of them tell."""
    changed = [
        f"{words} ({now[name]}, was {before[name]})"
        for name, words in WORDS.items()
        if name in before and name in now and before[name] != now[name]
    ]
    return f"resumed {' and '.join(changed)}: bits may differ from an undisturbed run" if changed else None


def give_back_memory() -> None:
    """Have the C library give the system back what it has freed, where it can (glibc).

    For batches of ever other lengths oneDNN keeps ever other kernels, up to 1,024, and between these lie holes: a
    classifier of 6 layers grew by 130 MB over 8,000 rows, of which 24 MB were in use.
    """
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@functools.cache
def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
