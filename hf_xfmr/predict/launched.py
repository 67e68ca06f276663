"""Processes that a launcher began (torchrun, accelerate launch), on one machine or several: each reads the same file
and answers its share of the rows, and the main one writes them all, in their order."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from ..errors import UserError
from ..processes import once
from .row import Row

_File = TypeVar("_File", bound=Any)

WAIT = timedelta(days=1)  # for the slowest of them; one that has ended is noticed at once


def count() -> int:
    """How many processes were begun; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def join() -> None:
    """Know the others, and take the GPU that is this one's."""
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    if not dist.is_initialized():
        dist.init_process_group("gloo", timeout=WAIT)


def begun(begin: Callable[[], _File]) -> tuple[_File | None, int]:
    """The file, begun by the main process alone, and None in the others; and the rows that were in it before."""
    if count() == 1:
        file = begin()
        return file, file.resumed
    mine: list[_File] = []

    @once
    def open_file() -> int:
        mine.append(begin())
        return mine[0].resumed

    before = open_file()
    return (mine[0] if mine else None), before


def leave() -> None:
    """The end for all: nobody goes before the file is whole."""
    if count() == 1:
        return
    import torch.distributed as dist

    try:
        dist.barrier()
    except RuntimeError as error:
        raise _gone(count()) from error
    dist.destroy_process_group()


def check(file: Any, out: Any, processes: int | None) -> None:
    """Raises `UserError` for what several processes that were launched can't do."""
    if count() == 1:
        return
    if processes is not None:
        raise UserError(f"a launcher has begun {count()} processes: leave --processes out")
    if not file or not out:
        raise UserError(f"each of the {count()} processes reads the rows, and one writes them: give --file and --out")


def _gone(processes: int) -> UserError:
    return UserError(
        f"another of the {processes} processes has ended before the last row: the same command goes on with the next "
        "row"
    )


class Share:
    """What answers windows of rows (see answering.py), of which this process answers one in so many as there are."""

    def __init__(self, alone: Any):
        import torch.distributed as dist

        self.alone, self.rank, self.count = alone, dist.get_rank(), dist.get_world_size()
        self.columns, self.depends_on, self.summary = alone.columns, alone.depends_on, alone.summary

    def close(self) -> None:
        """Nothing to end."""

    def __call__(self, windows: Iterator[list[Row]], *, flat: bool) -> Iterator[tuple[list[Row], list[dict]]]:
        """In the main process each window of rows with its answers, in their order; in the others nothing."""
        import torch.distributed as dist

        windows = iter(windows)
        while some := list(islice(windows, self.count)):
            mine = self._answered(some[self.rank], flat) if self.rank < len(some) else []
            found: list[Any] | None = [None] * self.count if self.rank == 0 else None
            try:
                dist.gather_object(mine, found)
            except RuntimeError as error:  # of a connection that is gone
                raise _gone(self.count) from error
            for one in [mine, *(found or [])]:
                if isinstance(one, UserError):
                    raise one
            yield from zip(some, found or (), strict=False)

    def _answered(self, window: list[Row], flat: bool) -> Any:
        try:
            return self.alone.answered(window, flat)
        except UserError as error:  # the main process tells it
            return error
