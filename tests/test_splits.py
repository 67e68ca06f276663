"""Splits by a hash of the text: shares, stability, and duplicates that stay together."""

from collections import Counter

import pytest

from hf_xfmr.splits import position, split_of

TEXTS = [f"sentence number {number}" for number in range(10_000)]


def test_shares_are_as_asked_for():
    shares = Counter(map(split_of, TEXTS))
    assert shares["train"] == pytest.approx(8000, abs=150)
    assert shares["validation"] == pytest.approx(1000, abs=100)
    assert shares["test"] == pytest.approx(1000, abs=100)


@pytest.mark.parametrize(
    "same", ["A good film", "a good film", "  a  good\tfilm\n", "Ａ good film", "A\u00a0GOOD FILM"], ids=repr
)
def test_case_width_and_white_space_do_not_separate_duplicates(same):
    assert position(same) == position("a good film")


def test_another_word_is_another_text():
    assert position("a good film") != position("a good films")


def test_the_place_of_a_text_never_changes():
    """Published figures belong to these splits: the first 64 bits of SHA-256 of the folded text, as a fraction."""
    assert position("") == 0xE3B0C44298FC1C14 / 2**64
    assert position("ABC") == 0xBA7816BF8F01CFEA / 2**64
    assert [split_of(text) for text in ("", "abc")] == ["validation", "train"]


def test_shares_of_nothing_and_of_everything():
    assert "test" not in Counter(split_of(text, test=0) for text in TEXTS)
    assert set(Counter(split_of(text, validation=0, test=0) for text in TEXTS)) == {"train"}
    assert set(Counter(split_of(text, test=1) for text in TEXTS)) == {"test"}


def test_a_smaller_test_share_takes_a_part_of_the_larger():
    small = {text for text in TEXTS if split_of(text, test=0.1) == "test"}
    large = {text for text in TEXTS if split_of(text, test=0.2) == "test"}
    assert small < large
