"""Intervals of shares by Wilson (1927), which hold where a bootstrap has nothing to draw: at 0, at 1, of few rows."""

import numpy as np

Z = 1.959964  # of 95 %


def wilson(hits, rows) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % interval of a share, `hits` of `rows` (numbers or arrays); NaN of no rows."""
    hits, rows = np.asarray(hits, float), np.asarray(rows, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits / rows
        middle = share + Z**2 / (2 * rows)
        spread = Z * np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
        low, high = ((middle + sign * spread) / (1 + Z**2 / rows) for sign in (-1, 1))
    # exactly 0 and 1 where rounding left 1e-17
    return np.where(hits == 0, 0.0, np.maximum(low, 0)) + 0 * share, np.where(hits == rows, 1.0, high) + 0 * share


def wilson_f1(hits, given, there) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % interval of an F1 from how many were right, given and there.

    F1 is 2 J / (1 + J) of J = hits / (given + there - hits), and of rows that are hit, missed or wrongly given the hits
    are a share.
    """
    hits = np.asarray(hits, float)
    low, high = wilson(hits, np.asarray(given, float) + np.asarray(there, float) - hits)
    return 2 * low / (1 + low), 2 * high / (1 + high)
