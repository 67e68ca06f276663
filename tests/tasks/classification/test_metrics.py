"""Metrics against figures computed by hand or by scikit-learn called directly, and what they do where undefined."""

import unicodedata
import warnings

import evaluate
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification import metrics, tables
from hf_xfmr.tasks.classification.kinds import kind_of

# 4 true negatives, 1 false positive, 2 false negatives, 3 true positives
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
PREDICTIONS = np.array([0, 0, 0, 0, 1, 0, 0, 1, 1, 1])


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def random():
    return np.random.default_rng(0)


def pairs_in_order(labels, scores):
    """ROC-AUC by its meaning: how often a positive row is scored above a negative one, ties counting half."""
    above = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return np.mean((above > 0) + 0.5 * (above == 0))


def test_two_classes_by_hand():
    logits = np.stack([1 - PREDICTIONS, PREDICTIONS], 1).astype(np.float32)
    found = kind_of("single_label_classification")(["negative", "positive"]).figures(logits, LABELS)
    f1_negative, f1_positive = 2 * 4 / (2 * 4 + 2 + 1), 2 * 3 / (2 * 3 + 1 + 2)
    assert found == pytest.approx(
        {
            "accuracy": 0.7,
            "f1_macro": (f1_negative + f1_positive) / 2,
            "f1_micro": 0.7,
            "f1_weighted": (f1_negative + f1_positive) / 2,  # five rows each
            "mcc": (3 * 4 - 1 * 2) / np.sqrt((3 + 1) * (3 + 2) * (4 + 1) * (4 + 2)),
            "roc_auc": pairs_in_order(LABELS, PREDICTIONS),
        }
    )
    assert metrics.confusion(LABELS, PREDICTIONS, 3).tolist() == [[4, 1, 0], [2, 3, 0], [0, 0, 0]]
    by_class = metrics.per_class(LABELS, PREDICTIONS, ["negative", "positive"])
    assert by_class == pytest.approx(
        {
            "precision_negative": 4 / 6,
            "recall_negative": 4 / 5,
            "f1_negative": f1_negative,
            "support_negative": 5,
            "precision_positive": 3 / 4,
            "recall_positive": 3 / 5,
            "f1_positive": f1_positive,
            "support_positive": 5,
        }
    )


def test_several_classes_are_ranked_one_against_the_rest(random):
    labels = random.integers(0, 4, 200)
    logits = random.normal(size=(200, 4)) + 2 * np.eye(4)[labels]
    found = kind_of("single_label_classification")(list("abcd")).figures(logits, labels)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"))
    assert found["f1_weighted"] == pytest.approx(f1_score(labels, logits.argmax(1), average="weighted"))
    assert found["accuracy"] == np.mean(labels == logits.argmax(1))


def test_several_labels_a_row(random):
    labels = random.integers(0, 2, (100, 3))
    logits = random.normal(size=(100, 3)) + labels
    found = kind_of("multi_label_classification")(list("abc")).figures(logits, labels.astype(np.float32))
    predicted = logits > 0  # probability over 0.5
    right, wrong_positive, wrong_negative = labels & predicted, predicted & ~(labels > 0), (labels > 0) & ~predicted
    f1 = 2 * right.sum(0) / (2 * right.sum(0) + wrong_positive.sum(0) + wrong_negative.sum(0))
    assert found == pytest.approx(
        {
            "subset_accuracy": np.mean([all(row) for row in labels == predicted]),
            "hamming_loss": np.mean(labels != predicted),
            "f1_macro": f1.mean(),
            "f1_micro": 2 * right.sum() / (2 * right.sum() + wrong_positive.sum() + wrong_negative.sum()),
            "f1_weighted": np.average(f1, weights=labels.sum(0)),
            "roc_auc": np.mean([pairs_in_order(labels[:, c], logits[:, c]) for c in range(3)]),
        }
    )


def test_regression(random):
    labels = random.normal(size=50)
    predictions = labels**3 + 1  # the same order, another size
    found = kind_of("regression")([]).figures(predictions[:, None].astype(np.float32), labels)
    assert found == pytest.approx(
        {
            "pearson": np.corrcoef(labels, predictions)[0, 1],
            "spearman": 1.0,
            "r2": 1 - np.mean((labels - predictions) ** 2) / np.var(labels),
            "rmse": np.sqrt(np.mean((labels - predictions) ** 2)),
            "mse": np.mean((labels - predictions) ** 2),
            "mae": np.mean(abs(labels - predictions)),
        },
        rel=1e-5,
    )


def test_constant_predictions_explain_nothing():
    labels = np.array([1.0, 2.0, 3.0])
    found = kind_of("regression")([]).figures(np.ones((3, 1)), labels)
    assert found == pytest.approx(
        {"pearson": 0.0, "spearman": 0.0, "r2": -1.5, "rmse": (5 / 3) ** 0.5, "mse": 5 / 3, "mae": 1.0}
    )
    assert metrics.pearson(labels, 1 + 1e-15 * np.array([0, 1, 2]))["pearson"] <= 1  # nearly constant: no warning
    assert metrics.matthews_correlation(LABELS, np.ones(10, int)) == {"mcc": 0.0}
    assert metrics.f1(LABELS, np.ones(10, int))["f1_macro"] == pytest.approx((0 + 2 / 3) / 2)


def test_what_is_undefined_is_left_out_and_the_reason_said(caplog):
    metrics.logger.warning_once.cache_clear()
    names = ["calm", "angry"]
    found = kind_of("single_label_classification")(names).figures(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    assert set(found) == {"accuracy", "f1_macro", "f1_micro", "f1_weighted", "mcc"}
    assert "roc_auc is left out: every row has the label 'calm'" in caplog.text
    found = kind_of("regression")([]).figures(np.array([[1.0], [2.0]]), np.array([3.0, 3.0]))
    assert set(found) == {"rmse", "mse", "mae"}
    assert metrics.pearson(np.array([3.0, 3.0]), np.array([1.0, 2.0])) == {}
    assert caplog.text.count("pearson is left out: every row has the same label") == 1  # once is enough


def test_a_diverged_model_has_no_metrics():
    logits = np.zeros((4, 2))
    logits[2, 1] = np.nan
    with pytest.raises(UserError, match=r"1 of 4 rows \(the first is row 2\) are NaN or infinite"):
        kind_of("single_label_classification")(["a", "b"]).figures(logits, np.zeros(4, int))


def test_one_label_is_not_multi_label():
    with pytest.raises(UserError, match="two labels at least"):
        kind_of("multi_label_classification")(["a"]).figures(np.zeros((4, 1)), np.ones((4, 1)))


def test_tables_of_many_labels_are_a_screenful():
    names = [f"label number {i} of a very long name that says too much" * 3 for i in range(1200)]
    draw = np.random.default_rng(0)
    gold = np.concatenate([np.arange(1200), draw.integers(0, 40, 5000)])
    predicted = np.where(draw.random(len(gold)) < 0.5, gold, draw.integers(0, 1200, len(gold)))
    counts = metrics.confusion(gold, predicted, 1200)
    lines = tables.per_class_table(gold, predicted, names) + tables.confusion_table(counts, names)
    assert len(lines) < 50
    assert max(map(len, lines)) <= 80
    assert any("and 1,170 more labels of at most " in line for line in lines)
    wrong = counts - np.diag(np.diag(counts))
    assert next(line for line in lines if " -> " in line).endswith(f"  {wrong.max():,}")
    assert sum(" -> " in line for line in lines) == 12
    assert f"and {(wrong > 0).sum() - 12:,} more such pairs" in lines[-1]
    assert tables.confusion_table(np.eye(20, dtype=int), names[:20]) == ["no label was taken for another"]


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        (["customer asks for a refund of an order that never came", "b", "c", "d", "e", "f"], 99_999),
        (["顾客要求退还从未送达的订单的全部货款并且要求赔偿", "好", "坏"], 3),
        ([f"label {i}" for i in range(12)], 10),
    ],
)
def test_a_confusion_table_fits_80_columns_and_numbers_its_labels(labels, rows):
    counts = np.arange(len(labels) ** 2).reshape(len(labels), -1) % 7 * rows
    lines = tables.confusion_table(counts, labels)
    assert max(map(tables.width_of, lines)) <= 80
    assert len(set(map(tables.width_of, lines))) == 1  # aligned
    assert lines[0].split()[-len(labels) :] == [str(number) for number in range(1, len(labels) + 1)]
    for number, (line, row) in enumerate(zip(lines[1:], counts, strict=True), 1):
        assert line.startswith(f"{number} {labels[number - 1][:5]}")
        assert line.split()[-len(labels) :] == [f"{count:,}" for count in row]


def test_a_confusion_table_that_does_not_fit_is_a_list():
    counts = np.full((12, 12), 10**9)
    assert tables.confusion_table(counts, [f"label {i}" for i in range(12)])[0].startswith("most often taken for")


def test_table_is_aligned_in_chinese_too():
    lines = tables.per_class_table(np.array([0, 1, 1]), np.array([0, 1, 0]), ["差评", "positive"])
    widths = {sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in line) for line in lines}
    assert len(widths) == 1
    assert lines[1].split() == ["差评", "0.500", "1.000", "0.667", "1"]
    assert lines[2].split() == ["positive", "1.000", "0.500", "0.667", "2"]


def test_evaluate_metrics_combine():
    combined = evaluate.combine(
        [
            metrics.Accuracy(),
            metrics.F1(),
            metrics.MatthewsCorrelation(),
            metrics.PerClass(["negative", "positive"]),
            metrics.RocAuc(),
        ]
    )
    scores = np.linspace(0, 1, 10)
    found = combined.compute(references=LABELS, predictions=PREDICTIONS, prediction_scores=scores)
    assert found == (
        metrics.accuracy(LABELS, PREDICTIONS)
        | metrics.f1(LABELS, PREDICTIONS)
        | metrics.matthews_correlation(LABELS, PREDICTIONS)
        | metrics.per_class(LABELS, PREDICTIONS, ["negative", "positive"])
        | {"roc_auc": 1.0}
    )
    values = evaluate.combine([metrics.Pearson(), metrics.Spearman(), metrics.Errors()])
    found = values.compute(references=torch.tensor([1.0, 2.0, 3.0]), predictions=[1.0, 2.0, 9.0])
    assert found["mse"] == 12
    assert found["mae"] == 2
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(np.corrcoef([1, 2, 3], [1, 2, 9])[0, 1])


def test_evaluate_metrics_take_lists_of_indicators():
    labels, predictions = [[1, 0], [1, 1]], [[1, 0], [0, 1]]
    assert metrics.Accuracy().compute(references=labels, predictions=predictions) == {
        "subset_accuracy": 0.5,
        "hamming_loss": 0.25,
    }
    assert metrics.F1().compute(references=labels, predictions=predictions)["f1_macro"] == pytest.approx(
        (2 / 3 + 1) / 2
    )
    assert metrics.RocAuc().compute(references=[[1, 0], [0, 1]], prediction_scores=[[0.9, 0.1], [0.2, 0.3]]) == {
        "roc_auc": 1.0
    }
    assert metrics.RocAuc().compute(references=[0, 1], prediction_scores=[[0.9, 0.1], [0.2, 0.8]]) == {"roc_auc": 1.0}


def test_live_instances_share_no_files(tmp_path):
    """evaluate's own way, a locked file, makes the second of two instances wait a second."""
    first, second = metrics.Accuracy(cache_dir=str(tmp_path)), metrics.Accuracy(cache_dir=str(tmp_path))
    for label, prediction in zip(LABELS, PREDICTIONS, strict=True):
        first.add(reference=label, prediction=prediction)
        second.add_batch(references=[label], predictions=[label])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (first.compute(), second.compute()) == ({"accuracy": 0.7}, {"accuracy": 1.0})
    assert first.compute(references=[1], predictions=[1]) == {"accuracy": 1.0}  # nothing is left over
