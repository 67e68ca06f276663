"""The simple model that a fine-tuned one has to beat: TF-IDF of words and word pairs, then a linear model."""

import re
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def predict(
    texts: Sequence[str], labels: np.ndarray, test_texts: Sequence[str], *, problem_type: str, num_labels: int
) -> tuple[str, np.ndarray]:
    """Fit on texts and labels, and predict test_texts: the baseline's name and its scores.

    Scores are what a model's logits would be: log-probabilities [N, num_labels] for one label, log-odds for several,
    values [N, 1] for regression. Texts of Chinese, Japanese or Korean are cut into characters, others into words.
    """
    sample = "".join(texts[:: max(1, len(texts) // 1000)])
    characters = len(_CJK.findall(sample)) > 0.2 * len(sample)
    vectors = TfidfVectorizer(ngram_range=(1, 2), analyzer="char" if characters else "word")
    name = f"TF-IDF of {'characters' if characters else 'words'} (1-2) + "
    if problem_type == "regression":
        model = make_pipeline(vectors, Ridge()).fit(texts, labels)
        return name + "ridge regression", model.predict(test_texts).reshape(len(test_texts), -1)
    linear = LogisticRegression(max_iter=1000)
    if problem_type == "multi_label_classification":
        model = make_pipeline(vectors, OneVsRestClassifier(linear)).fit(texts, labels.astype(int))
        odds = np.clip(model.predict_proba(test_texts), 1e-9, 1 - 1e-9)
        return name + "logistic regressions", np.log(odds / (1 - odds))
    model = make_pipeline(vectors, linear).fit(texts, labels)
    scores = np.full((len(test_texts), num_labels), -50.0)
    scores[:, model.classes_] = model.predict_log_proba(test_texts)
    return name + "logistic regression", scores
