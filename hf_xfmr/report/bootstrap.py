"""Bootstrap intervals (Efron, 1979): how far a figure would move, had other rows been drawn.

Everything is vectorised over the resamples and seeded, so that the same predictions always give the same interval.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
FEWEST = 10  # rows that tell how far others would differ; resamples of fewer are a handful of rows again and again
_NUMBERS_AT_ONCE = 1_000_000  # bounds the memory a block of resamples takes


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % percentile interval along axis 0; NaN (undefined in a resample) counts as not drawn."""
    values = np.asarray(values, float)
    ends = np.full((2, *values.shape[1:]), np.nan)
    defined = ~np.isnan(values).all(axis=0)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    ends[:, defined] = np.nanquantile(values[:, defined], tails, axis=0)
    return ends[0], ends[1]


def counts(table: np.ndarray, *, seed: int = 0) -> Iterator[np.ndarray]:
    """Resampled tables of counts in blocks [b, *table.shape], RESAMPLES in all.

    Drawing rows with replacement and counting them is a multinomial draw of the counts: exact for every figure that
    depends on the table alone (accuracy, F1, MCC), and independent of the number of rows.
    """
    generator, filled, total = np.random.default_rng(seed), table > 0, table.sum()
    for b in _blocks(table.size):
        block = np.zeros((b, *table.shape), dtype=np.int64)
        block[:, filled] = generator.multinomial(total, table[filled] / total, size=b)
        yield block


def weights(rows: int, *, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each of `rows` rows is drawn, in blocks [b, rows], RESAMPLES in all."""
    generator = np.random.default_rng(seed)
    for b in _blocks(rows):
        drawn = generator.integers(rows, size=(b, rows)) + np.arange(b)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=b * rows).reshape(b, rows).astype(float)


def _blocks(size: int) -> Iterator[int]:
    block = max(1, min(RESAMPLES, _NUMBERS_AT_ONCE // size))
    for start in range(0, RESAMPLES, block):
        yield min(block, RESAMPLES - start)


def resample(figures: Callable[[np.ndarray], np.ndarray], blocks: Iterable[np.ndarray]) -> np.ndarray:
    """`figures(block [b, ...]) -> [b, F...]` over all blocks of `counts` or `weights`: [RESAMPLES, F...]."""
    return np.concatenate([figures(block) for block in blocks])


def pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted correlation of x and y ([n] or [b, n]) for weights [b, n]: [b].

    NaN where x does not vary; 0 where only y does not, which then explains nothing of x.
    """
    total = weights.sum(1, keepdims=True)
    x = x - (weights * x).sum(1, keepdims=True) / total
    y = y - (weights * y).sum(1, keepdims=True) / total
    both, xx, yy = ((weights * product).sum(1) for product in (x * y, x * x, y * y))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(yy > 1e-24, both / np.sqrt(xx * yy), 0.0)
    return np.where(xx > 1e-24, correlation, np.nan)


def weighted_ranks(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mid-rank [b, n] each x [n] has among rows drawn `weights` [b, n] times; Pearson of these is Spearman."""
    _, group = np.unique(x, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    tied = np.add.reduceat(weights[:, order], starts, axis=1)  # [b, distinct x]
    return (np.cumsum(tied, axis=1) - (tied - 1) / 2)[:, group]
