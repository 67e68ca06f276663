"""A verdict's words, what a log says of the training, and intervals at the ends: by facts of every kind."""

import re
import string

import numpy as np
import pytest

from hf_xfmr.report import contests, intervals, verdict
from hf_xfmr.report.comparison import figure, outcome
from hf_xfmr.report.verdict import chinese, english, few, learning, lines, loops

CHINESE = re.compile("[\u4e00-\u9fff]")


def rival(kind, a, b, *, half=0.02, p=0.001, better="higher", name="accuracy", **more):
    """What a contest gives."""
    drawn = np.linspace(b - a - half, b - a + half, 1000)
    return {"kind": kind, **more, **figure(name, (a, b), drawn, p, "mcnemar", better)}


def judged(*rivals, **more):
    about = {"rows": 1038, "unit": "rows", "split": "test", "interval": (0.82, 0.87)}
    return verdict.judge("accuracy", rivals[0]["b"], rivals, **(about | more))


MAJORITY = {"kind": "majority", "answer": "pos"}


def test_the_level_is_against_the_strongest_rival_and_an_answer_given_unread():
    floor = rival(**MAJORITY, a=0.5, b=0.847)
    better = judged(floor, rival("tfidf", 0.778, 0.847))
    assert better["level"] == "better"
    assert better["sentence"] == (
        "Better than TF-IDF, and not by chance: accuracy 0.847 against 0.778 on 1,038 test rows (p = 0.001, McNemar's "
        'test). Always answering "pos" gets 0.500.'
    )
    assert judged(floor, rival("tfidf", 0.9, 0.847))["level"] == "worse"
    tie = judged(floor, rival("tfidf", 0.846, 0.847, p=0.9))
    assert tie["level"] == "tie"
    assert tie["sentence"].startswith("No better and no worse than TF-IDF, as far as these rows tell: accuracy")
    unsure = judged(floor, rival("tfidf", 0.82, 0.847, p=0.4, half=0.2))
    assert unsure["level"] == "unsure"
    assert unsure["sentence"].startswith("Too few rows to tell it from TF-IDF")
    useless = judged(rival(**MAJORITY, a=0.57, b=0.43), rival("tfidf", 0.99, 0.43), one_answer="neg")
    assert useless["level"] == "useless"
    assert useless["sentence"] == (
        'Useless as it stands: it answers "neg" to everything (accuracy 0.430 on 1,038 test rows; always answering '
        '"pos" gets 0.570). TF-IDF gets 0.990.'
    )
    assert judged(rival(**MAJORITY, a=0.5, b=0.51, p=0.7), rival("tfidf", 0.4, 0.51))["level"] == "useless"


@pytest.mark.parametrize("kind", sorted(english.WARNINGS))
def test_every_warning_has_words_in_both_languages_of_the_same_facts(kind):
    assert english.WARNINGS.keys() == chinese.WARNINGS.keys()
    assert english.RIVALS.keys() == chinese.RIVALS.keys()
    assert english.TESTS.keys() == chinese.TESTS.keys()
    assert english.FIGURES.keys() == chinese.FIGURES.keys()
    named = {
        name
        for words in (english, chinese)
        for _, name, _, _ in string.Formatter().parse(words.WARNINGS[kind])
        if name and name not in ("they", "them")
    }
    values = dict.fromkeys(named, 0.25) | {"labels": ["a", "b"], "rows": 12, "count": 3, "steps": 9, "epoch": 2}
    values |= {"split": "test", "unit": "rows", "figure": "accuracy", "name": "loss", "what": "samples", "needed": 96.2}
    values |= {"rival": MAJORITY, "answer": "pos", "said": "so", "of": "accuracy", "chance": True}
    told = verdict.untold(kind, **values)
    said = told["warnings"][0]["text"]
    assert said == verdict.words(told, "en")["warnings"][0]["text"]
    assert "{" not in said + verdict.words(told, "zh")["sentence"]
    assert CHINESE.search(verdict.words(told, "zh")["warnings"][0]["text"])
    assert not CHINESE.search(said)


def test_the_same_facts_in_chinese():
    told = judged(rival(**MAJORITY, a=0.5, b=0.847), rival("tfidf", 0.778, 0.847))
    assert verdict.words(told, "zh")["sentence"] == (
        "优于TF-IDF 基线，并非偶然：1,038 行测试数据上准确率 0.847，对方 0.778（p = 0.001，McNemar 检验）。"
        "总是回答“pos”为 0.500。"
    )
    assert "0.820 至 0.870" in verdict.words(told, "zh")["why"]


def test_a_terminal_shows_it_in_80_columns_with_settings_whole():
    warnings = [{"kind": "few_steps", "steps": 12, "try": "--num_train_epochs 25"}]
    shown = lines.lines(judged(rival(**MAJORITY, a=0.5, b=0.847), warnings=warnings))
    assert shown[0].startswith('verdict: Better than always answering "pos", and not by chance')
    assert all(len(line) <= 80 for text in shown for line in text.splitlines())
    assert "    try --num_train_epochs 25" in shown
    assert shown[-1] == "next: the same again with --num_train_epochs 25 --resume false"


def log(*losses, training=None, **more):
    found = []
    for epoch, loss in enumerate(losses, start=1):
        found.append({"epoch": epoch, "step": 100 * epoch, "loss": 1.0 / epoch if training is None else training})
        found.append(
            {"epoch": epoch, "step": 100 * epoch, "eval_loss": loss, **{k: v[epoch - 1] for k, v in more.items()}}
        )
    return found


def test_what_a_log_says():
    epochs = {"num_train_epochs": 3, "metric_for_best_model": "loss", "load_best_model_at_end": True}

    def said(history, arguments=epochs, **more):
        found = learning.warnings(history, arguments, **({"is_good": True} | more))
        return [(one["kind"], one["try"]) for one in found]

    assert said(log(0.9, 0.6, 0.4)) == [("still_improving", "--num_train_epochs 6")]
    assert said(log(0.9, 0.6, 0.4), {"max_steps": 300}) == [("still_improving", "--max_steps 600")]
    assert said(log(0.9, 0.4, 0.6)) == [("overfitted_kept", None)]
    assert said(log(0.9, 0.4, 0.6), epochs | {"load_best_model_at_end": False}) == [
        ("overfitted", "--num_train_epochs 2")
    ]
    by_accuracy = epochs | {"metric_for_best_model": "accuracy"}
    rising = log(0.9, 0.4, 0.6, eval_accuracy=[0.7, 0.8, 0.9])
    assert said(rising, by_accuracy) == [("still_improving", "--num_train_epochs 6")]
    assert said(log(0.9, 0.4, 0.6, eval_accuracy=[0.7, 0.9, 0.9]), by_accuracy) == [
        ("overfitted", "--num_train_epochs 2")
    ]
    assert said(log(0.9, 0.6, 0.4), is_perfect=True) == []
    assert said(log(0.5, 0.5, 0.5)) == said(log(0.5)) == said([]) == []
    flat = log(0.69, 0.69, training=0.69)
    assert said(flat, epochs | {"learning_rate": 1e-3}, is_good=False) == [("not_learning", "--learning_rate 1e-04")]
    assert said(flat, epochs | {"learning_rate": 1e-7}, is_good=False) == [("not_learning", "--learning_rate 5e-05")]
    risen = [{"step": step, "loss": loss} for step, loss in ((100, 0.69), (200, 0.8))]
    assert said(risen, epochs | {"learning_rate": 3e-5}, is_good=False) == [("rising", "--learning_rate 1e-05")]
    assert said(risen, epochs | {"learning_rate": 1e-3}, is_good=False) == [("rising", "--learning_rate 1e-04")]
    assert said([{"step": 80, "loss": 0.6}], is_good=False) == [("few_steps", "--num_train_epochs 12")]
    assert said(log(float("nan"), 0.5, 0.5)) == []


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_after_a_few_steps_as_many_are_advised_as_teach_something(steps):
    """Twice two steps are as good as none, and hundreds of epochs are nobody's wish."""
    better = [{"epoch": n, "step": steps, "loss": 0.6 + n / 10, "eval_loss": 0.9 - n / 10} for n in (1, 2)]
    worse = [{"step": steps, "loss": 0.6 + n / 10} for n in (1, 2)]
    for history, kind in ((better, "still_improving"), (worse, "few_steps")):
        for told in ({"num_train_epochs": 3}, {"max_steps": steps}):
            (found,) = learning.warnings(history, told | {"learning_rate": 3e-5}, is_good=False)
            assert (found["kind"], found["try"]) == (kind, "--max_steps 300")


def test_intervals_hold_at_the_ends():
    low, high = intervals.wilson([0, 164, 80, 0], [164, 164, 160, 0])
    assert low[:2] == pytest.approx([0, 0.977], abs=5e-4)
    assert high[:2] == pytest.approx([0.023, 1], abs=5e-4)
    assert (low[2], high[2]) == (pytest.approx(0.423, abs=1e-3), pytest.approx(0.577, abs=1e-3))
    assert np.isnan([low[3], high[3]]).all()
    low, high = intervals.wilson_f1([2, 0], [2, 3], [2, 2])
    assert 0.4 < low[0] < 0.6
    assert high[0] == 1
    assert low[1] == 0
    assert 0.4 < high[1] < 0.8
    # against the multinomial itself: of 200 rows 30 hits, 10 wrongly given, 10 missed
    drawn = np.random.default_rng(0).multinomial(200, [0.15, 0.05, 0.05, 0.75], size=20_000)
    f1 = 2 * drawn[:, 0] / (2 * drawn[:, 0] + drawn[:, 1] + drawn[:, 2])
    low, high = intervals.wilson_f1(30, 40, 40)
    assert (low, high) == pytest.approx(np.quantile(f1, [0.025, 0.975]), abs=0.02)


def test_two_that_answer_alike_are_a_tie_on_many_rows_and_unsure_on_few():
    for rows, expected in ((1000, "tie"), (10, "unsure")):
        right = np.arange(rows) % 2 == 0
        found, _ = contests.right_or_wrong("accuracy", right, right)
        assert outcome(found) == expected
    assert few.warnings(found, 10, "rows")[0]["needed"] > 10


def test_texts_that_go_in_circles():
    assert loops.in_circles("the king said " * 20)
    assert loops.in_circles("哈哈" * 20)
    assert not loops.in_circles("To be, or not to be, that is the question: whether tis nobler in the mind to suffer")
    assert not loops.in_circles("yes yes")
    assert loops.warnings(["a b " * 40, "fine words, no two of them alike at all"], "samples")[0]["count"] == 1


def test_a_sure_loss_to_the_simple_model_is_not_hidden_behind_too_few_rows():
    found = judged(rival(**MAJORITY, a=0.45, b=0.5, p=0.6, half=0.25), rival("tfidf", 0.8, 0.5, half=0.1))
    assert found["sentence"].startswith("Worse than TF-IDF, and not by chance")


def test_a_rate_that_still_rises_asks_for_steps_and_not_for_a_lower_rate():
    history = [{"step": step, "loss": 5.69} for step in (10, 20)]
    arguments = {"max_steps": 20, "learning_rate": 2.8e-3, "warmup_steps": 4000}
    (found,) = learning.warnings(history, arguments, is_good=False)
    assert (found["kind"], found["try"]) == ("few_steps", "--max_steps 12000")


def test_no_exact_test_is_promised_with_fewer_than_six_rows_apart():
    (fact,) = few.warnings(rival("tfidf", 0.90, 0.959, half=0.07, p=0.5), 34, "rows")
    assert fact["needed"] >= 6 / 0.059
