"""What the verdict says of answers that are bad in the many ways answers are: real kinds of problems, no training."""

from types import SimpleNamespace

import numpy as np
import pytest
from datasets import Dataset

from hf_xfmr.report.verdict import words as verdict_words
from hf_xfmr.tasks.classification import verdict
from hf_xfmr.tasks.classification.kinds import kind_of

ARGUMENTS = {"num_train_epochs": 3}


def told(gold, logits, *, train=None, kind="single_label_classification", names=("neg", "pos"), theirs=None, texts=None,
         split="test", calibration=None):  # fmt: skip
    """The verdict on logits of test rows; `theirs` are a baseline's logits."""
    problem = kind_of(kind)(names)
    texts = texts or [f"row {i}" for i in range(len(gold))]
    train = gold if train is None else train
    splits = {
        "train": Dataset.from_dict({"text": [f"train {i}" for i in range(len(train))], "labels": train}),
        split: Dataset.from_dict({"text": texts, "labels": gold}),
    }
    baseline = None if theirs is None else {"name": "TF-IDF", "answers": problem.decided(np.asarray(theirs, float))}
    settings = SimpleNamespace(class_weights=None)
    return verdict.of_run(
        problem, splits, split, np.asarray(logits, float), baseline, calibration, [], ARGUMENTS, settings
    )


def says(answers, classes=2):
    """Logits that answer these."""
    return np.eye(classes)[np.asarray(answers)] * 4


def half(rows=400, share=0.5):
    return (np.random.default_rng(0).random(rows) < share).astype(int)


def spoilt(gold, share, seed=1):
    wrong = np.random.default_rng(seed).random(len(gold)) < share
    return np.where(wrong, 1 - gold, gold)


def kinds(found):
    return [one["kind"] for one in found["warnings"]]


def tried(found, kind):
    return next(one["try"] for one in found["warnings"] if one["kind"] == kind)


def test_one_answer_for_every_row_is_useless():
    gold = half()
    found = told(gold.tolist(), says(np.zeros_like(gold)), theirs=says(spoilt(gold, 0.1)))
    assert found["level"] == "useless"
    assert found["sentence"].startswith('Useless as it stands: it answers "neg" to everything (accuracy 0.')
    assert "TF-IDF gets 0.8" in found["sentence"]
    assert tried(found, "one_answer") == "--num_train_epochs 6"


@pytest.mark.parametrize(
    ("ours", "theirs", "level", "words"),
    [
        (0.1, 0.3, "better", "Better than TF-IDF, and not by chance: accuracy 0."),
        (0.4, 0.1, "worse", "Worse than TF-IDF, and not by chance: accuracy 0."),
        (0.2, 0.2, "tie", "No better and no worse than TF-IDF, as far as these rows tell"),
        (0.5, 0.1, "useless", "Useless as it stands, no better than always answering"),
    ],
)
def test_against_a_baseline(ours, theirs, level, words):
    gold = half(2000)
    found = told(gold.tolist(), says(spoilt(gold, ours)), theirs=says(spoilt(gold, theirs, seed=2)))
    assert found["level"] == level
    assert found["sentence"].startswith(words)


def test_few_rows_are_too_few_and_how_many_would_do():
    gold = half(40)
    found = told(gold.tolist(), says(spoilt(gold, 0.1)), theirs=says(spoilt(gold, 0.2, seed=5)))
    assert found["level"] == "unsure"
    (text,) = (one["text"] for one in found["warnings"] if one["kind"] == "few_rows")
    assert text.startswith("only 40 rows: a difference of 0.")


def test_perfect_is_suspicious_and_a_leak_is_said():
    gold = half()
    assert "perfect" in kinds(told(gold.tolist(), says(gold)))
    assert "too_easy" in kinds(told(gold.tolist(), says(gold), theirs=says(gold)))
    leaked = [f"train {i}" if i % 4 == 0 else f"row {i}" for i in range(len(gold))]
    found = told(gold.tolist(), says(gold), texts=leaked)
    assert found["warnings"][0]["text"] == "Accuracy is perfect, and 25 % of the test texts stand in train too: a leak"
    assert "leak" in kinds(told(gold.tolist(), says(spoilt(gold, 0.1)), texts=leaked))


def test_nineteen_of_twenty_rows_alike_are_judged_by_macro_f1():
    gold = half(1000, 0.05)
    found = told(gold.tolist(), says(np.zeros_like(gold)))
    assert (found["level"], found["claim"]["figure"]) == ("useless", "f1_macro")
    good = told(gold.tolist(), says(np.where(gold == 1, spoilt(gold, 0.2), 0)))
    assert good["level"] == "better"
    assert "unbalanced" in kinds(good)


def test_a_label_never_predicted_and_weak_ones_behind_a_high_accuracy():
    gold = np.array([0, 1] * 150 + [2] * 20 + [3] * 4)
    lost = told(gold.tolist(), says(np.where(gold >= 2, 0, gold), 4), names=("a", "b", "c", "d"))
    (text,) = (one["text"] for one in lost["warnings"] if one["kind"] == "never_found")
    assert text == 'never predicted: "c", "d" (24 test rows bear them)'
    assert tried(lost, "never_found") == "--class_weights auto"
    assert {"rare_labels", "few_of_a_label"} <= set(kinds(lost))


def test_one_label_alone_tells_nothing():
    found = told([0] * 30, says([0] * 30), train=[0, 1] * 20)
    assert found["level"] == "unsure"
    assert found["sentence"] == (
        "How good it is, nobody knows: all test rows have one label, so that nothing can be told apart."
    )


def test_several_labels_against_the_commonest():
    gold = np.random.default_rng(0).random((300, 3)) < [0.9, 0.5, 0.02]
    rows = gold.astype(float).tolist()
    common = {"kind": "multi_label_classification", "names": ("a", "b", "c")}
    found = told(rows, np.where(gold, 4.0, -4.0) * np.where(np.arange(3) == 2, 0, 1) - 0.1, **common)
    assert found["level"] == "better"
    assert 'never predicted: "c"' in " ".join(one["text"] for one in found["warnings"])
    always = told(rows, np.tile([4.0, 4.0, -4.0], (300, 1)), **common)
    assert always["sentence"].startswith('Useless as it stands: it answers "a, b" to everything (micro F1 0.')


def test_ratings_against_the_mean():
    draw = np.random.default_rng(0)
    gold = draw.normal(3, 1, 400)
    about = {"kind": "regression", "names": ()}
    good = told(gold.tolist(), (gold + draw.normal(0, 0.5, 400))[:, None], **about)
    assert good["level"] == "better"
    assert good["sentence"].startswith(
        "Better than always answering the mean of train, 2.96, and not by chance: RMSE 0.503"
    )
    off = told(gold.tolist(), (gold + 5)[:, None], **about)
    assert off["level"] == "useless"
    assert "off_scale" in kinds(off)
    assert "negative_r2" in kinds(told(gold.tolist(), draw.normal(3, 1, 400)[:, None], **about))
    assert "undefined" in kinds(told([3.0] * 40, draw.normal(3, 1, 40)[:, None], **about))


def test_validation_alone_and_nothing_held_out():
    gold = half()
    found = told(gold.tolist(), says(spoilt(gold, 0.1)), split="validation")
    assert tried(found, "validation_only") == "--test_fraction 0.1"
    assert tried(told(gold.tolist(), says(spoilt(gold, 0.1))), "no_baseline") == "--baseline true"
    nothing = verdict.of_run(kind_of(None)(("a", "b")), {}, None, None, None, None, [], ARGUMENTS, None)
    assert nothing["sentence"].startswith("How good it is, nobody knows: no row was held out")


def test_a_temperature_that_makes_test_rows_worse_is_told():
    gold = half(2000)
    logits = says(spoilt(gold, 0.1)) * 0.55  # sure as they are right
    worse = {"temperature": 4.0, "kept": True}
    assert tried(told(gold.tolist(), logits, calibration=worse), "temperature_worse") == "predict with --temperature 1"
    assert "temperature_worse" not in kinds(told(gold.tolist(), logits, calibration=worse | {"kept": False}))


def test_a_label_without_a_row_to_measure_on_is_said():
    gold = [0, 1] * 60
    found = told(gold, np.eye(3)[gold] * 4, train=[*gold, 2], names=("a", "b", "close account"), theirs=np.eye(3)[gold])
    (text,) = (one["text"] for one in found["warnings"] if one["kind"] == "unmeasured")
    assert text == 'no test row of "close account": whether it can be found is not known'
    assert tried(found, "unmeasured") == "--test_fraction 0.3"


def test_of_many_labels_without_a_row_the_first_are_named_and_all_are_counted():
    gold, names = [0, 1] * 60, [f"label {one}" for one in range(300)]
    sure = np.eye(300)[gold] * 4
    found = told(gold, sure, train=[*gold, *range(2, 300)], names=names, theirs=sure)
    (fact,) = (one for one in found["warnings"] if one["kind"] == "unmeasured")
    assert fact["labels"] == names[2:52]
    first = ", ".join(f'"{name}"' for name in names[2:7])
    assert fact["text"] == f"no test row of {first} and 293 more: whether they can be found is not known"
    assert any("等 298 个" in one["text"] for one in verdict_words(found, "zh")["warnings"])
