"""A stream dealt out to processes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch.utils.data import IterableDataset

from ..errors import UserError


class ShareOfStream(IterableDataset):
    """One process's rows of a stream of which every process reads all: of each `processes * batch_size` rows that
    follow one another its `batch_size`. So no row goes to two, and a step is over the rows that one process with
    batches of that size would take.

    `endless`: the stream is read again and again, and a batch goes on where a pass ends. Otherwise the last batch may
    be short, and a process that has none of it repeats a row; `repeats` then says so.
    """

    def __init__(self, rows: Any, *, batch_size: int, processes: int, process: int, endless: bool):
        self.rows, self.batch_size, self.endless = rows, batch_size, endless
        self.processes, self.process = processes, process
        self.repeats = False

    def __iter__(self) -> Iterator:
        self.repeats = False
        rows, start = self._passes(), self.process * self.batch_size
        while batch := list(islice(rows, self.processes * self.batch_size)):
            own = batch[start : start + self.batch_size]
            if not own:
                self.repeats, own = True, batch[:1]
            yield from own

    def _passes(self) -> Iterator:
        number = 0
        while number == 0 or self.endless:
            if hasattr(self.rows, "set_epoch"):
                self.rows.set_epoch(number)
            found = False
            for row in self.rows:
                found = True
                yield row
            if not found:
                raise UserError("the stream has no row: there is nothing to train on or to evaluate")
            number += 1
