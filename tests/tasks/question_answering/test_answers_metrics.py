"""Exact match and F1, against what SQuAD's and CMRC's scripts give."""

import random

import pytest
from oracles import cmrc_script, squad_script

from hf_xfmr.tasks.question_answering import metrics

WORDS = [
    "the",
    "a",
    "An",
    "Denver",
    "denver,",
    "Broncos!",
    "U.S.",
    "don't",
    "1,998",
    "and",
    "—",
    "“x”",
    "an-other",
    "...",
]
CHINESE = ["北京", "上海，", "《红楼梦》", "1998年", "BERT", "的", "。", "在", " ", "…", "A-B", "人"]


def drawn(parts: list[str], count: int, glue: str, seed: int = 0):
    draw = random.Random(seed)
    for _ in range(count):
        gold = [glue.join(draw.choices(parts, k=draw.randint(1, 4))) for _ in range(draw.randint(1, 3))]
        given = draw.choice([draw.choice(gold), glue.join(draw.choices(parts, k=draw.randint(1, 4)))])
        yield gold, given


def test_as_squads_second_script_over_2000_drawn_answers():
    for gold, given in drawn(WORDS, 2000, " "):
        assert metrics.of_question("squad", gold, given) == pytest.approx(squad_script(gold, given)), (gold, given)


def test_as_cmrcs_script_over_2000_drawn_answers():
    for gold, given in drawn(CHINESE, 2000, ""):
        assert metrics.of_question("cmrc", gold, given) == pytest.approx(cmrc_script(gold, given)), (gold, given)


@pytest.mark.parametrize(
    ("gold", "given", "exact", "f1"),
    [
        (["Denver Broncos"], "the Denver Broncos!", 1, 1),
        (["Santa Clara, California"], "Santa Clara", 0, 0.8),
        (["a", "gold"], "gold", 1, 1),
        ([], None, 1, 1),
        ([], "gold", 0, 0),
        (["gold"], None, 0, 0),
    ],
)
def test_by_hand(gold, given, exact, f1):
    assert metrics.of_question("squad", gold, given) == pytest.approx((exact, f1))


def test_a_run_of_characters_counts_and_no_bag_of_them():
    assert metrics.of_question("cmrc", ["北京大学"], "大学北京") == (0, 0.5)
    assert metrics.of_question("cmrc", ["《北京》大学"], "北京大学。") == (1, 1)
    assert metrics.chosen("auto", ["北京在中国的北边 in Asia"]) == "cmrc"
    assert metrics.chosen("auto", ["Beijing (北京) is in China"]) == "squad"


def test_figures_tell_questions_without_answers_apart():
    gold, given = [["a b"], ["b c"], [], []], ["b", "c d", None, "x"]
    found = metrics.answer_metrics(gold, metrics.scores("squad", gold, given))
    assert found == pytest.approx(
        {"f1": (1 + 0.5 + 1 + 0) / 4, "exact_match": 0.5, "f1_answerable": 0.75, "exact_match_answerable": 0.5}
        | {"no_answer_right": 0.5}
    )
