"""What the figures of a run of questions mean: F1 of its answers, against the context's likeliest sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from ...report import verdict
from ...report.comparison import outcome
from ...report.contests import Contest, of_rows, right_or_wrong
from ...report.intervals import wilson
from ...report.verdict import few, leaks, learning
from . import baseline, metrics

NAME = "answer_f1"  # of the figure, in a verdict


def of_run(
    questions: Mapping[str, Dataset],
    split: str | None,
    answers: Sequence[str | None],
    metric: str,
    history: Sequence[Mapping],
    arguments: Mapping[str, Any],
) -> verdict.Verdict:
    """The verdict on the `answers` to a split's questions (None: nothing is held out)."""
    if split is None:
        return verdict.nothing_held_out()
    rows = questions[split]
    gold, contexts = rows["answers"][:], rows["text_pair"][:]
    ours = metrics.scores(metric, gold, answers)[:, 1]
    unread = metrics.scores(metric, gold, [None] * len(gold))[:, 1]
    sentence = metrics.scores(metric, gold, baseline.predict(rows["text"][:], contexts))[:, 1]
    contests = [(kind, means(NAME, one, ours)) for kind, one in (("no_answer", unread), ("sentence", sentence))]
    rivals = [{"kind": kind, **contest[0]} for kind, contest in contests]
    interval, value = contests[0][1][1], float(ours.mean())
    leaked = leaks.share_in_train(contexts, questions["train"]["text_pair"][:])
    heeded = [
        *leaks.warnings(NAME, value, 1.0, leaked, split),
        *learning.warnings(
            history, arguments, is_good=all(outcome(one) == "better" for one in rivals), is_perfect=value >= 1
        ),
        *few.warnings(rivals[-1], len(rows), "questions"),
    ]
    none = sum(not one for one in gold)
    if none and all(questions["train"]["answers"][:]):
        heeded.append({"kind": "always_answers", "rows": none, "split": split})
    if split == "validation":
        heeded.append({"kind": "validation_only", "try": "--test_fraction 0.1"})
    said = set(answers)
    one_answer = next(iter(said)) or "no answer" if len(said) == 1 and len(rows) > 1 else None
    about: dict[str, Any] = {"rows": len(rows), "unit": "questions", "split": split, "interval": interval}
    return verdict.judge(NAME, value, rivals, **about, one_answer=one_answer, warnings=heeded)


def means(name: str, theirs: np.ndarray, ours: np.ndarray) -> Contest:
    """A paired bootstrap of the mean of a figure over questions [N]."""

    def of(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = weights.sum(1)
        return weights @ theirs / total, weights @ ours / total

    found, (low, high) = of_rows(name, of, len(ours), "higher")
    if low == high and _is_one_figure(ours):  # where resamples do not differ
        low, high = map(float, wilson(ours.sum(), len(ours)))
    return found, (low, high)


def _is_one_figure(each: np.ndarray) -> bool:
    """Whether all questions have the same figure, 0 or 1, so that resamples say nothing of others."""
    return bool((each == each[0]).all() and each[0] in (0, 1))


def headline(each: np.ndarray) -> dict[str, dict[str, float]]:
    """F1 and exact match of `metrics.scores` [N, 2] with 95 % intervals: by bootstrap over questions, and of the share
    of exact ones by Wilson."""
    found, interval = means("f1", each[:, 1], each[:, 1])
    right = each[:, 0] > 0
    exact = right_or_wrong("exact_match", right, right)
    return {
        "f1": {"value": found["b"], "low": interval[0], "high": interval[1]},
        "exact_match": {"value": exact[0]["b"], "low": exact[1][0], "high": exact[1][1]},
    }
