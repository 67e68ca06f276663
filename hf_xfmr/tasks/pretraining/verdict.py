"""What a pre-training run's figures mean: masked words against unigrams of train, next sentences against guessing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest

from ...report import verdict
from ...report.comparison import SIGNIFICANT, outcome
from ...report.contests import perplexity
from ...report.verdict import few, learning
from ...tokenizer.long_texts import tokens_of
from .data import PretrainingData
from .metrics import Detail

MOST = 2_000_000  # tokens of train that are counted


def surprise(corpus: PretrainingData, vocabulary: int) -> torch.Tensor:
    """-log p of each token of the vocabulary by how common it is in train (of what was never seen together as much as
    there are kinds), [V] float64: what a masked word costs unread."""
    counts = np.zeros(max(vocabulary, len(corpus.tokenizer)))
    for ids, _, _ in tokens_of(corpus.documents["train"], corpus.tokenizer):
        counts += np.bincount(np.asarray(ids, np.int64), minlength=len(counts))
        if counts.sum() >= MOST:
            break
    kinds = max(1, int((counts > 0).sum()))
    return torch.from_numpy(-np.log((counts + kinds / len(counts)) / (counts.sum() + kinds)))


def of_run(
    split: str | None,
    figures: Mapping[str, float],
    detail: Detail | None,
    history: Sequence[Mapping],
    arguments: Mapping[str, Any],
) -> verdict.Verdict:
    """The verdict on a split's figures (None: nothing is held out) with what they are made of."""
    if split is None or detail is None:
        return verdict.nothing_held_out()
    nats, unread, masked = detail.rows[detail.rows[:, 2] > 0].T
    found, interval = perplexity("masked_perplexity", unread, nats, masked)
    rivals = [{"kind": "unigram", **found}]
    is_good = outcome(found) == "better"
    heeded = [
        *learning.warnings(history, arguments, is_good=is_good),
        *_next_sentences(figures, detail),
        *few.warnings(found, len(nats), "rows"),
    ]
    about: dict[str, Any] = {"rows": len(nats), "unit": "rows", "split": split, "interval": interval}
    return verdict.judge("masked_perplexity", found["b"], rivals, **about, warnings=heeded)


def _next_sentences(figures: Mapping[str, float], detail: Detail) -> list[dict]:
    """Next sentences told no better than by always giving the commoner answer."""
    if "nsp_accuracy" not in figures:
        return []
    pairs, accuracy = int(figures["pairs"]), float(figures["nsp_accuracy"])
    guess = max(detail.following, pairs - detail.following) / pairs
    if guess < 1 and binomtest(round(accuracy * pairs), pairs, guess, alternative="greater").pvalue < SIGNIFICANT:
        return []
    return [{"kind": "nsp_chance", "accuracy": accuracy, "guess": guess, "try": "--nsp false"}]
