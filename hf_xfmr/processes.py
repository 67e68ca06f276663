"""Several processes run the same code: who prints and writes, and what one does for all."""

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import UserError

_Result = TypeVar("_Result")


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


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    return int(os.environ.get("RANK", "0")) == 0


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
