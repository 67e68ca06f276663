"""`--fixed_labels`: labels of a file in place of a dataset's, counted, and what is wrong with such a file."""

import pytest
from datasets import Dataset

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.read import read_labelled
from hf_xfmr.tasks.classification.settings import ClassificationSettings

TEXTS = [f"text number {i}" for i in range(20)]


def read(folder, fixed: str, labels=None, **columns):
    """The labels by text, and the notes."""
    (folder / "fixed.csv").write_text(fixed, encoding="utf-8")
    labels = labels or [("neg", "pos")[i % 2] for i in range(20)]
    rows = Dataset.from_dict({"text": TEXTS, "label": labels, **columns})
    found = read_labelled(rows, ClassificationSettings(fixed_labels=str(folder / "fixed.csv")))
    by_text = {row["text"]: row["label"] for split in found.splits.values() for row in split}
    return by_text, found.notes


def test_a_row_is_known_by_id_and_text_or_by_either(tmp_path):
    for table in (
        "id,text,fixed_label\n3,text  number 3,neg\n4,text number 4,\n",
        "text,fixed_label\ntext number 3,neg\n",
        "id,fixed_label\n3,neg\n3,neg\n",
    ):
        labels, notes = read(tmp_path, table)
        assert labels["text number 3"] == "neg"
        assert labels["text number 5"] == "pos"
        assert any(one.startswith("fixed labels: 1 labels changed (1 of train)") for one in notes)
    _, notes = read(tmp_path, "id,fixed_label\n3,neg\n5,pos\n")
    assert any(one.endswith("1 were so already") for one in notes)


def test_numbers_several_labels_and_ratings(tmp_path):
    labels, _ = read(tmp_path, "id,fixed_label\n3,7\n", labels=[[1, 7][i % 2 == 0] for i in range(20)])
    assert labels["text number 3"] == 7
    several = [["a", "b"][: 1 + i % 2] for i in range(20)]
    labels, _ = read(tmp_path, "id,fixed_label\n2,b|a\n4,|\n", labels=several)
    assert sorted(labels["text number 2"]) == ["a", "b"]
    assert labels["text number 4"] == []
    labels, _ = read(tmp_path, "id,fixed_label\n2,9.5\n", labels=[i / 8 for i in range(20)])
    assert labels["text number 2"] == 9.5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,label\n3,neg\n", 'has no column "fixed_label"'),
        ("id,text,fixed_label\n3,text number 3,\n", "empty in every row"),
        ("fixed_label,other\nneg,1\n", "neither the column id nor text"),
        ("id,fixed_label\n3,neg\n99,neg\n", 'row 2: no row of the dataset has the id "99"'),
        ("id,text,fixed_label\n3,text number 4,neg\n", "row 1: no row of the dataset has the id"),
        ("id,fixed_label\n3,negative\n", 'row 1: fixed_label is "negative", a label that no row of the dataset has'),
        ("id,fixed_label\n3,neg\n3,pos\n", 'row 2: fixed_label is "pos", but row 1 says another'),
    ],
)
def test_what_is_wrong_is_said_with_its_row(tmp_path, table, message):
    with pytest.raises(UserError) as raised:
        read(tmp_path, table)
    assert message in str(raised.value)


def test_an_id_that_two_splits_have_needs_the_text(tmp_path):
    (tmp_path / "f.csv").write_text("id,fixed_label\n1,neg\n")
    rows = Dataset.from_dict({"text": TEXTS, "label": ["neg", "pos"] * 10})
    with pytest.raises(UserError, match="2 rows of the dataset have the id"):
        read_labelled({"train": rows, "test": rows}, ClassificationSettings(fixed_labels=str(tmp_path / "f.csv")))
