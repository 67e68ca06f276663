"""Whatever a table is like, what is said of it stays a line that can be read."""

import json

import pytest
from datasets import Dataset, DatasetDict

from hf_xfmr.data.wording import opening
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.read import read_labelled
from hf_xfmr.tasks.classification.settings import ClassificationSettings

LONGEST = 1500


def refusal(dataset, **settings) -> str:
    with pytest.raises(UserError) as error:
        read_labelled(dataset, ClassificationSettings(**settings))
    return str(error.value)


@pytest.mark.slow
def test_three_hundred_columns(tmp_path):
    names = [f"a column of which there are many {number}" for number in range(300)]
    path = tmp_path / "wide.csv"
    path.write_text(",".join(names) + "\n" + ",".join(["text"] * 300) + "\n")
    for settings in ({}, {"label_column": "label"}, {"text_column": "text"}, {"label_columns": "a,b"}):
        said = refusal(str(path), **settings)
        assert len(said) < LONGEST
        assert "and 288 more" in said


def test_twenty_thousand_labels():
    labels = [f"label {number}" for number in range(20_000)]
    rows = Dataset.from_dict({"text": [f"text {row}" for row in range(40_000)], "label": labels * 2})
    test = Dataset.from_dict({"text": ["text"], "label": ["another"]})
    assert len(refusal(DatasetDict(train=rows, test=test))) < LONGEST
    read = read_labelled(DatasetDict(train=rows), ClassificationSettings())
    lines = [*read.notes, read.problem.balance_line(read.problem.encode(read.splits["train"]["label"][:]))]
    assert all(len(line) < LONGEST for line in lines), lines


def test_a_thousand_splits_and_a_key_without_end(tmp_path):
    splits = DatasetDict({f"part {number}": Dataset.from_dict({"text": ["a"]}) for number in range(1000)})
    assert len(refusal(splits)) < LONGEST
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"x" * 100_000: "a text", "y" * 100_000: "another"}) + "\n")
    assert len(refusal(str(path))) < LONGEST


def test_the_opening_of_a_text_ends_with_a_whole_word():
    assert opening("one two  three\nfour", 100) == "one two three four"
    assert opening("one two three four", 10) == "one two"
    assert opening("one two three four", 13) == "one two three"
    assert opening("这个产品很好用，下次还会再来买", 6) == "这个产品很好"
