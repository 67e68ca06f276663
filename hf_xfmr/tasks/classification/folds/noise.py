"""Which labels look wrong, by what models say that had not seen the row: confident learning (Northcutt, Jiang and
Chuang, 2021), by cleanlab.

A row counts as surely of a label if the label's out-of-fold probability is at least what rows with that label get on
average. From how often rows with one label are surely of another, the joint distribution of given and true labels is
estimated, and so many rows of each pair are taken to be wrong, those of the largest margin first ("prune by noise
rate"). Ratings have no such classes: there a row is looked at whose error is far outside the others'.
"""

from typing import NamedTuple

import numpy as np

from ..problem import Problem

CLOSE = 0.1  # of probability, between the two likeliest labels, below which a row is ambiguous
FAR = 3.5  # of the modified z-score, beyond which a value is an outlier (Iglewicz and Hoaglin, 1993)


class Found(NamedTuple):
    """Places of rows, the worst first: `wrong` look wrongly labelled, `ambiguous` are between two labels. `quality`
    [N], 0 to 1, is how well a row's label agrees with what was predicted (of ratings the same of the error)."""

    wrong: np.ndarray
    ambiguous: np.ndarray
    quality: np.ndarray


def find(problem: Problem, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None) -> Found:
    """`gold` and `predicted` are as the problem's class says (see `Problem`), of all N rows; `probabilities` [N, K] are
    out of fold, None for ratings."""
    if probabilities is None:
        return _ratings(gold, predicted)
    wrong, quality = (_several if problem.several else _single)(gold, probabilities)
    if problem.several:
        between = np.abs(2 * probabilities - 1).min(axis=1)
    else:
        two = np.sort(probabilities, axis=1)[:, -2:]
        between = two[:, 1] - two[:, 0]
    mask = np.zeros(len(gold), dtype=bool)
    mask[wrong] = True
    ambiguous = np.flatnonzero((between < CLOSE) & ~mask)
    return Found(wrong, ambiguous[np.argsort(between[ambiguous], kind="stable")], quality)


def _single(gold: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from cleanlab import filter, rank  # take seconds to import

    there, labels = np.unique(gold, return_inverse=True)  # a label of a dataset's list may have no row
    shares = probabilities[:, there] / probabilities[:, there].sum(axis=1, keepdims=True)
    mask = filter.find_label_issues(labels, shares, n_jobs=1)
    wrong = rank.order_label_issues(mask, labels, shares, rank_by="normalized_margin")
    return wrong, rank.get_label_quality_scores(labels, shares)


def _several(gold: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from cleanlab.multilabel_classification import filter, rank

    lists = [list(np.flatnonzero(row)) for row in gold]
    quality = rank.get_label_quality_scores(lists, probabilities)
    mask = filter.find_label_issues(lists, probabilities, n_jobs=1)
    # else there is nothing to suggest
    wrong = np.flatnonzero(mask & (gold != (probabilities >= 0.5)).any(axis=1))
    return wrong[np.argsort(quality[wrong], kind="stable")], quality


def _ratings(gold: np.ndarray, predicted: np.ndarray) -> Found:
    error = predicted - gold
    middle = np.median(error)
    spread = np.median(np.abs(error - middle)) / 0.6745
    score = np.abs(error - middle) / spread if spread else np.zeros(len(error))
    far = np.flatnonzero(score > FAR)
    return Found(far[np.argsort(-score[far], kind="stable")], np.zeros(0, dtype=int), np.exp(-score / FAR))
