"""Lists of words in place of a text."""

import pytest
from datasets import Dataset, DatasetDict

from hf_xfmr.data.documents import DocumentSettings, load_documents
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.read import read_labelled
from hf_xfmr.tasks.classification.settings import ClassificationSettings

ENGLISH = [["a", "good", "film"], ["bad", "one"], ["good", "again"], ["bad"]]
CHINESE = [["这部", "电影", "好"], ["很", "差"], ["好看"], ["差"]]


def read(words, **settings):
    rows = DatasetDict(train=Dataset.from_dict({"tokens": words, "label": ["pos", "neg"] * 2}))
    return read_labelled(rows, ClassificationSettings(validation_fraction=0, test_fraction=0, **settings))


@pytest.mark.parametrize(("words", "texts", "how"), [
    (ENGLISH, ["a good film", "bad one", "good again", "bad"], "a space between two"),
    (CHINESE, ["这部电影好", "很差", "好看", "差"], "one after another"),
])  # fmt: skip
def test_lists_of_words_are_texts(words, texts, how):
    for settings in ({}, {"text_column": "tokens"}):
        found = read(words, **settings)
        assert found.splits["train"]["text"][:] == texts
        assert f'texts: the words of column "tokens", {how}' in found.notes


def test_an_empty_or_missing_list_is_a_row_without_text():
    with pytest.raises(UserError, match=r"train rows 1, 2.* no text in column .tokens.*drop_empty"):
        read([["good"], [], None, ["bad"]])


def test_a_column_of_texts_comes_before_lists_of_words():
    rows = DatasetDict(train=Dataset.from_dict({"text": ["a b", "c d"] * 2, "words": ENGLISH, "label": ["x", "y"] * 2}))
    found = read_labelled(rows, ClassificationSettings(validation_fraction=0, test_fraction=0))
    assert found.splits["train"]["text"][:2] == ["a b", "c d"]
    assert not any(note.startswith("texts:") for note in found.notes)


def test_a_corpus_of_lists_of_words():
    rows = DatasetDict(train=Dataset.from_dict({"tokens": ENGLISH * 10}))
    splits, report = load_documents(rows, DocumentSettings(text_column="tokens", validation_fraction=0))
    assert list(splits["train"])[:2] == ["a good film", "bad one"]
    assert 'texts: the words of column "tokens", a space between two' in report
