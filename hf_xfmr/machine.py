"""What a machine computes with. The bits of a result depend on it: in which order a sum is taken, and by which
instructions, a library chooses by processor, threads and version. And how much memory it lets a process have."""

import ctypes
import functools
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch  # imported where it is asked for: what answers without it imports this too

WORDS = {
    "processor": "on another processor",
    "threads": "with another number of threads",
    "torch": "with another version of torch",
}
CGROUPS = Path("/sys/fs/cgroup")  # where Linux keeps the limits of containers, jobs and services
OWN_GROUPS = "/proc/self/cgroup"


def processor() -> str:
    """The name of this machine's processor, and its number of cores."""
    return f"{processor_name()}, {os.cpu_count()} cores"


def processor_name() -> str:
    names = re.findall(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    return names[0] if names else platform.processor() or platform.machine()


def describe(device: "torch.device") -> dict[str, str | int]:
    """The facts of `WORDS`, of computing on `device`: a GPU's name, or a processor's with the instructions used."""
    import torch

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


def memory() -> int:
    """Bytes that this process can have in all: the machine's, or what its container, job or `ulimit -v` allows."""
    return min(psutil.virtual_memory().total, *(limit for limit, _ in _limits()))


def free_memory() -> int:
    """Bytes that this process can have beyond what it has: the least that the machine and each limit leave."""
    left = (limit - used for limit, used in _limits())
    return max(0, min(psutil.virtual_memory().available, *left))


def _limits() -> Iterator[tuple[int, int]]:
    """(limit, used) of the address space, and of each group of processes that holds this one."""
    yield _address_space()
    for line in _read(OWN_GROUPS).splitlines():
        _, kinds, place = line.split(":", 2)
        if not kinds:  # version 2
            yield from _groups(CGROUPS, place, "memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _groups(CGROUPS / "memory", place, *names)


def _groups(root: Path, place: str, limit: str, usage: str, cached: str) -> Iterator[tuple[int, int]]:
    """Those of the group at `place` and of all above it. Within a container the root itself is the container's, and
    `place` may be one that only the host sees. What files have read can be had back, so that it is not used."""
    own = root / place.strip("/")
    for folder in (own, *own.parents):
        if not folder.is_relative_to(root):
            return
        most, used = _number(folder / limit), _number(folder / usage)
        if most is not None and used is not None:
            found = re.search(rf"^{cached} (\d+)$", _read(str(folder / "memory.stat")), re.MULTILINE)
            yield most, max(0, used - (int(found[1]) if found else 0))


def _number(path: Path) -> int | None:
    """What a file of one number holds; None for `max` and where there is none."""
    text = _read(str(path)).strip()
    return int(text) if text.isdecimal() else None


def _address_space() -> tuple[int, int]:
    try:
        import resource
    except ImportError:  # Windows
        return sys.maxsize, 0
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return (sys.maxsize, 0) if soft == resource.RLIM_INFINITY else (soft, psutil.Process().memory_info().vms)


def give_back_memory() -> None:
    """Have the C library give the system back what it has freed, where it can (glibc).

    For batches of ever other lengths oneDNN keeps ever other kernels, up to 1,024, and between these lie holes: a
    classifier of 6 layers grew by 130 MB over 8,000 rows, of which 24 MB were in use.
    """
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


# By glibc's numbers for `mallopt`: from how many bytes on memory is asked of the system by itself, how many may lie
# idle at the end of the heap, and by how many that grows. The second are those that glibc's own adjusting ends at.
_KEPT = {-3: 2**30, -1: 2**31 - 1, -2: 2**26}
_GIVEN_BACK = {-3: 2**25, -1: 2**26, -2: 2**17}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Within, the C library keeps what is freed for what is allocated next, where it can (glibc).

    A training step frees all it took, and the next takes as much again. What went back to the system meanwhile comes
    page by page, and filled with zeros: of BERT-base 0.2 s of a step of 1.6 s.
    """
    option = getattr(_c_library(), "mallopt", None) or (lambda name, size: 0)
    try:
        for name, size in _KEPT.items():
            option(name, size)
        yield
    finally:
        for name, size in _GIVEN_BACK.items():
            option(name, size)
        give_back_memory()


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


def environment() -> dict[str, str]:
    """What a report of a fault should say: versions of what computes, reads and writes, the platform, the devices."""
    import torch

    named = ("hf_xfmr", "torch", "transformers", "tokenizers", "datasets", "accelerate", "safetensors", "numpy", "peft")
    found = {}
    for name in named:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    devices = [torch.cuda.get_device_name(one) for one in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("Apple GPU (mps)")
    return found | {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "processor": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(torch.get_num_threads()),
        "memory": f"{memory() / 1e9:.1f} GB",
        "devices": ", ".join(devices) or "none beside the processor",
    }
