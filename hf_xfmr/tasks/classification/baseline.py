"""The simple model that a fine-tuned one has to beat: TF-IDF of words and word pairs, then a linear model."""

import re
from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer

from ...errors import UserError
from ...processes import once
from .data import ClassificationData
from .problem import Problem

MOST = 100_000  # rows it is fitted on: of 900,000 it takes two minutes, a fifth of the whole run
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def predict(
    texts: Sequence[str], labels: np.ndarray, test_texts: Sequence[str], problem: Problem
) -> tuple[str, np.ndarray]:
    """Fit on texts and labels, and predict test_texts: the baseline's name and its scores.

    Scores are what a model's logits would be: log-probabilities [N, K] for one label, log-odds for several, values
    [N, 1] for regression. Texts of Chinese, Japanese or Korean are cut into characters, others into words.
    """
    sample = "".join(texts[:: max(1, len(texts) // 1000)])
    characters = len(_CJK.findall(sample)) > 0.2 * len(sample)
    vectors = TfidfVectorizer(ngram_range=(1, 2), analyzer="char" if characters else "word")
    name, scores = problem.linear_model(vectors, texts, labels, test_texts)
    return f"TF-IDF of {'characters' if characters else 'words'} (1-2) + {name}", scores


@once
def fit_baseline(corpus: ClassificationData, most: int | None = MOST) -> dict:
    """The baseline's `name`, its `scores` and `answers` to test (as the problem's `decided` gives them) and their
    metrics, after fitting it on train, or on `most` rows from all over it, since it is only to compare with; `rows`:
    how many these are, and how many train has."""
    if most is not None and most < 1:
        raise UserError(f"max_baseline_rows is {most}; it must be at least 1 (null: all rows)")
    train, test = corpus.splits["train"], corpus.splits["test"]
    learned, problem = train["labels"][:], corpus.problem
    if problem.has_names and _is_one(learned):
        raise UserError(
            "the train split has one label alone, of which no baseline can learn a difference: give more rows, or "
            "leave it out with --baseline false"
        )
    texts, total = _texts(train), len(train)
    if most is not None and most < total:
        places = [place * total // most for place in range(most)]
        some = [learned[place] for place in places]
        if not (problem.has_names and _is_one(some)):
            learned, texts = some, [texts[place] for place in places]
    name, scores = predict(texts, problem.array(learned), _texts(test), problem)
    figures = problem.figures(scores, problem.array(test["labels"][:]))
    return {
        "name": name,
        "rows": [len(texts), total],
        "test": figures,
        "scores": scores,
        "answers": problem.decided(problem.outputs(scores)),
    }


def beside(against: dict | None, split: str) -> dict | None:
    """What stands beside the figures of a split in a table; None where the baseline did not answer it."""
    return {**against, "test": against[split]} if against and split in against else None


def record(against: dict | None) -> dict | None:
    """The baseline as run.json has it."""
    kept = ("name", "rows", "test", "validation")
    return {name: against[name] for name in kept if name in against} if against else None


def _is_one(labels: Sequence) -> bool:
    return all(one == labels[0] for one in labels)


def _texts(rows: Dataset) -> list[str]:
    if "text_pair" not in rows.column_names:
        return rows["text"][:]
    return [f"{a} {b}" for a, b in zip(rows["text"], rows["text_pair"], strict=True)]
