"""A model against a rival on the same rows: the `comparison.figure` of one figure, `a` the rival's and `b` the model's,
and the 95 % interval of the model's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binomtest

from . import bootstrap
from .comparison import figure
from .intervals import wilson, wilson_f1

Contest = tuple[dict[str, Any], tuple[float, float]]


def right_or_wrong(name: str, theirs: np.ndarray, ours: np.ndarray) -> Contest:
    """McNemar's exact test of which rows are right, bool [N] both."""
    cells = np.array(
        [[(~theirs & ~ours).sum(), (~theirs & ours).sum()], [(theirs & ~ours).sum(), (theirs & ours).sum()]]
    )
    only_theirs, only_ours = int(cells[1, 0]), int(cells[0, 1])
    apart = only_theirs + only_ours
    p = binomtest(only_ours, apart).pvalue if apart else 1.0
    rows = len(ours)
    drawn = bootstrap.resample(lambda table: (table[:, 0, 1] - table[:, 1, 0]) / rows, bootstrap.counts(cells))
    found = figure(name, (theirs.mean(), ours.mean()), drawn, p, "mcnemar", rows=rows)
    low, high = wilson(ours.sum(), rows)
    return found, (float(low), float(high))


def f1_of_counts(name: str, theirs: np.ndarray, ours: np.ndarray) -> Contest:
    """A paired bootstrap of the F1 of all rows' counts [N, 3] together: right, given, there."""
    kinds, times = np.unique(np.concatenate([theirs, ours], axis=1), axis=0, return_counts=True)

    def f1(weights: np.ndarray, side: slice) -> np.ndarray:
        right, given, there = (weights @ kinds[:, side]).T
        return 2 * right / np.maximum(given + there, 1)

    found, interval = drawn(name, lambda w: (f1(w, slice(0, 3)), f1(w, slice(3, 6))), times)
    return found, (interval if interval[0] < interval[1] else _ends(wilson_f1(*ours.sum(0))))


def drawn(
    name: str,
    of: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    times: np.ndarray,
    better: str = "higher",
) -> Contest:
    """A paired bootstrap: `of(weights [b, U])` gives the rival's and the model's figure [b] each, where rows of kind u
    occur `times[u]` times."""
    values = [float(one[0]) for one in of(times[None].astype(float))]
    blocks = list(bootstrap.counts(times))
    both = [np.concatenate(side) for side in zip(*(of(block) for block in blocks), strict=True)]
    found = figure(name, values, both[1] - both[0], None, "bootstrap", better, rows=int(times.sum()))
    return found, _ends(bootstrap.interval(both[1]))


def of_rows(name: str, of: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], rows: int, better: str) -> Contest:
    """The same where each of the rows is of its own kind."""
    values = [float(one[0]) for one in of(np.ones((1, rows)))]
    both = [np.concatenate(side) for side in zip(*map(of, bootstrap.weights(rows)), strict=True)]
    found = figure(name, values, both[1] - both[0], None, "bootstrap", better)
    return found, _ends(bootstrap.interval(both[1]))


def perplexity(name: str, theirs: np.ndarray, ours: np.ndarray, tokens: np.ndarray) -> Contest:
    """A paired bootstrap of exp(nats a token) over texts: nats [N] of each, and their tokens [N]."""

    def of(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.maximum(weights @ tokens, 1e-9)
        return tuple(np.exp(np.minimum(weights @ nats / total, 700)) for nats in (theirs, ours))  # type: ignore[return-value]

    return of_rows(name, of, len(tokens), "lower")


def _ends(interval) -> tuple[float, float]:
    return float(interval[0]), float(interval[1])
