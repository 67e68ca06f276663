"""Measuring: contestants that take turns, and the most memory one of them held."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

import torch
from torch.profiler import ProfilerActivity, profile

from .machine import synchronize

Work = Callable[[int], object]  # of the turn's number, so that each turn may have another batch


@dataclass(frozen=True)
class Times:
    """Seconds of each contestant's turns; turn i of one had the same batch as turn i of any other."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> tuple[float, float, float]:
        """How many times faster `fast` was: the median over the turns, and the quartiles."""
        ratios = [a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True)]
        if len(ratios) == 1:
            return (ratios[0],) * 3
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        return middle, low, high


def in_turns(contestants: Mapping[str, Work], on: torch.device, *, until: float, turns: int, least: int = 2) -> Times:
    """Let contestants work in turns, after one turn each that does not count, until there were `turns` or, after
    `least`, until `time.perf_counter()` is `until`. Who begins changes with every turn."""
    names = list(contestants)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        contestants[name](0)
    for turn in range(turns):
        if turn >= least and time.perf_counter() > until:
            break
        for name in names if turn % 2 else reversed(names):
            synchronize(on)
            start = time.perf_counter()
            contestants[name](turn)
            synchronize(on)
            taken[name].append(time.perf_counter() - start)
    return Times(taken)


def peak_bytes(work: Callable[[], object], on: torch.device) -> int:
    """The most bytes of tensors that `work` held at one time beyond those that were there before."""
    if on.type == "cuda":
        torch.cuda.reset_peak_memory_stats(on)
        before = torch.cuda.memory_allocated(on)
        work()
        return torch.cuda.max_memory_allocated(on) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # it tells of its own stages among our lines
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        work()
    events = [event for event in run.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most
