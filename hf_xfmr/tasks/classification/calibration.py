"""Do probabilities mean what they say? Calibration error, temperature scaling (Guo et al., 2017) and thresholds.

Probabilities are float64 [N, K]. Gold is either class ids, int [N] (one label a row: softmax), or bool [N, K] (several
labels a row: a sigmoid each); its number of dimensions says which.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit

from ...report import bootstrap

BINS = 15
_SMALLEST = 5e-7  # a probability written as 0.000000 is at most this
_TEMPERATURES = (0.01, 100.0)
_BY_CHANCE = (
    6.63  # what twice the gain in log-likelihood passes once in 100 if the right temperature is 1 (chi-squared)
)


@dataclass
class Bins:
    """Decisions grouped by confidence: mean confidence, share that was right, and rows of each non-empty bin."""

    confidence: np.ndarray
    accuracy: np.ndarray
    rows: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over decisions of |accuracy - confidence| of their bin."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.rows))


def _decisions(probabilities: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of each decision and whether it is right; see `reliability` for what a decision is."""
    if gold.ndim == 1:
        return probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    return np.maximum(probabilities, 1 - probabilities).ravel(), ((probabilities >= 0.5) == gold).ravel()


def reliability(probabilities: np.ndarray, gold: np.ndarray, *, bins: int = BINS) -> Bins:
    """Decisions in `bins` equal bins of confidence.

    One label a row: the decision is the likeliest class. Several: each label of each row is one, at probability 0.5.
    """
    return equal_bins(*_decisions(probabilities, gold), bins=bins)


def equal_bins(confidence: np.ndarray, right: np.ndarray, *, bins: int = BINS) -> Bins:
    """Decisions [n] by their confidence, whether they are right, in equal bins of confidence."""
    return _bins(confidence, right, np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1), bins)


def adaptive_reliability(probabilities: np.ndarray, gold: np.ndarray, *, bins: int = BINS) -> Bins:
    """Decisions as in `reliability`, in bins that hold equally many (Nguyen and O'Connor, 2015): where most are of one
    confidence, equal bins of confidence would lump these together."""
    return adaptive_bins(*_decisions(probabilities, gold), bins=bins)


def adaptive_bins(confidence: np.ndarray, right: np.ndarray, *, bins: int = BINS) -> Bins:
    """Decisions [n] as in `equal_bins`, in bins that hold equally many."""
    place = np.argsort(np.argsort(confidence, kind="stable"), kind="stable")
    return _bins(confidence, right, place * bins // max(len(place), 1), bins)


def _bins(confidence: np.ndarray, right: np.ndarray, which: np.ndarray, bins: int) -> Bins:
    rows = np.bincount(which, minlength=bins)
    kept = rows > 0
    sums = (np.bincount(which, weights=values, minlength=bins)[kept] for values in (confidence, right))
    mean_confidence, accuracy = (total / rows[kept] for total in sums)
    return Bins(mean_confidence, accuracy, rows[kept])


def negative_log_likelihood(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """Mean -log p(gold) in nats, over rows (one label) or over rows and labels (several)."""
    if gold.ndim == 1:
        likelihood = probabilities[np.arange(len(gold)), gold]
    else:
        likelihood = np.where(gold, probabilities, 1 - probabilities)
    return mean_surprise(likelihood)


def mean_surprise(likelihood: np.ndarray) -> float:
    """Mean -log of probabilities, in nats."""
    return float(-np.log(np.maximum(likelihood, _SMALLEST)).mean())


def scale(probabilities: np.ndarray, temperature: float, *, several: bool) -> np.ndarray:
    """Probabilities after dividing the logits by `temperature`: above 1 less sure, below 1 surer, same decisions."""
    if several:
        return expit(logit(np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)) / temperature)
    return np.exp(log_softmax(np.log(np.maximum(probabilities, _SMALLEST)) / temperature, axis=1))


def fit_temperature(probabilities: np.ndarray, gold: np.ndarray) -> float | None:
    """The temperature of least negative log-likelihood, or None if these rows have none.

    None for no rows, for rows that are all right, where surer is always better, and where less sure always is.
    """
    if _decisions(probabilities, gold)[1].all():
        return None
    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(
        lambda t: negative_log_likelihood(scale(probabilities, np.exp(t), several=gold.ndim == 2), gold),
        bounds=(low, high),
        method="bounded",
    )
    return float(np.exp(found.x)) if low + 0.01 < found.x < high - 0.01 else None


def helps(probabilities: np.ndarray, gold: np.ndarray, temperature: float) -> bool:
    """Whether a temperature fitted on these rows makes them likelier by more than chance would (likelihood-ratio test
    of a temperature of 1, at 1 %), and their calibration error no larger."""
    scaled = scale(probabilities, temperature, several=gold.ndim == 2)
    gain = negative_log_likelihood(probabilities, gold) - negative_log_likelihood(scaled, gold)
    if 2 * gold.size * gain <= _BY_CHANCE:
        return False
    return adaptive_reliability(scaled, gold).error <= adaptive_reliability(probabilities, gold).error


def at_threshold(probability: np.ndarray, gold: np.ndarray, threshold: float) -> dict[str, float]:
    """Precision, recall, F1 and accuracy of "yes if probability [N] >= threshold" against gold, bool [N].

    `share` is how many get a yes. NaN where a figure is undefined (no yes given, no yes in gold).
    """
    yes = probability >= threshold
    hits, given, there = int((yes & gold).sum()), int(yes.sum()), int(gold.sum())
    return {
        "threshold": float(threshold),
        "precision": hits / given if given else np.nan,
        "recall": hits / there if there else np.nan,
        "f1": 2 * hits / (given + there) if given + there else np.nan,
        "accuracy": float((yes == gold).mean()) if len(gold) else np.nan,
        "share": float(yes.mean()) if len(gold) else np.nan,
    }


def best_threshold(probability: np.ndarray, gold: np.ndarray) -> float | None:
    """The threshold of highest F1, half-way to the next lower probability; None where gold has no yes."""
    if not gold.any():
        return None
    order = np.argsort(-probability, kind="stable")
    probability, hits = probability[order], np.cumsum(gold[order])
    f1 = 2 * hits / (np.arange(1, len(gold) + 1) + gold.sum())
    following = np.append(probability[1:], 0.0)
    f1[probability == following] = -1  # equal probabilities stand on one side
    best = int(np.argmax(f1))
    return float((probability[best] + following[best]) / 2)


def fitted(probabilities: np.ndarray | None, labels: np.ndarray) -> dict[str, Any]:
    """The `temperature` of these rows, None if they have none, and whether it is `kept`: whether it helps. `labels` are
    as a model reads them, int [N] or 0 and 1 [N, K]."""
    if probabilities is None:
        return {"temperature": None, "kept": False}
    gold = labels.astype(bool) if labels.ndim == 2 else labels
    temperature = fit_temperature(probabilities, gold)
    return {
        "temperature": temperature,
        "kept": temperature is not None and helps(probabilities, gold, temperature),
    }


def worse(own: np.ndarray, scaled: np.ndarray, gold: np.ndarray) -> dict[str, Any] | None:
    """Where the calibration error of scaled probabilities is larger than that of the model's own: it `before` and
    `after`, and whether `chance` explains the difference (95 % paired bootstrap over rows). None where it is not."""
    before, after = (reliability(one, gold).error for one in (own, scaled))
    if after <= before:
        return None
    gaps = [_gaps(one, gold) for one in (own, scaled)]

    def difference(weights: np.ndarray) -> np.ndarray:
        return np.abs(weights @ gaps[1]).sum(1) - np.abs(weights @ gaps[0]).sum(1)

    low, _ = bootstrap.interval(bootstrap.resample(difference, bootstrap.weights(len(own))))
    return {"before": before, "after": after, "chance": bool(low <= 0)}


def _gaps(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Of each row what it adds to the gap of each bin of confidence: [N, BINS]."""
    confidence, right = _decisions(probabilities, gold)
    row = np.arange(len(confidence)) // (len(confidence) // len(probabilities))
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.zeros((len(probabilities), BINS))
    np.add.at(gaps, (row, bins), right - confidence)
    return gaps


def said(found: dict[str, Any] | None) -> list[str]:
    """What is to be said of what `fitted` found."""
    if found is None or found["temperature"] is None:
        return []
    if not found["kept"]:
        return [f"calibration: a temperature of {found['temperature']:.2f} does not surely help: left out"]
    of = f"{found['rows']:,} rows of " if "rows" in found else ""
    return [
        f"calibration: temperature {found['temperature']:.2f}, fitted on {of}validation and kept for `predict`;",
        "  the predictions file and `pipeline` give the model's own probabilities",
    ]
