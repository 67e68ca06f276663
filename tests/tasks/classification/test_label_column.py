"""What a label column means: lists written out, columns of 0 and 1, numbers that are classes, names beside numbers."""

import pytest
from datasets import Dataset, DatasetDict
from transformers import BertTokenizer

from hf_xfmr.check import data_findings
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.data import classification
from hf_xfmr.tasks.classification.settings import ClassificationSettings

ROWS = 60


@pytest.fixture(scope="module")
def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(ROWS)), "row"]
    return BertTokenizer(vocab={word: number for number, word in enumerate(words)})


def read(tokenizer, *, label=None, settings=None, rows=ROWS, **columns):
    """The data of rows whose labels, and other columns, are these values over and over."""
    columns = columns if label is None else {"label": label, **columns}
    table = {name: [values[row % len(values)] for row in range(rows)] for name, values in columns.items()}
    texts = [f"row {row}" for row in range(rows)]
    splits = DatasetDict(train=Dataset.from_dict({"text": texts, **table}))
    return classification(splits, tokenizer, ClassificationSettings(text_column="text", **(settings or {})))


def labels_of(data) -> dict[str, list]:
    """Row's text -> its labels by name, of all splits."""
    named = {}
    for rows in data.splits.values():
        named.update(zip(rows["text"][:], data.problem.named(rows["labels"][:]), strict=True))
    return named


SEVERAL = {
    "pandas": (["['a', 'b']", "['a']", "[]", "['c']"], [["a", "b"], ["a"], [], ["c"]]),
    "json": (['["a", "b"]', '["a"]', "[]", '["c"]'], [["a", "b"], ["a"], [], ["c"]]),
    "numpy": (["['a' 'b c']", "['a']", "['b c'\n 'd']"], [["a", "b c"], ["a"], ["b c", "d"]]),
    "numpy numbers": (["[0 2]", "[2]", "[1]"], [["0", "2"], ["2"], ["1"]]),
    "tuples": (["('a', 'b')", "('a',)", "('c',)"], [["a", "b"], ["a"], ["c"]]),
    "numbers": (["2", "2,5", "27", "10,3,2"], [["2"], ["2", "5"], ["27"], ["2", "3", "10"]]),
    "bars": (["a|b", "a", "c"], [["a", "b"], ["a"], ["c"]]),
    "semicolons": (["a;b", "a", "b; c"], [["a", "b"], ["a"], ["b", "c"]]),
    "commas": (["joy, love", "joy", "anger, love"], [["joy", "love"], ["joy"], ["anger", "love"]]),
    "Chinese": (["喜、怒", "喜", "哀、怒"], [["喜", "怒"], ["喜"], ["哀", "怒"]]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_lists_written_into_a_text_are_several_labels(tokenizer, name):
    written, expected = SEVERAL[name]
    data = read(tokenizer, label=written)
    assert data.problem.problem_type == "multi_label_classification"
    found = labels_of(data)
    assert all(sorted(found[f"row {row}"]) == sorted(expected[row % len(expected)]) for row in range(ROWS))
    (line,) = [line for line in data.report if line.startswith("labels: ")]
    assert line.endswith("several labels a row; each text as one label: --problem_type single_label_classification")
    alone = read(tokenizer, label=written, settings={"problem_type": "single_label_classification"})
    assert sorted(alone.label_names) == sorted(written)


def test_a_name_with_a_comma_is_one_label_and_the_flag_is_told(tokenizer):
    names = ["Clothing, Shoes", "Electronics", "Toys, Games"]
    data = read(tokenizer, label=names)
    assert data.label_names == names
    assert 'labels: "Clothing, Shoes" is taken as one label; as several: --label_separator ","' in data.report
    told = read(tokenizer, label=names, settings={"label_separator": ","})
    assert told.label_names == ["Clothing", "Electronics", "Games", "Shoes", "Toys"]


def test_decimal_commas_or_two_labels_is_a_question_with_two_answers(tokenizer):
    values = ["2,5", "3,5", "4"]
    with pytest.raises(UserError) as error:
        read(tokenizer, label=values)
    assert str(error.value) == (
        'label column "label" holds "2,5", "3,5": give --label_separator , if these are several labels, or '
        "--problem_type regression if they are numbers with a decimal comma"
    )
    ratings = read(tokenizer, label=values, settings={"problem_type": "regression"})
    assert sorted({one for rows in ratings.splits.values() for one in rows["labels"][:]}) == [2.5, 3.5, 4.0]
    assert read(tokenizer, label=values, settings={"label_separator": ","}).label_names == ["2", "3", "4", "5"]


def test_a_label_that_a_row_has_twice_is_named(tokenizer):
    with pytest.raises(UserError, match=r"train rows 1, 3.* lists a label twice there"):
        read(tokenizer, label=["a|b", "b|b"])


def test_columns_of_0_and_1(tokenizer):
    columns = {"toxic": [1, 0, 1], "severe": [True, False, False], "obscene": [0.0, 0.0, 1.0], "length": [3, 4, 5]}
    with pytest.raises(
        UserError, match="if each says whether a label holds, give --label_columns toxic,severe,obscene"
    ):
        read(tokenizer, **columns)
    data = read(tokenizer, **columns, settings={"label_columns": "toxic, severe,obscene"})
    assert data.label_names == ["toxic", "severe", "obscene"]
    assert [labels_of(data)[f"row {row}"] for row in range(3)] == [["toxic", "severe"], [], ["toxic", "obscene"]]
    for told, said in (
        ("toxic,length", r'train rows? 0.*column "length" of label_columns holds 3; each is 1 where its label holds'),
        ("toxic", "it names two or more different columns"),
        ("toxic,rude", 'label_columns names "rude", but the dataset has no such column'),
    ):
        with pytest.raises(UserError, match=said):
            read(tokenizer, **columns, settings={"label_columns": told})


def test_whole_numbers_written_as_decimals_are_classes_if_they_are_few(tokenizer):
    few = read(tokenizer, label=[0.0, 1.0, 2.0, None], settings={"drop_unlabelled": True})
    assert (few.problem.problem_type, few.label_names) == ("single_label_classification", ["0", "1", "2"])
    assert any("are taken as classes; as ratings: --problem_type regression" in line for line in few.report)
    assert (
        f"dropped: {ROWS // 4} of {ROWS} train rows, which have no label: train rows 3, 7, 11, 15, 19 and 10 more"
        in (" ".join(few.report))
    )
    with pytest.raises(UserError, match="or leave such rows out by drop_unlabelled: true"):
        read(tokenizer, label=[0.0, 1.0, 2.0, None])
    told = read(tokenizer, label=[0.0, 1.0, 2.0], settings={"problem_type": "regression"})
    assert told.problem.problem_type == "regression"
    many = read(tokenizer, label=[float(one) for one in range(30)])
    assert many.problem.problem_type == "regression"
    assert any("as classes: --problem_type single_label_classification" in line for line in many.report)
    assert read(tokenizer, label=[0.5, 1.0]).problem.problem_type == "regression"


def test_whole_numbers_say_the_flag_that_makes_them_ratings(tokenizer):
    assert any(
        "as ratings: --problem_type regression" in line for line in read(tokenizer, label=[1, 2, 3, 4, 5]).report
    )
    assert not any("as ratings" in line for line in read(tokenizer, label=[0, 1]).report)


@pytest.mark.parametrize("missing", [-1, "?", "N/A", "未知"])
def test_what_looks_like_a_missing_label_is_a_warning_that_names_the_flags(tokenizer, missing):
    labels = [0, 1, 2, missing] if isinstance(missing, int) else ["a", "b", "c", missing]
    data = read(tokenizer, label=labels)
    found = {one.name: one for one in data_findings(data, data.parts(1000))[0]}
    assert f"--missing_label={missing} --drop_unlabelled true" in str(found["missing-label"])
    told = read(tokenizer, label=labels, settings={"missing_label": str(missing), "drop_unlabelled": True})
    assert str(missing) not in told.label_names
    assert sum(map(len, told.splits.values())) == ROWS * 3 // 4


@pytest.mark.parametrize(("label", "names"), [("label", "label_text"), ("intent", "intent_name"), ("类别", "类别名称")])
def test_names_beside_whole_numbers_are_the_names_of_the_labels(tokenizer, label, names):
    columns = {label: [2, 0, 1], names: ["positive", "negative", "neutral"]}
    data = read(tokenizer, **columns, settings={"label_column": label})
    assert data.label_names == ["negative", "neutral", "positive"]
    assert labels_of(data)["row 0"] == "positive"
    assert f'their names are those of column "{names}": "0 negative", "1 neutral", "2 positive"' in " ".join(
        data.report
    )


def test_names_that_do_not_fit_the_numbers_are_not_used_and_why(tokenizer):
    data = read(tokenizer, label=[0, 1, 2], label_text=["a", "b", "c", "d"])
    assert data.label_names == ["0", "1", "2"]
    assert 'column "label_text" is not used for names: the number 0 of column "label" has two names' in " ".join(
        data.report
    )
