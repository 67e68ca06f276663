"""Requests that come one by one are computed together: a queue of rows, and one thread that takes a batch at a time.

The event loop never computes and the thread never waits for a client. Rows, not requests, stand in the queue: a request
of many texts shares batches with its neighbours and does not hold them up.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from . import refusals
from .limits import Limits
from .metrics import Metrics

RATE_MEMORY = 0.9  # of the rows a second so far, by which Retry-After is guessed


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

    __slots__ = ("job", "row")

    def __init__(self, job: Job, row: int):
        self.job, self.row = job, row

    @property
    def given(self) -> Any:
        return self.job.rows[self.row]

    @property
    def is_over(self) -> bool:
        return self.job.is_over

    def say(self, piece: Any) -> None:
        self.job.say(self.row, piece)


class Batcher:
    """`prepare` is called first in the thread, and `ready` when it is done, with what went wrong if anything did.
    `compute` takes the entries of a batch and their key, and returns an answer, or an exception, for each."""

    def __init__(
        self,
        prepare: Callable[[], None],
        ready: Callable[[Exception | None], None],
        compute: Callable[[Sequence[Entry], Any], Sequence[Any]],
        limits: Limits,
        metrics: Metrics,
    ):
        self.prepare, self.ready, self.compute = prepare, ready, compute
        self.limits, self.metrics = limits, metrics
        self.queue: deque[Entry] = deque()
        self.changed = threading.Condition()
        self.is_ready = self.is_stopping = False
        self.is_patient = True  # rows wait for company
        self.rate = 0.0  # rows a second
        self.thread = threading.Thread(target=self._work, name="model", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def open(self) -> None:
        """Take rows from now on."""
        self.is_ready = True
        self.metrics.ready.set(1)

    def hurry(self) -> None:
        """Compute what was accepted without waiting for more."""
        with self.changed:
            self.is_patient = False
            self.changed.notify_all()

    def stop(self) -> None:
        """Compute what was accepted, and end."""
        with self.changed:
            self.is_stopping, self.is_patient = True, False
            self.changed.notify_all()
        self.thread.join()

    async def answers(self, job: Job, timeout: float | None = None) -> list:
        """The answers of a job's rows. Raises `Refusal`: no room in the queue, or no answer in time. Whoever is
        cancelled while waiting takes the job's rows out of the queue."""
        self.add(job)
        return await self.wait(job, timeout)

    def add(self, job: Job) -> None:
        """Raises `Refusal` where the queue has no room for all of it."""
        with self.changed:
            self.check_room(len(job.rows))
            self.queue.extend(Entry(job, row) for row in range(len(job.rows)))
            self.metrics.waiting.set(len(self.queue))
            self.changed.notify()

    def check_room(self, rows: int) -> None:
        """Raises `Refusal` unless the model is ready and so many rows find room in the queue."""
        if not self.is_ready or self.is_stopping:
            raise refusals.not_ready(f"the server is {'stopping' if self.is_stopping else 'reading its model'}")
        if len(self.queue) + rows > self.limits.max_queue:
            self.metrics.refused.inc()
            raise refusals.full(self._seconds_until_empty())

    async def wait(self, job: Job, timeout: float | None = None) -> list:
        seconds = self.limits.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                return await job.done
        except TimeoutError:
            raise refusals.timed_out(seconds) from None
        finally:
            self.drop(job)

    def drop(self, job: Job) -> None:
        """Nobody waits for it any more."""
        if job.is_over:
            return
        job.is_over = True
        self.metrics.cancelled.inc()
        with self.changed:
            kept = [entry for entry in self.queue if entry.job is not job]
            self.queue.clear()
            self.queue.extend(kept)
            self.metrics.waiting.set(len(kept))

    def _seconds_until_empty(self) -> int:
        return max(1, min(60, math.ceil(len(self.queue) / self.rate))) if self.rate else 1

    def _work(self) -> None:
        try:
            self.prepare()
        except Exception as error:
            self.ready(error)
            return
        self.ready(None)
        while batch := self._batch():
            begun = time.monotonic()
            for entry in batch:
                self.metrics.waited.observe(begun - entry.job.since)
            self.metrics.batch.observe(len(batch))
            self._compute(batch)
            seconds = time.monotonic() - begun
            self.metrics.computed.observe(seconds)
            self.metrics.rows.inc(len(batch))
            self.rate = RATE_MEMORY * self.rate + (1 - RATE_MEMORY) * len(batch) / max(seconds, 1e-6)

    def _batch(self) -> list[Entry]:
        """The next rows of one key, oldest first; waits for more only while the oldest has not waited long enough, and
        nothing that could not join it waits behind. Empty: the server stops."""
        with self.changed:
            while True:
                while not self.queue and not self.is_stopping:
                    self.changed.wait()
                if not self.queue:
                    return []
                first = self.queue[0].job
                mates = sum(1 for entry in self.queue if entry.job.key == first.key)
                left = first.since + self.limits.max_wait_ms / 1000 - time.monotonic()
                if mates >= self.limits.batch_size or left <= 0 or mates < len(self.queue) or not self.is_patient:
                    return self._take(first.key)
                self.changed.wait(left)

    def _take(self, key: Hashable) -> list[Entry]:
        taken: list[Entry] = []
        kept: list[Entry] = []
        for entry in self.queue:
            if entry.job.key == key and len(taken) < self.limits.batch_size:
                taken.append(entry)
            else:
                kept.append(entry)
        self.queue.clear()
        self.queue.extend(kept)
        self.metrics.waiting.set(len(kept))
        return taken

    def _compute(self, batch: Sequence[Entry]) -> None:
        """Compute a batch. Where that fails, each row alone: one that breaks the model costs the others no answer."""
        try:
            answers = self.compute(batch, batch[0].job.key)
        except Exception as error:
            if len(batch) == 1:
                batch[0].job.set(batch[0].row, error)
                return
            for entry in batch:
                if not entry.is_over:
                    self._compute([entry])
            return
        for entry, answer in zip(batch, answers, strict=True):
            entry.job.set(entry.row, answer)
