"""Rows dealt out to several processes of this machine; their answers, in the order of the rows."""

import importlib.util
import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import UserError
from ..processes import cores
from .answers import answer, load
from .row import Row

AHEAD = 2  # windows that a process has at a time: one that it computes, one that waits
OPEN = 4  # windows for each process that may be under way, so that few wait for one that takes long


class Pool:
    """So many processes, each with the model. Threads of the CPU are shared out, GPUs too. What becomes of one becomes
    of all: one that ends before the last row makes an error of the call, and one whose caller has ended, ends."""

    def __init__(self, count: int, model: str, options: dict[str, Any], batch_size: int):
        context = multiprocessing.get_context("spawn")
        self.workers, self.pipes, self.count = [], [], count
        with _threads(count):
            for number in range(count):
                ours, theirs = context.Pipe()
                arguments = (theirs, number, model, options, batch_size)
                worker = context.Process(target=_work, args=arguments, daemon=True)
                worker.start()
                theirs.close()
                self.workers.append(worker)
                self.pipes.append(ours)
        try:
            first, *_ = [self._received(number) for number in range(count)]
        except BaseException:
            self.close()
            raise
        self.columns, self.depends_on = first

    def _received(self, number: int) -> Any:
        """The next that a process says. Raises `UserError` for what it met, and where it has ended."""
        try:
            kind, value = self.pipes[number].recv()
        except (EOFError, OSError):
            self.workers[number].join(5)
            code = self.workers[number].exitcode
            how = f"signal {-code}, as where memory runs out" if code is not None and code < 0 else f"exit code {code}"
            raise UserError(
                f"process {number + 1} of {self.count} has ended before the last row ({how}): the same command goes on "
                "with the next row"
            ) from None
        if kind == "error":
            raise UserError(value)
        if kind == "crash":
            raise RuntimeError(f"process {number + 1} of {self.count} failed:\n{value}")
        return value

    def __call__(self, windows: Iterator[list[Row]], *, flat: bool) -> Iterator[tuple[list[Row], list[dict]]]:
        """Each window of rows with its answers, in their order; `flat`: as rows of a table."""
        rest = iter(enumerate(windows))
        given: dict[int, list[Row]] = {}
        found: dict[int, list[dict]] = {}
        load, number, has_more = [0] * self.count, 0, True
        while has_more or given:
            while has_more and len(given) < OPEN * self.count and min(load) < AHEAD:
                try:
                    index, window = next(rest)
                except StopIteration:
                    has_more = False
                    break
                least = load.index(min(load))
                given[index] = window
                load[least] += 1
                with suppress(OSError):  # it has ended, which is told where its answer is waited for
                    self.pipes[least].send(("rows", (index, [row._replace(kept=None) for row in window], flat)))
            for pipe in wait([pipe for pipe, some in zip(self.pipes, load, strict=True) if some]):
                place = self.pipes.index(pipe)  # type: ignore[arg-type]
                index, answers = self._received(place)
                load[place] -= 1
                found[index] = answers
            while number in found:
                yield given.pop(number), found.pop(number)
                number += 1

    def summary(self, rows: int, unsure: int) -> str | None:
        """What the model's predictor says in the end."""
        self.pipes[0].send(("summary", (rows, unsure)))
        return self._received(0)

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.close()
        for worker in self.workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Processes that begin here share the processor's cores, unless the user has said how many threads each has."""
    name = "OMP_NUM_THREADS"
    if name in os.environ:
        yield
        return
    os.environ[name] = str(max(1, cores() // count))
    try:
        yield
    finally:
        del os.environ[name]


def _work(pipe: Connection, number: int, model: str, options: dict[str, Any], batch_size: int) -> None:
    """What each process does, until its caller ends or closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's, who then ends this one
    asked: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, asked), daemon=True).start()
    if number:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  what is said is said once
    try:
        _answer_all(pipe, asked, number, model, options, batch_size)
    except UserError as error:
        pipe.send(("error", str(error)))
    except Exception:
        pipe.send(("crash", traceback.format_exc()))
    asked.get()  # the caller closes the pipe
    threading.Event().wait(5)


def _answer_all(pipe: Connection, asked: Any, number: int, model: str, options: dict[str, Any], batch: int) -> None:
    if options.get("engine") in (None, "torch") and importlib.util.find_spec("torch"):
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(number % torch.cuda.device_count())
    predictor = load(model, **options)
    pipe.send(("ready", (predictor.columns, predictor.depends_on)))
    while True:
        kind, value = asked.get()
        if kind == "summary":
            pipe.send(("said", predictor.summary(*value)))
            continue
        index, rows, flat = value
        answers = answer(predictor, rows, batch)
        pipe.send(("answers", (index, [predictor.flat(one) for one in answers] if flat else answers)))


def _listen(pipe: Connection, asked: Any) -> None:
    """Take what the caller sends, so that it never waits; end where it has ended."""
    while True:
        try:
            asked.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(0)
