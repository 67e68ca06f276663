"""Several processes run the same code: who prints and writes, and what one does for all."""

import functools
import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import UserError

_Result = TypeVar("_Result")
LAUNCHERS = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE")  # set by launchers


def once(do: Callable[..., _Result]) -> Callable[..., _Result]:
    """The same function, run by the main process alone, which gives the result to all; a `UserError` is raised by all.
    Where processes do not know one another yet, each runs it."""

    @functools.wraps(do)
    def run(*args, **kwargs) -> _Result:
        import torch.distributed as dist  # heavy

        if not dist.is_initialized() or dist.get_world_size() == 1:
            return do(*args, **kwargs)
        answer: list[Any] = [None, None]
        if dist.get_rank() == 0:
            try:
                answer[0] = do(*args, **kwargs)
            except UserError as error:
                answer[1] = str(error)
        dist.broadcast_object_list(answer, src=0)
        if answer[1] is not None:
            raise UserError(answer[1])
        return answer[0]

    return run


def check_launched() -> None:
    """Raises `UserError` for variables of a launcher that no launcher sets so: no numbers, or some without others."""
    unset = f"unset {' '.join(LAUNCHERS)}, or begin with accelerate launch"
    numbers = {}
    for name in LAUNCHERS:
        value = os.environ.get(name)
        if value is None or name == "MASTER_ADDR":
            continue
        if not re.fullmatch("-1|[0-9]{1,6}", value):
            raise UserError(f"{name} is {value!r} in the environment, and no whole number: {unset}")
        numbers[name] = int(value)
    size, rank = numbers.get("WORLD_SIZE", 1), numbers.get("RANK", 0)
    if size < 1 or not 0 <= rank < size:
        raise UserError(f"WORLD_SIZE is {size} and RANK {rank} in the environment, which can't be: {unset}")
    if lacking := [name for name in LAUNCHERS[:5] if name not in os.environ]:
        for name in ("WORLD_SIZE", "LOCAL_RANK"):  # either makes torch look for other processes
            if numbers.get(name, -1) >= (2 if name == "WORLD_SIZE" else 0):
                raise UserError(f"{name} is {numbers[name]} in the environment, without {lacking[0]}: {unset}")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    rank = os.environ.get("RANK", "0")
    return not rank.isdecimal() or int(rank) == 0  # of one that is no number `check_launched` tells


def keep_quiet() -> None:
    """Leave progress and warnings to the main process."""
    if not is_main():
        import datasets
        import transformers
        from tqdm import tqdm

        logging.getLogger("hf_xfmr").setLevel(logging.ERROR)
        transformers.utils.logging.set_verbosity_error()
        datasets.disable_progress_bars()
        tqdm.__init__ = functools.partialmethod(tqdm.__init__, disable=True)  # type: ignore[method-assign]


def let_main_speak_first() -> None:
    """Wait a moment before an error is printed: of one that all processes met, the launcher then ends the others."""
    if not is_main():
        time.sleep(3)
