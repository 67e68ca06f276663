"""BLEU and chrF of resampled rows, from sacreBLEU's statistics of each: intervals, and a paired test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from ...report import bootstrap
from ...report.comparison import figure
from .metrics import bleu_tokeniser

TRIALS = 1000


def scored(metric: Any, translations: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """What the metric adds up of each row: [N, S]."""
    return np.array(metric._extract_corpus_statistics(list(translations), [list(references)]), float)


def score(metric: Any, sums: np.ndarray) -> np.ndarray:
    """The metric of added-up statistics: [b, S] -> [b]."""
    return np.array([metric._compute_score_from_stats(row.astype(int).tolist()).score for row in sums])


def against(
    theirs: Sequence[str], ours: Sequence[str], references: Sequence[str], *, language: str
) -> tuple[dict[str, Any], tuple[float, float] | None]:
    """Two sets of translations by BLEU: a `comparison.figure` whose p is by approximate randomization (Riezler and
    Maxwell, 2005), and the interval of the second; None for so few rows that they tell none."""
    metric = BLEU(tokenize=bleu_tokeniser(language))
    rows = [scored(metric, one, references) for one in (theirs, ours)]
    values = [score(metric, one.sum(0)[None])[0] for one in rows]
    blocks = list(bootstrap.weights(len(references)))
    drawn = [np.concatenate([score(metric, block @ one) for block in blocks]) for one in rows]
    p = _by_exchange(metric, rows, values[1] - values[0])
    found = figure("bleu", values, drawn[1] - drawn[0], p, "randomization", rows=len(references))
    return found, _interval(drawn[1], len(references))


def _interval(drawn: np.ndarray, rows: int) -> tuple[float, float] | None:
    low, high = bootstrap.interval(drawn)
    return None if rows < bootstrap.FEWEST else (float(low), float(high))


def _by_exchange(metric: Any, rows: Sequence[np.ndarray], difference: float) -> float:
    """How often rows exchanged by the toss of a coin differ by as much."""
    toss = np.random.default_rng(0).integers(0, 2, size=(TRIALS, len(rows[0])))
    mixed = [score(metric, toss @ rows[one] + (1 - toss) @ rows[1 - one]) for one in (0, 1)]
    return float((np.sum(np.abs(mixed[1] - mixed[0]) >= abs(difference) - 1e-9) + 1) / (TRIALS + 1))


def headline(translations: Sequence[str], references: Sequence[str], *, language: str) -> dict[str, dict[str, float]]:
    """BLEU and chrF with 95 % intervals, by bootstrap over rows; NaN for so few rows that they tell none."""
    shown = {}
    for name, metric in (("bleu", BLEU(tokenize=bleu_tokeniser(language))), ("chrf", CHRF())):
        rows = scored(metric, translations, references)
        drawn = [score(metric, weights @ rows) for weights in bootstrap.weights(len(rows))]
        low, high = _interval(np.concatenate(drawn), len(rows)) or (np.nan, np.nan)
        shown[name] = {"value": float(score(metric, rows.sum(0)[None])[0]), "low": low, "high": high}
    return shown
