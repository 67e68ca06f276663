"""Labels that were flipped on purpose are found, by the probabilities of models that had not seen the row."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from hf_xfmr.tasks.classification.folds import noise
from hf_xfmr.tasks.classification.multi_label import MultiLabel
from hf_xfmr.tasks.classification.regression import Regression
from hf_xfmr.tasks.classification.single_label import SingleLabel

TOPICS = {"sport": "goal team match win score", "food": "bread soup cook taste salt", "sea": "boat wave sail fish sand"}


def rows(n: int = 300) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Texts of three topics with words of the others among them, their labels, and these with 5 % of them wrong."""
    draw = np.random.default_rng(0)
    pools = [words.split() for words in TOPICS.values()]
    true = draw.integers(3, size=n)
    every = [word for pool in pools for word in pool]
    found = [" ".join([*draw.choice(pools[topic], 6), *draw.choice(every, 3)]) for topic in true]
    given, wrong = true.copy(), draw.choice(n, n // 20, replace=False)
    given[wrong] = (given[wrong] + draw.integers(1, 3, size=len(wrong))) % 3
    return found, true, given


def test_flipped_labels_are_found_and_the_right_one_is_likeliest():
    texts, true, given = rows()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    shares = cross_val_predict(model, texts, given, cv=5, method="predict_proba")
    found = noise.find(SingleLabel(list(TOPICS)), given, shares.argmax(1), shares)
    flipped = set(np.flatnonzero(true != given))
    hits = sorted(flipped & set(found.wrong.tolist()))
    assert len(hits) / len(flipped) >= 0.9
    assert len(hits) / len(found.wrong) >= 0.8
    assert (shares[hits].argmax(1) == true[hits]).all()
    assert set(found.wrong[: len(flipped) // 2].tolist()) <= flipped  # the worst first
    assert not set(found.wrong.tolist()) & set(found.ambiguous.tolist())


def test_a_label_of_the_list_without_a_row_is_no_harm():
    texts, _, given = rows()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    shares = cross_val_predict(model, texts, given, cv=5, method="predict_proba")
    alone = noise.find(SingleLabel(["a", "b", "c"]), given, shares.argmax(1), shares)
    more = np.insert(shares, 1, 0.0, axis=1)
    there = np.array([0, 2, 3])[given]
    same = noise.find(SingleLabel(["a", "none", "b", "c"]), there, more.argmax(1), more)
    assert same.wrong.tolist() == alone.wrong.tolist()


def test_what_lies_between_two_labels_is_ambiguous():
    shares = np.array([[0.52, 0.48], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.95, 0.05]])
    found = noise.find(SingleLabel(["a", "b"]), np.array([0, 0, 1, 1, 0]), shares.argmax(1), shares)
    assert found.ambiguous.tolist() == [0]
    assert found.wrong.tolist() == []


def test_several_labels():
    draw = np.random.default_rng(0)
    true = draw.random((400, 2)) < 0.5
    shares = np.clip(np.where(true, 0.9, 0.1) + draw.normal(0, 0.05, true.shape), 0.01, 0.99)
    given = true.copy()
    given[:20, 0] = ~given[:20, 0]
    found = noise.find(MultiLabel(["a", "b"]), given, shares >= 0.5, shares)
    assert set(found.wrong.tolist()) <= set(range(20))
    assert len(found.wrong) >= 15


def test_ratings_far_from_what_was_predicted():
    draw = np.random.default_rng(0)
    predicted = draw.normal(3, 1, 200)
    gold = predicted + draw.normal(0, 0.2, 200)
    gold[17] += 4
    found = noise.find(Regression(), gold, predicted, None)
    assert found.wrong[0] == 17
    assert len(found.wrong) < 5
    assert found.quality[17] == pytest.approx(found.quality.min())
