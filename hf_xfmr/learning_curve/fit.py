"""The learning curve as an inverse power law, error = a + b n^-c, fitted and extrapolated (Cortes et al., 1994;
Figueroa et al., 2012), with the uncertainty of a bootstrap.

An error is 1 - figure where more is better, else the figure. The three numbers are found by least squares over all
runs, a at least 0. Intervals are of fits to redrawn points: each the fitted value and a residual drawn at random
(scaled up by the three degrees of freedom that the fit took). They say what the runs leave open, not that the law
holds: beyond twice the rows an extrapolation is a guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

DRAWS = 300
FEWEST = 4  # different sizes that three numbers are fitted to


@dataclass
class Law:
    """`numbers` [3] are a, b and c; `drawn` [DRAWS, 3] those of the redrawn points. Rows are counted in units of
    `unit`."""

    numbers: np.ndarray
    drawn: np.ndarray
    unit: float

    def error(self, rows: Sequence[float] | np.ndarray | float) -> np.ndarray:
        """The fitted error at so many rows."""
        return _law(self.numbers, np.asarray(rows, float) / self.unit)

    def band(self, rows: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ends of its 95 % interval."""
        of = np.stack([_law(one, np.asarray(rows, float) / self.unit) for one in self.drawn])
        low, high = np.quantile(of, [0.025, 0.975], axis=0)
        return low, high

    def gain(self, rows: float, more: float) -> tuple[float, float, float]:
        """By how much the error falls from so many rows to `more` in addition, and the ends of the 95 % interval."""
        at = np.array([rows, rows + more]) / self.unit

        def falls(numbers: np.ndarray) -> float:
            before, after = _law(numbers, at)
            return float(before - after)

        low, high = np.quantile([falls(one) for one in self.drawn], [0.025, 0.975])
        return falls(self.numbers), float(low), float(high)


def law(rows: Sequence[int], errors: Sequence[float]) -> Law | None:
    """Fitted to runs of so many `rows` and their `errors`, [M] each; None for fewer than `FEWEST` different numbers of
    rows."""
    n, error = np.asarray(rows, float), np.asarray(errors, float)
    if len(set(rows)) < FEWEST:
        return None
    unit = float(np.exp(np.log(n).mean()))
    numbers = _fitted(n / unit, error)
    told = _law(numbers, n / unit)
    residuals = (error - told) * np.sqrt(len(n) / max(1, len(n) - 3))
    draw = np.random.default_rng(0)
    drawn = [_fitted(n / unit, told + draw.choice(residuals, len(n)), start=numbers) for _ in range(DRAWS)]
    return Law(numbers, np.stack(drawn), unit)


def _law(numbers: np.ndarray, n: np.ndarray) -> np.ndarray:
    a, b, c = numbers
    return a + b * n**-c


def _fitted(n: np.ndarray, error: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """a at least 0 and below all errors' mean; b at least 0, so that more rows do no harm; c from 0.05 to 2."""
    most = max(float(error.mean()), 1e-9)
    bounds = ([0, 0, 0.05], [most, np.inf, 2])
    starts = (
        [start]
        if start is not None
        else [np.array([share * most, most / 2, c]) for share in (0, 0.7) for c in (0.3, 1)]
    )
    inside = [np.clip(one, [0, 1e-9, 0.051], [most * 0.999, np.inf, 1.999]) for one in starts]
    found = [least_squares(lambda p: _law(p, n) - error, one, bounds=bounds) for one in inside]
    return min(found, key=lambda one: one.cost).x
