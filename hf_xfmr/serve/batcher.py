"""Requests that come one by one are computed together: a queue of rows, and one thread that takes a batch at a time.

The event loop never computes and the thread never waits for a client. Rows, not requests, stand in the queue: a request
of many texts shares batches with its neighbours and does not hold them up.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from . import refusals
from .job import Entry, Job
from .limits import Limits
from .metrics import Metrics

RATE_MEMORY = 0.9  # of the rows a second so far, by which Retry-After is guessed
PACE = 1.0  # seconds after which a batch that others join is counted, whose end may never come

More = Callable[[int], list[Entry]]


class Batcher:
    """`prepare` is called first in the thread, and `ready` when it is done, with what went wrong if anything did.
    `compute` takes the entries of a batch and their key, and yields each with its answer, or the exception that it has
    instead; through its third argument it may ask for as many more as there is room for, of those that wait."""

    def __init__(
        self,
        prepare: Callable[[], None],
        ready: Callable[[Exception | None], None],
        compute: Callable[[Sequence[Entry], Any, More], Iterable[tuple[Entry, Any]]],
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
            self._compute(batch, lambda most: self._joining(batch[0].job.key, most))

    def _joining(self, key: Hashable, most: int) -> list[Entry]:
        """Those that wait for what is being computed already."""
        with self.changed:
            return self._take(key, most) if most > 0 and self.queue else []

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
                    return self._take(first.key, self.limits.batch_size)
                self.changed.wait(left)

    def _take(self, key: Hashable, most: int) -> list[Entry]:
        taken: list[Entry] = []
        kept: list[Entry] = []
        for entry in self.queue:
            (taken if entry.job.key == key and len(taken) < most else kept).append(entry)
        self.queue.clear()
        self.queue.extend(kept)
        self.metrics.waiting.set(len(kept))
        now = time.monotonic()
        for entry in taken:
            self.metrics.waited.observe(now - entry.job.since)
        return taken

    def _compute(self, batch: Sequence[Entry], more: More) -> None:
        """Compute a batch. Where that fails, each row alone, but those of which something was said: one that breaks the
        model costs the others no answer."""
        left = set(batch)
        pace = _Pace(self)
        self.metrics.batch.observe(len(left))

        def joining(most: int) -> list[Entry]:
            if joined := more(most):
                left.update(joined)
                self.metrics.batch.observe(len(left))
            pace.told()
            return joined

        try:
            for entry, answer in self.compute(batch, batch[0].job.key, joining):
                entry.job.set(entry.row, answer)
                left.discard(entry)
                pace.answered += 1
        except Exception as error:
            for entry in left:
                if len(left) == 1 or entry.has_said:
                    entry.job.set(entry.row, error)
                elif not entry.is_over:
                    self._compute([entry], lambda most: [])
        pace.told(is_over=True)


class _Pace:
    """How many rows a second are answered."""

    def __init__(self, batcher: Batcher):
        self.batcher, self.answered, self.since = batcher, 0, time.monotonic()

    def told(self, *, is_over: bool = False) -> None:
        """Counted at the end of a batch, and of one that others join now and then."""
        seconds = time.monotonic() - self.since
        if not self.answered or not (is_over or seconds > PACE):
            return
        own = self.batcher
        own.metrics.computed.observe(seconds)
        own.metrics.rows.inc(self.answered)
        own.rate = RATE_MEMORY * own.rate + (1 - RATE_MEMORY) * self.answered / max(seconds, 1e-6)
        self.answered, self.since = 0, time.monotonic()
