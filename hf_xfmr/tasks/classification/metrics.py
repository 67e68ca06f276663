"""Metrics of classification and regression over scikit-learn and scipy, which never ask the network for anything.

The arithmetic is in plain functions of (labels, predictions) that return a flat `{name: float}`: a kind of problem and
the `evaluate.Metric` classes at the foot both call them. Labels and predictions
are class indices [N], or 0/1 indicators [N, C] where a row can have several labels (multi-label).

A figure that is undefined on the given rows is left out and the reason logged once, never returned as NaN.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import evaluate
import numpy as np
from datasets import Features, Value
from datasets import Sequence as ListOf
from scipy import stats
from sklearn import metrics as sk
from transformers.utils import logging

logger = logging.get_logger(__name__)


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """`accuracy`; for indicators [N, C] `subset_accuracy` (whole row right) and `hamming_loss` (share wrong)."""
    if labels.ndim == 1:
        return {"accuracy": float(np.mean(labels == predictions))}
    right = labels == predictions
    return {"subset_accuracy": float(right.all(1).mean()), "hamming_loss": float(1 - right.mean())}


def f1(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """`f1_macro`, `f1_micro`, `f1_weighted` over the classes that occur; 0 for a class that is never predicted."""
    kinds = ("macro", "micro", "weighted")
    return {f"f1_{kind}": float(sk.f1_score(labels, predictions, average=kind, zero_division=0)) for kind in kinds}


def matthews_correlation(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """`mcc` in [-1, 1], 0 when only one class is predicted or present."""
    if np.ptp(labels) == 0 or np.ptp(predictions) == 0:  # scikit-learn's value, without its warning
        return {"mcc": 0.0}
    return {"mcc": float(sk.matthews_corrcoef(labels, predictions))}


def roc_auc(labels: np.ndarray, scores: np.ndarray, *, label_names: Sequence[str] | None = None) -> dict[str, float]:
    """`roc_auc`, the mean over the classes of one class against the rest. Undefined unless each has both kinds of rows.

    `scores` [N] (of class 1, for labels 0 and 1) or [N, C]; any monotone score does for a single class or multi-label,
    several classes are compared by probabilities.
    """
    if scores.ndim == 1:
        labels, scores = labels[:, None], scores[:, None]
    elif labels.ndim == 1:
        labels = labels[:, None] == np.arange(scores.shape[1])
    labels = labels.astype(bool)
    constant = np.flatnonzero(labels.all(0) | ~labels.any(0))
    if constant.size:
        which = label_names[constant[0]] if label_names else int(constant[0])
        rows = "every row" if labels[0, constant[0]] else "no row"
        logger.warning_once(f"roc_auc is left out: {rows} has the label {which!r}, so that nothing can be ranked.")
        return {}
    return {"roc_auc": float(np.mean([sk.roc_auc_score(labels[:, c], scores[:, c]) for c in range(labels.shape[1])]))}


def _correlation(name: str, labels: np.ndarray, predictions: np.ndarray, statistic: Callable) -> dict[str, float]:
    if np.ptp(labels) == 0:
        logger.warning_once(f"{name} is left out: every row has the same label, so that nothing can be correlated.")
        return {}
    if np.ptp(predictions) == 0:
        return {name: 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        return {name: float(statistic(labels, predictions).statistic)}


def pearson(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """`pearson` in [-1, 1]. Constant predictions explain nothing: 0, as for MCC. Constant labels: undefined."""
    return _correlation("pearson", labels, predictions, stats.pearsonr)


def spearman(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """`spearman`, the correlation of the ranks, in [-1, 1]; constant input as for `pearson`."""
    return _correlation("spearman", labels, predictions, stats.spearmanr)


def errors(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """`r2`, the share of the labels' variance that is explained (below 0: further off than their mean; undefined where
    all are the same); `rmse` and `mae` in the labels' unit, `mse` in that squared."""
    error = predictions - labels
    squared, variance = float(np.mean(error**2)), float(np.var(labels))
    explained: dict[str, float] = {}
    if np.ptp(labels) > 0:
        explained = {"r2": 1 - squared / variance}
    else:
        logger.warning_once("r2 is left out: every row has the same label, so that there is no variance to explain.")
    return explained | {"rmse": squared**0.5, "mae": float(np.mean(np.abs(error))), "mse": squared}


def confusion(labels: np.ndarray, predictions: np.ndarray, n: int) -> np.ndarray:
    """How often class i (row) was predicted as class j (column): integers [n, n]."""
    return sk.confusion_matrix(labels, predictions, labels=range(n))


class Pairs(NamedTuple):
    """What was taken for what, without the many pairs that never occur: class ids [U] and how many rows, [U]."""

    gold: np.ndarray
    predicted: np.ndarray
    rows: np.ndarray


def confusion_pairs(labels: np.ndarray, predictions: np.ndarray, n: int) -> Pairs:
    """The cells of `confusion` that are not 0, by gold and predicted class: its memory is that of the rows."""
    cells, rows = np.unique(labels.astype(np.int64) * n + predictions, return_counts=True)
    return Pairs(cells // n, cells % n, rows)


def wrong_pairs(pairs: Pairs) -> Pairs:
    """Those of two different classes, the most frequent first."""
    order = np.argsort(-pairs.rows, kind="stable")
    order = order[pairs.gold[order] != pairs.predicted[order]]
    return Pairs(*(column[order] for column in pairs))


def matthews_of_many(labels: np.ndarray, predictions: np.ndarray, n: int) -> dict[str, float]:
    """`matthews_correlation` of n classes without a table of n x n (Gorodkin, 2004)."""
    there, given = (np.bincount(ids, minlength=n).astype(float) for ids in (labels, predictions))
    rows = float(len(labels))
    spread = np.sqrt((rows**2 - there @ there) * (rows**2 - given @ given))
    hits = float((labels == predictions).sum())
    return {"mcc": float((hits * rows - there @ given) / spread) if spread > 0 else 0.0}


def scores_of_classes(labels: np.ndarray, predictions: np.ndarray, n: int) -> list[tuple[float, float, float, int]]:
    """Precision, recall, F1 and number of rows of each of `n` classes; 0 where there is nothing to divide by."""
    scores = sk.precision_recall_fscore_support(labels, predictions, labels=range(n), zero_division=0)
    return list(zip(*(column.tolist() for column in scores), strict=True))


def per_class(labels: np.ndarray, predictions: np.ndarray, label_names: Sequence[str]) -> dict[str, float]:
    """`precision_NAME`, `recall_NAME`, `f1_NAME` and `support_NAME` (rows with that label) for every label name."""
    return {
        f"{figure}_{name}": value
        for name, values in zip(label_names, scores_of_classes(labels, predictions, len(label_names)), strict=True)
        for figure, value in zip(("precision", "recall", "f1", "support"), values, strict=True)
    }


# --- the same as `evaluate` metrics -----------------------------------------------------------------------------------


def _features(prediction: str, kind: str, *, nested: bool) -> list[Features]:
    """The inputs a metric takes: numbers, and where `nested` lists of them too; evaluate chooses by the first row."""
    flat = Features({prediction: Value(kind), "references": Value(kind)})
    if not nested:
        return [flat]
    return [flat, Features({name: ListOf(value) for name, value in flat.items()})]


class _Metric(evaluate.Metric):
    """Keeps its rows in memory, unless it runs in several processes: no files, no waiting for another's lock."""

    features_taken: list[Features] = _features("predictions", "int64", nested=False)
    function: Callable[[np.ndarray, np.ndarray], dict[str, float]]

    def __init__(self, config_name: str | None = None, **kwargs):
        kwargs.setdefault("keep_in_memory", kwargs.get("num_process", 1) == 1)
        super().__init__(config_name, **kwargs)

    def _info(self):
        return evaluate.MetricInfo(description=self.__doc__ or "", citation="", features=self.features_taken)

    def _compute(self, *, references, predictions=None, prediction_scores=None):  # `combine` gives all inputs to all
        return type(self).function(np.asarray(references), np.asarray(predictions))


class Accuracy(_Metric):
    """`accuracy`, or `subset_accuracy` and `hamming_loss` for lists of 0/1 indicators."""

    features_taken = _features("predictions", "int64", nested=True)
    function = staticmethod(accuracy)


class F1(_Metric):
    """`f1_macro`, `f1_micro` and `f1_weighted` of classes or of lists of 0/1 indicators."""

    features_taken = _features("predictions", "int64", nested=True)
    function = staticmethod(f1)


class MatthewsCorrelation(_Metric):
    """`mcc`."""

    function = staticmethod(matthews_correlation)


class PerClass(_Metric):
    """`precision_NAME`, `recall_NAME`, `f1_NAME`, `support_NAME`, for `label_names` in the order of the classes."""

    features_taken = _features("predictions", "int64", nested=True)

    def __init__(self, label_names: Sequence[str], **kwargs):
        self.label_names = list(label_names)
        super().__init__(**kwargs)

    def _compute(self, *, references, predictions=None, prediction_scores=None):
        return per_class(np.asarray(references), np.asarray(predictions), self.label_names)


class RocAuc(_Metric):
    """`roc_auc` of `prediction_scores`: a number a row (binary), or a list (`references`: a class, or 0/1 each)."""

    features_taken = [
        Features({"prediction_scores": scores, "references": references})
        for scores, references in (
            (Value("float64"), Value("int64")),
            (ListOf(Value("float64")), Value("int64")),
            (ListOf(Value("float64")), ListOf(Value("int64"))),
        )
    ]

    def _compute(self, *, references, predictions=None, prediction_scores=None):
        return roc_auc(np.asarray(references), np.asarray(prediction_scores))


class Pearson(_Metric):
    """`pearson`."""

    features_taken = _features("predictions", "float64", nested=False)
    function = staticmethod(pearson)


class Spearman(_Metric):
    """`spearman`."""

    features_taken = _features("predictions", "float64", nested=False)
    function = staticmethod(spearman)


class Errors(_Metric):
    """`r2`, `rmse`, `mae` and `mse`."""

    features_taken = _features("predictions", "float64", nested=False)
    function = staticmethod(errors)
