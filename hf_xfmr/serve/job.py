"""What one request has to be computed: its rows, who waits for them, and what becomes of each."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any


class Job:
    """The rows of one request. Rows of one `key` may be computed together. `tell`, if there is one, is called in the
    event loop with what the model says of a row before it is done."""

    def __init__(self, rows: Sequence[Any], key: Hashable, tell: Callable[[int, Any], None] | None = None):
        self.rows, self.key, self.tell = list(rows), key, tell
        self.answers: list[Any] = [None] * len(self.rows)
        self.left = len(self.rows)
        self.since = time.monotonic()
        self.is_over = False  # answered, refused, or its client has gone: what is left of it is not computed
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future = self.loop.create_future()

    def say(self, row: int, piece: Any) -> None:
        """From the thread: part of a row's answer."""
        if self.tell is not None:
            self.loop.call_soon_threadsafe(self.tell, row, piece)

    def set(self, row: int, answer: Any) -> None:
        """From the thread: a row's answer, or the exception that it has instead."""
        self.answers[row] = answer
        self.left -= 1
        failed = isinstance(answer, BaseException)
        if not self.is_over and (failed or not self.left):
            self.is_over = True
            self.loop.call_soon_threadsafe(self._finish, answer if failed else None)

    def _finish(self, error: BaseException | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(self.answers)
            else:
                self.done.set_exception(error)


class Entry:
    """A row in the queue."""

    __slots__ = ("has_said", "job", "row")

    def __init__(self, job: Job, row: int):
        self.job, self.row, self.has_said = job, row, False

    @property
    def given(self) -> Any:
        return self.job.rows[self.row]

    @property
    def is_over(self) -> bool:
        return self.job.is_over

    def say(self, piece: Any) -> None:
        self.has_said = True
        self.job.say(self.row, piece)
