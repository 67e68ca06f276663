"""Precision, recall and F1 of counts, for any number of resamples at once."""

import numpy as np


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def precision_recall_f1(hits: np.ndarray, given: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Rows right, predicted and there, [..., K] each -> [..., 3, K]; NaN where undefined."""
    return np.stack([ratio(hits, given), ratio(hits, there), ratio(2 * hits, given + there)], axis=-2)


def of_table(table: np.ndarray) -> np.ndarray:
    """A confusion matrix [..., K, K] -> [..., 3, K]."""
    return precision_recall_f1(np.diagonal(table, axis1=-2, axis2=-1), table.sum(-2), table.sum(-1))


def mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of values [N], each counted `weights` [b, N] times: [b]."""
    return weights @ values / weights.sum(1)
