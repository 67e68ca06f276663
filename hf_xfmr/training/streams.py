"""A stream dealt out to processes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch.utils.data import IterableDataset

from ..data.row_hash import Passing
from ..errors import UserError


class ShareOfStream(IterableDataset):
    """One process's rows of a stream of which every process reads all: of each `processes * batch_size` rows that
    follow one another its `batch_size`. So no row goes to two, and a step is over the rows that one process with
    batches of that size would take.

    `endless`: the stream is read again and again, and a batch goes on where a pass ends. Otherwise the last batch may
    be short, and a process that has none of it repeats a row; `repeats` then says so.

    `passed` hashes the rows of an `endless` one as they pass, whichever process's they are. After `expect`, rows that
    are not those of before are a `UserError` as soon as so many have passed.
    """

    def __init__(self, rows: Any, *, batch_size: int, processes: int, process: int, endless: bool):
        self.rows, self.batch_size, self.endless = rows, batch_size, endless
        self.processes, self.process = processes, process
        self.repeats = False
        self.passed = Passing()
        self._expected: tuple[int, str, str] | None = None

    def expect(self, rows: int, hash_of_them: str, checkpoint: str) -> None:
        """What the first `rows` rows were when `checkpoint` was saved."""
        self._expected = rows, hash_of_them, checkpoint

    def _pass(self, row: Any) -> None:
        self.passed.add(row)
        if self._expected is None or self.passed.rows != self._expected[0]:
            return
        rows, before, checkpoint = self._expected
        if self.passed.hash != before:
            raise UserError(
                f"{checkpoint} can't be resumed: the first {rows:,} rows of the stream (a hash of them) were {before} "
                f"and are now {self.passed.hash}; go back to what they were, or add --resume false to train from the "
                "beginning, or --weights_only to begin a new run from its weights"
            )

    def __iter__(self) -> Iterator:
        self.repeats = False
        self.passed = Passing()
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
                if self.endless:
                    self._pass(row)
                yield row
            if not found:
                raise UserError("the stream has no row: there is nothing to train on or to evaluate")
            number += 1
