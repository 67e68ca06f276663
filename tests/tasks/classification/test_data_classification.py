"""From a dataset to the columns a classifier reads: labels, splits, what is reported, and what is refused."""

import dataclasses
import random

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, List, Value
from sklearn.utils.class_weight import compute_class_weight
from torch.utils.data import DataLoader
from transformers import BertTokenizer, HfArgumentParser

from hf_xfmr.errors import UserError
from hf_xfmr.splits import split_of
from hf_xfmr.tasks.classification.collate import ClassificationCollator
from hf_xfmr.tasks.classification.data import classification
from hf_xfmr.tasks.classification.settings import ClassificationSettings

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["film", "good", "bad", "very", *(f"w{number}" for number in range(50)), *"这部电影很好看不"]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(vocab={token: number for number, token in enumerate(SPECIALS + WORDS)}, model_max_length=16)


def texts(count: int, seed: int = 0, words: int = 6) -> list[str]:
    """Different texts of `words` words."""
    draw = random.Random(seed)
    return [" ".join([*draw.choices(WORDS, k=words - 1), f"w{number}"]) for number in range(count)]


def dataset(labels: list, *, feature=None, **columns) -> Dataset:
    columns = {"text": texts(len(labels)), **columns, "label": labels}
    data = Dataset.from_dict(columns)
    return data if feature is None else data.cast_column("label", feature)


def run(splits, tokenizer, *, max_positions=None, vocab_size=None, **settings):
    """Without carving unless asked for: most tests are about one split."""
    settings = {"validation_fraction": 0, "test_fraction": 0, **settings}
    splits = DatasetDict(train=splits) if isinstance(splits, Dataset) else splits
    return classification(
        splits,
        tokenizer,
        ClassificationSettings(**settings),
        max_positions=max_positions,
        vocab_size=vocab_size,
    )


def refusal(splits, tokenizer, **settings) -> str:
    with pytest.raises(UserError) as caught:
        run(splits, tokenizer, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_csv_file_from_end_to_end(tmp_path, tokenizer):
    rows = [(f"这部电影很好 w{n}", "good") if n % 3 else (f"bad, very bad w{n}", "bad") for n in range(50)]
    (tmp_path / "x.csv").write_text(
        "id,review,when,sentiment\n" + "".join(f'r{n},"{t}",1999,{s}\n' for n, (t, s) in enumerate(rows))
    )
    data = classification(
        str(tmp_path / "x.csv"),
        tokenizer,
        ClassificationSettings(max_length=8),
        max_positions=512,
        vocab_size=len(tokenizer),
    )
    assert data.label_names == ["bad", "good"]
    assert (data.problem.problem_type, len(data.problem.label_names)) == ("single_label_classification", 2)
    assert data.model_columns == ["input_ids", "token_type_ids", "labels"]
    assert set(data.passenger_columns) == {"text", "id", "cut", "length"}
    assert set(data.splits["train"].column_names) == {*data.model_columns, *data.passenger_columns}
    assert data.splits["train"].features["labels"] == Value("int64")
    found = {}
    for split, part in data.splits.items():
        for row in part:
            assert split_of(row["text"]) == split
            assert row["input_ids"] == tokenizer(row["text"], truncation=True, max_length=8)["input_ids"]
            assert row["length"] == len(row["input_ids"])
            assert row["cut"] == (len(tokenizer(row["text"])["input_ids"]) > 8)
            found[row["id"]] = (row["text"], data.label_names[row["labels"]])
    assert found == {f"r{n}": row for n, row in enumerate(rows)}

    sizes = {split: len(part) for split, part in data.splits.items()}
    n, good = sizes["train"], sum(data.splits["train"]["labels"])
    assert data.report == [
        f"data: {tmp_path / 'x.csv'}, single label classification",
        "read: x.csv as CSV, commas, UTF-8, 50 rows, 4 columns",
        f"splits: train {n}, validation {sizes['validation']} (carved from train by a hash of the text), "
        f"test {sizes['test']} (carved from train by a hash of the text)",
        'columns: text "review", label "sentiment", id "id"; not used: "when"',
        f"labels of train: bad {n - good} ({100 * (n - good) / n:.1f} %), good {good} ({100 * good / n:.1f} %)",
        "missing: nothing",
        *data.report[6:],
    ]
    all_tokens = 7 * good + 5 * (n - good)  # 这 部 电 影 很 好 w1; bad , very bad w1
    assert data.report[6] == (
        "length of train rows: median 9, 90 % up to 9, 99 % up to 9, longest 9 tokens with special tokens; max_length 8"
    )
    assert data.report[7] == (
        f"cut of train: {good} of {n} rows, {100 * good / all_tokens:.2f} % of tokens (over_long: head)"
    )
    unknown = 100 * (n - good) / (6 * good + 5 * (n - good))  # the comma
    assert data.report[12:] == [f"unknown to the tokenizer: {unknown:.2f} % of the tokens of train"]


def test_nothing_cut_is_said_too(tokenizer):
    data = run(dataset([0, 1] * 4), tokenizer)
    assert data.report[-2] == "cut of train: 0 of 8 rows, 0.00 % of tokens (over_long: head)"


@pytest.mark.parametrize(
    ("labels", "names", "ids"),
    [
        (["10", "2", "b10", "b2", "b2"], ["2", "10", "b2", "b10"], [1, 0, 3, 2, 2]),
        ([10, 2, -1, 2, 10], ["-1", "2", "10"], [2, 1, 0, 1, 2]),
        ([True, False, True], ["False", "True"], [1, 0, 1]),
        (["好", "坏", "好"], ["坏", "好"], [1, 0, 1]),
        (["NA", "yes", "NA"], ["NA", "yes"], [0, 1, 0]),
    ],
)
def test_label_names_and_their_order(tokenizer, labels, names, ids):
    data = run(dataset(labels), tokenizer)
    assert data.label_names == names
    assert list(data.splits["train"]["labels"]) == ids


def test_class_label_keeps_its_own_names_and_order(tokenizer):
    data = run(dataset([2, 0, 2, 0], feature=ClassLabel(names=["z", "never", "a"])), tokenizer)
    assert data.label_names == ["z", "never", "a"]
    assert list(data.splits["train"]["labels"]) == [2, 0, 2, 0]
    assert "labels of train: z 2 (50.0 %), never 0 (0.0 %), a 2 (50.0 %)" in data.report


def test_splits_with_class_labels_in_another_order_agree_by_name(tokenizer):
    splits = DatasetDict(
        train=dataset([0, 1, 1], feature=ClassLabel(names=["neg", "pos"])),
        test=dataset([0, 1, 1], feature=ClassLabel(names=["pos", "neg"])),
    )
    data = run(splits, tokenizer)
    assert list(data.splits["test"]["labels"]) == [1, 0, 0]


def test_ratings_are_regression(tokenizer):
    data = run(dataset([0.5, 4.0, 2.5, 1.0]), tokenizer)
    assert (data.problem.problem_type, data.label_names) == ("regression", None)
    assert data.splits["train"].features["labels"] == Value("float32")
    assert list(data.splits["train"]["labels"]) == [0.5, 4.0, 2.5, 1.0]
    assert "ratings of train: mean 2, sd 1.37, from 0.5 to 4" in data.report
    stars = run(dataset([1, 5, 3]), tokenizer, problem_type="regression")
    assert list(stars.splits["train"]["labels"]) == [1.0, 5.0, 3.0]
    classes = run(dataset([1.0, 2.5, 1.0]), tokenizer, problem_type="single_label_classification")
    assert classes.label_names == ["1", "2.5"]


@pytest.mark.parametrize(
    ("labels", "feature", "names"),
    [
        ([["sad", "calm"], [], ["calm"], ["glad"]], None, ["calm", "glad", "sad"]),
        ([[10, 2], [], [2], [9]], None, ["2", "9", "10"]),
        ([[2, 0], [], [0], [1]], List(ClassLabel(names=["z", "y", "x"])), ["z", "y", "x"]),
    ],
)
def test_lists_are_multi_label(tokenizer, labels, feature, names):
    data = run(dataset(labels, feature=feature), tokenizer)
    assert (data.problem.problem_type, len(data.problem.label_names)) == ("multi_label_classification", 3)
    assert data.label_names == names
    assert data.splits["train"].features["labels"] == List(Value("float32"))
    expected = {0: {names[0], names[2]}, 1: set(), 2: {names[0]}, 3: {names[1]}}
    for row, held in enumerate(data.splits["train"]["labels"]):
        assert {name for name, holds in zip(names, held, strict=True) if holds == 1.0} == expected[row]
    assert data.report[3].endswith("rows without a label 1")


def test_pairs_are_segments(tokenizer):
    data = run(
        dataset([0, 1, 1], text=["good film", "bad", "很好 film"], other=["very good", "w1 w2 w3", "不好"]),
        tokenizer,
        text_pair_column="other",
        text_column="text",
    )
    for row in data.splits["train"]:
        expected = tokenizer(row["text"], row["text_pair"])
        assert row["input_ids"] == expected["input_ids"]
        assert row["token_type_ids"] == expected["token_type_ids"]
    assert 'columns: text "text", text pair "other", label "label"; not used: none' in data.report


@pytest.mark.parametrize("over_long", ["head", "windows"])
def test_unknown_tokens_are_counted(tokenizer, over_long):
    data = run(dataset([0, 1], text=["w1 w2 xyz 您", "w1 w2 w3 w4"]), tokenizer, over_long=over_long)
    assert data.report[-1] == "unknown to the tokenizer: 25.00 % of the tokens of train"


def test_windows_feed_a_loader(tokenizer):
    data = run(dataset([0, 1, 1, 0], text=texts(4, words=30)), tokenizer, over_long="windows", window_stride=3)
    assert data.model_columns == ["windows", "windows_token_type_ids", "labels"]
    assert data.text_window == {"max_length": 16, "over_long": "windows", "overlap": 3, "pair": False}
    assert data.report[-3:-1] == [
        "windows of train: 12 for 4 rows, of which 4 have several, 3 at most",
        "cut of train: 0 of 4 rows, 0.00 % of tokens (over_long: windows)",
    ]
    batches = list(DataLoader(data.splits["train"], batch_size=3, collate_fn=ClassificationCollator(tokenizer)))
    assert [batch["input_ids"].shape for batch in batches] == [(9, 16), (3, 16)]
    assert [batch["window_row"].tolist() for batch in batches] == [[0] * 3 + [1] * 3 + [2] * 3, [0] * 3]
    assert torch.equal(batches[1]["labels"], torch.tensor([0]))


def carved(tokenizer, *, given=(), rows=400, **settings):
    train = dataset([0, 1] * (rows // 2), text=texts(rows))
    extra = {split: dataset([0, 1] * 5, text=texts(10, seed=9)) for split in given}
    return run(
        DatasetDict(train=train, **extra), tokenizer, **{"validation_fraction": 0.1, "test_fraction": 0.1, **settings}
    )


def test_carving_shares_no_text_and_ignores_order(tokenizer):
    base = texts(300)
    rows = [(text, n % 2) for n, text in enumerate(base)] + [(f" {text.upper()}", n % 2) for n, text in enumerate(base)]
    sides = []
    for seed in (None, 1):
        if seed is not None:
            random.Random(seed).shuffle(rows)
        train = Dataset.from_dict({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
        data = run(train, tokenizer, validation_fraction=0.1, test_fraction=0.1)
        sides.append({split: sorted(part["text"]) for split, part in data.splits.items()})
        folded = [{" ".join(text.lower().split()) for text in side} for side in sides[-1].values()]
        assert sum(map(len, folded)) == len(set().union(*folded)) == len(set(base))
        assert sum(map(len, sides[-1].values())) == 600
        assert {row["text"]: row["id"] for part in data.splits.values() for row in part} == {
            text: str(place) for place, (text, _) in enumerate(rows)
        }
    assert sides[0] == sides[1]


def test_the_last_rows_of_a_label_stay_in_train(tokenizer):
    """A hash of the text would hold out "w14", the only row of its label: it is kept, with its equals, and said."""
    rows = dataset(["a", "b"] * 50 + ["rare", "a"], text=[*texts(100), "w14", "W14 "])
    data = classification(DatasetDict(train=rows), tokenizer, ClassificationSettings())
    assert data.label_names == ["a", "b", "rare"]
    assert {"w14", "W14 "} <= set(data.splits["train"]["text"][:])
    assert sum(map(len, data.splits.values())) == 102
    assert (
        "kept in train: 2 rows that a hash of the text would have held out, among them all of 1 rare label "
        '("rare")' in data.report
    )
    same = DatasetDict(train=dataset(["a", "b"] * 50, text=texts(100)))  # nothing is lost, nothing said
    assert not any("kept in train" in line for line in classification(same, tokenizer, ClassificationSettings()).report)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}),
        (("test",), {"train": (0.0, 0.9), "validation": (0.9, 1.0)}),
        (("validation",), {"train": (0.0, 0.9), "test": (0.9, 1.0)}),
        (("validation", "test"), {"train": (0.0, 1.0)}),
    ],
)
def test_only_missing_splits_are_carved_and_only_from_train(tokenizer, given, expected):
    from hf_xfmr.splits import position

    data = carved(tokenizer, given=given)
    for split in given:
        assert list(data.splits[split]["text"]) == texts(10, seed=9)
    for split, (low, high) in expected.items():
        assert list(data.splits[split]["text"]) == [text for text in texts(400) if low <= position(text) < high]
    assert list(data.splits) == ["train", "validation", "test"]


def test_no_carving_when_told(tokenizer):
    assert list(carved(tokenizer, validation_fraction=0.2, test_fraction=0).splits) == ["train", "validation"]


@pytest.mark.parametrize("how", ["minus one", "null", "no column"])
def test_a_test_split_without_labels_is_not_scored(tokenizer, how):
    """GLUE's test labels are -1, a competition's test.csv has none: test rows come from train then, and "
    "validation stays."""
    feature = ClassLabel(names=["neg", "pos"])
    test = dataset([-1 if how == "minus one" else None] * 10, feature=feature)
    splits = DatasetDict(
        train=dataset([0, 1] * 100, feature=feature),
        validation=dataset([0, 1] * 5, feature=feature),
        test=test.remove_columns("label") if how == "no column" else test,
    )
    data = run(splits, tokenizer, test_fraction=0.1)
    assert "test: the given split's 10 rows have no labels and cannot be scored; left out" in data.report
    assert {split: len(part) for split, part in data.splits.items()} == {
        "train": sum(split_of(text, 0) == "train" for text in texts(200)),
        "validation": 10,
        "test": sum(split_of(text, 0) == "test" for text in texts(200)),
    }


def test_minus_one_is_a_label_like_others_where_train_has_it(tokenizer):
    splits = DatasetDict(train=dataset([-1, 1, -1]), test=dataset([-1, -1]))
    assert list(run(splits, tokenizer).splits["test"]["labels"]) == [0, 0]


def test_other_splits_are_named_as_not_used(tokenizer):
    splits = DatasetDict(train=dataset([0, 1]), test=dataset([0, 1]), unsupervised=dataset([-1, -1]))
    assert run(splits, tokenizer).report[1] == "splits: train 2, test 2; not used: unsupervised"


def test_row_limits_choose_the_same_rows_in_any_order(tokenizer):
    train = dataset([0, 1] * 50)
    chosen = []
    for rows in (train, train.shuffle(seed=3)):
        data = run(DatasetDict(train=rows, test=rows), tokenizer, max_train_rows=10, max_test_rows=1000)
        assert "max_train_rows: 10 of 100 train rows are used, chosen by a hash of their text" in data.report
        assert len(data.splits["test"]) == 100
        chosen.append(set(data.splits["train"]["text"]))
        assert len(chosen[-1]) == 10
    assert chosen[0] == chosen[1]
    assert run(train, tokenizer, max_train_rows=1).label_names == ["0", "1"]  # labels are those of all train rows


def test_empty_rows_are_dropped_only_when_told(tokenizer):
    rows = dataset([0, 1, 0, 1, None, 1], text=["w1", "", "w2", " \n", None, "w3"])
    assert refusal(rows, tokenizer) == (
        'train rows 1, 3, 4 (counted from 0): no text in column "text"; fill it in, or leave such rows out by '
        "drop_empty: true"
    )
    data = run(rows, tokenizer, drop_empty=True)
    assert list(data.splits["train"]["text"]) == ["w1", "w2", "w3"]
    assert list(data.splits["train"]["id"]) == ["0", "2", "5"]
    assert list(data.splits["train"]["labels"]) == [0, 0, 1]
    assert "dropped: 3 of 6 train rows, which have no text: train rows 1, 3, 4 (counted from 0)" in data.report
    assert refusal(dataset([0, 1], text=["", ""]), tokenizer, drop_empty=True) == (
        "no train row has a text; nothing is left of the split"
    )


def test_ids(tokenizer):
    assert list(run(dataset([0, 1], idx=[17, 4]), tokenizer).splits["train"]["id"]) == ["17", "4"]
    data = run(dataset([0, 1], id=["a", None]), tokenizer)
    assert list(data.splits["train"]["id"]) == ["0", "1"]
    assert 'ids: column "id" has gaps in train, so its rows are known by their number' in data.report


@pytest.mark.parametrize(
    ("columns", "told", "found"),
    [
        (["text", "label"], {}, ("text", "label")),
        (["Review", "Stars", "title"], {}, ("Review", "Stars")),
        (["文本", "标签"], {}, ("文本", "标签")),
        (["what was said", "category"], {}, ("what was said", "category")),
        (["text", "label", "rating"], {"label_column": "rating"}, ("text", "rating")),
        (["text", "label", "sentence"], {"text_column": "sentence"}, ("sentence", "label")),
        (["x", "y", "z"], {"text_column": "y", "label_column": "x"}, ("y", "x")),
    ],
)
def test_columns_are_found_by_name(tokenizer, columns, told, found):
    rows = Dataset.from_dict({name: ["good film", "bad film"] for name in columns})
    data = run(rows, tokenizer, **told)
    rest = ", ".join(f'"{name}"' for name in columns if name not in found) or "none"
    assert data.report[2] == f'columns: text "{found[0]}", label "{found[1]}"; not used: {rest}'


COLUMNS = [
    (
        ["text", "when"],
        {},
        'no column is known to be the label; say which with --label_column: the dataset has "text", "when"',
    ),
    (
        ["text", "label", "rating"],
        {},
        'the label column could be "label", "rating"; say which with --label_column label or --label_column rating',
    ),
    (
        ["sentence1", "sentence2", "label"],
        {},
        'the text column could be "sentence1", "sentence2"; say which with --text_column sentence1 or --text_column '
        "sentence2, and another with --text_pair_column if two of them are a pair",
    ),
    (
        ["title", "words", "label"],
        {},
        'the text column could be "title", "words"; say which with --text_column title or --text_column words, '
        "and another with --text_pair_column if two of them are a pair",
    ),
    (
        ["text", "label"],
        {"label_column": "lable"},
        'label_column is "lable", but the dataset has no such column; it has "text", "label"',
    ),
    (
        ["text", "label"],
        {"text_column": "review"},
        'text_column is "review", but the dataset has no such column; it has "text", "label"',
    ),
    (
        ["text", "label"],
        {"text_column": "text", "text_pair_column": "text"},
        'text_column "text", text_pair_column "text" and label_column "label" must be different columns',
    ),
]


@pytest.mark.parametrize(("columns", "told", "expected"), COLUMNS, ids=[expected[:50] for *_, expected in COLUMNS])
def test_columns_that_cannot_be_found(tokenizer, columns, told, expected):
    assert refusal(Dataset.from_dict({name: ["a", "b"] for name in columns}), tokenizer, **told) == expected


def test_columns_that_hold_something_else(tokenizer):
    assert refusal(dataset([0, 1], text=[1, 2]), tokenizer, text_column="text") == (
        "text_column is \"text\", which holds Value('int64'), not texts; name another column"
    )
    assert refusal(dataset([{"a": 1}, {"a": 2}]), tokenizer).startswith('label column "label" holds {')
    assert refusal(dataset([[0.5], [1.0]]), tokenizer) == (
        "label column \"label\" holds List(Value('float64')), but labels are texts, numbers, or lists of texts "
        "or whole "
        "numbers; name another label_column, or change this one"
    )


one_class = dataset(["good"] * 3)
BAD = [
    (
        one_class,
        {},
        'label column "label" has the one class "good" in train; there is nothing to tell apart, so add rows of '
        "another",
    ),
    (
        dataset([[], []], feature=List(Value("int64"))),
        {},
        'label column "label" has no label at all in train; there is nothing to tell apart, so add rows of another',
    ),
    (
        DatasetDict(train=dataset(["a", "b"]), test=dataset(["a", "c", "d"])),
        {},
        'test row 1 (counted from 0): label "c" of the test split never occurs in train; add train rows of this '
        "label, or "
        'correct or remove the row (column "label")',
    ),
    (
        dataset([0.5, float("nan"), 1.0, None]),
        {},
        'train rows 1, 3 (counted from 0): column "label" has no rating there (empty or NaN); fill it in, or '
        "leave such rows out by drop_unlabelled: true",
    ),
    (
        dataset([0.5, float("inf"), 1.0]),
        {},
        'train row 1 (counted from 0): column "label" holds no finite number there, and regression needs one a row; '
        "correct it, or remove the rows",
    ),
    (
        dataset(["1.5", "n/a", "2"]),
        {"problem_type": "regression"},
        'train row 1 (counted from 0): column "label" holds no finite number there, and regression needs one a row; '
        "correct it, or remove the rows",
    ),
    (
        dataset([1, None, 0, 1, None, None, None, None, None]),
        {},
        'train rows 1, 4, 5, 6, 7 and 1 more (counted from 0): column "label" has no label there (empty or NaN); '
        "fill it in, or leave such rows out by drop_unlabelled: true",
    ),
    (
        dataset([0, 1, -1], feature=ClassLabel(names=["neg", "pos"])),
        {},
        'train row 2 (counted from 0): column "label" has no label there (empty or NaN); fill it in, or leave '
        "such rows out by drop_unlabelled: true",
    ),
    (
        DatasetDict(train=dataset(["a", "b"]), validation=dataset(["a", ""])),
        {},
        'validation row 1 (counted from 0): column "label" has no label there (empty or NaN); fill it in, or '
        "leave such rows out by drop_unlabelled: true",
    ),
    (
        dataset([[1, 0, 1], [0, 1, 0]]),
        {},
        'train rows 0, 1 (counted from 0): column "label" lists a label twice there; a row lists the labels that '
        "hold, each "
        "once, not a 0 or 1 for every label",
    ),
    (
        dataset([0, 1]),
        {"problem_type": "classification"},
        'problem_type is "classification"; it can be single_label_classification, multi_label_classification, '
        "regression",
    ),
    (
        dataset([0, 1]),
        {"problem_type": "multi_label_classification"},
        'problem_type is "multi_label_classification", but label column "label" holds Value(\'int64\'), and '
        "lists alone are "
        "multi-label; leave problem_type out, or change the column",
    ),
    (
        DatasetDict(test=dataset([0, 1]), dev=dataset([0, 1])),
        {},
        'the dataset has no train split, only "test", "validation"; there is nothing to train on',
    ),
    (
        DatasetDict(train=dataset([0, 1]), validation=dataset([0, 1]).rename_column("text", "review")),
        {},
        'the validation split has no column "text", which train has; it has "review", "label"',
    ),
    (
        dataset([0, 1]),
        {"validation_fraction": 0.5, "test_fraction": 0.5},
        "validation_fraction 0.5 and test_fraction 0.5 leave nothing to train on; each is at least 0 and "
        "together they stay "
        "under 1",
    ),
    (
        dataset([0, 1], text=["w1", "w2"]),
        {"validation_fraction": 0.01},
        "the train split's 2 rows are too few to carve validation rows from (validation would get none of them); "
        "add rows, "
        "or give a validation file",
    ),
    (dataset([0, 1]), {"max_train_rows": 0}, "max_train_rows is 0; it must be at least 1"),
    (
        dataset([0, 1], text=["w1", "w1 " * 10_000]),
        {"over_long": "error"},
        "max_length 16 has room for 14 tokens of text, less than train row 1 (10,000 tokens); shorten the text, raise "
        "max_length, or set over_long to head, tail, head+tail, windows",
    ),
    (
        dataset([0, 1]),
        {"max_length": 600, "max_positions": 512},
        "max_length 600 is more than the 512 positions of the model; lower it",
    ),
    (
        dataset([0, 1], text=["w1 w2", "w10 w11 w12 w13 w14 w15"]),
        {"vocab_size": 20},
        'the tokenizer gives ids beyond the embedding, whose last is 19: 20 "w11", 21 "w12", 22 "w13", 23 "w14", '
        '24 "w15"; '
        "use the checkpoint's own tokenizer, or enlarge the embedding by "
        "model.resize_token_embeddings(len(tokenizer))",
    ),
    (
        dataset([0, 1], text=["w1 w2", "w10 w11 w12"]),
        {"vocab_size": 20, "over_long": "windows", "max_length": 4},
        'the tokenizer gives ids beyond the embedding, whose last is 19: 20 "w11", 21 "w12"; '
        "use the checkpoint's own tokenizer, or enlarge the embedding by "
        "model.resize_token_embeddings(len(tokenizer))",
    ),
]


@pytest.mark.parametrize(("splits", "settings", "expected"), BAD, ids=[expected[:60] for *_, expected in BAD])
def test_bad_input(tokenizer, splits, settings, expected):
    assert refusal(splits, tokenizer, **settings) == expected


@pytest.mark.parametrize(
    ("told", "tokenizers", "models", "used"),
    [
        (None, 16, 512, 16),
        (None, 16, 8, 8),
        (None, int(1e30), 12, 12),
        (None, int(1e30), None, None),
        (20, 16, 512, 20),
    ],
)
def test_max_length(told, tokenizers, models, used):
    vocab = {token: number for number, token in enumerate(SPECIALS + WORDS)}
    tokenizer = BertTokenizer(vocab=vocab, model_max_length=tokenizers)
    data = run(dataset([0, 1], text=["w1", "w1 " * 40]), tokenizer, max_length=told, max_positions=models)
    assert max(map(len, data.splits["train"]["input_ids"])) == (used or 42)
    assert data.text_window["max_length"] == used


def class_weights(data):
    return data.problem.class_weights(data.splits["train"]["labels"][:])


def test_class_weights_balance(tokenizer):
    labels = [0] * 70 + [1] * 20 + [2] * 10
    weights = class_weights(run(dataset(labels, text=texts(100)), tokenizer))
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=labels))
    absent = run(dataset([0, 2, 2], feature=ClassLabel(names=["a", "never", "b"])), tokenizer)
    assert class_weights(absent) == [1.5, 0.0, 0.75]
    with pytest.raises(UserError, match="class weights need one label a row, but this is regression"):
        class_weights(run(dataset([0.5, 1.0]), tokenizer))


def test_many_labels_are_summed_up(tokenizer):
    labels = [n for n in range(20) for _ in range(20 - n)]
    line = run(dataset(labels, text=texts(len(labels))), tokenizer).report[4]
    assert line.startswith("labels of train: 0 20 (9.5 %), 1 19 (9.0 %), ")
    assert line.endswith(", 9 11 (5.2 %), and 10 more with 1 to 10 rows")


def test_a_read_only_saved_dataset_is_left_as_it_was(tmp_path, tokenizer):
    DatasetDict(train=dataset([0, 1] * 100)).save_to_disk(tmp_path / "saved")
    before = sorted(tmp_path.rglob("*"))
    data = classification(str(tmp_path / "saved"), tokenizer, ClassificationSettings())
    assert sum(map(len, data.splits.values())) == 200
    assert sorted(tmp_path.rglob("*")) == before


def test_a_tokenizer_made_of_the_train_split_alone(tokenizer):
    """From scratch, a vocabulary that knows validation or test texts would flatter the figures."""
    seen = []

    def make(given):
        seen.extend(given)
        return tokenizer

    rows = dataset([0, 1] * 100, other=texts(200, seed=1))
    data = run(rows, make, text_column="text", text_pair_column="other", validation_fraction=0.2, max_train_rows=50)
    train = data.splits["train"]
    assert data.tokenizer is tokenizer
    assert len(train) == 50
    assert seen == [*train["text"], *train["text_pair"]]


def test_settings_explain_themselves_on_the_command_line():
    assert all(field.metadata["help"] for field in dataclasses.fields(ClassificationSettings))
    (settings,) = HfArgumentParser(ClassificationSettings).parse_args_into_dataclasses(
        ["--label_column", "stars", "--over_long", "head+tail", "--max_train_rows", "5", "--drop_empty"]
    )
    assert settings == ClassificationSettings(
        label_column="stars", over_long="head+tail", max_train_rows=5, drop_empty=True
    )
