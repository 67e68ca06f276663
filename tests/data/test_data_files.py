"""Local files and folders as datasets: what is read, and the one line a user sees when it cannot be."""

import json
import re

import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from hf_xfmr.data.sources import load_dataset_dict
from hf_xfmr.data.table.kinds import FORMATS
from hf_xfmr.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def message(name: str, **kwargs) -> str:
    with pytest.raises(UserError) as caught:
        load_dataset_dict(name, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


CSV = 'text,label\n"a, b",1\n好的,0\n"said ""yes""\nand left",1\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", CSV),
        ("x.CSV", b"\xef\xbb\xbf" + CSV.encode()),
        ("x.csv", CSV.replace("\n", "\r\n").replace('yes""\r\nand', 'yes""\nand')),
        ("x.tsv", 'text\tlabel\n"a, b"\t1\n好的\t0\n"said ""yes""\nand left"\t1\n'),
        (
            "x.json",
            json.dumps([{"text": t, "label": n} for t, n in [("a, b", 1), ("好的", 0), ('said "yes"\nand left', 1)]]),
        ),
        (
            "x.jsonl",
            '{"text": "a, b", "label": 1}\n{"text": "好的", "label": 0}\n\n{"text": "said \\"yes\\"\\nand left", '
            '"label": 1}',
        ),
    ],
)
def test_formats_hold_the_same(write, name, content):
    splits = load_dataset_dict(write(name, content))
    assert list(splits) == ["train"]
    assert splits["train"].to_list() == [
        {"text": "a, b", "label": 1},
        {"text": "好的", "label": 0},
        {"text": 'said "yes"\nand left', "label": 1},
    ]


def test_parquet_keeps_label_names(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features).to_parquet(tmp_path / "x.parquet")
    assert load_dataset_dict(str(tmp_path / "x.parquet"))["train"].features == features


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["1", "2", "10"], [1, 2, 10]),
        (["1", "", "3"], [1, None, 3]),  # a missing number does not turn its column into floats
        (["1", "NA", "3"], [1, None, 3]),
        (["1.5", "nan", "-2"], [1.5, None, -2.0]),
        (["1e-3", "inf", ".5"], [0.001, float("inf"), 0.5]),
        (["true", "False", "TRUE"], [True, False, True]),
        (["NA", "null", "None"], ["NA", "null", "None"]),
        (["NA", "yes", ""], ["NA", "yes", ""]),
        (["007", "1", "2"], ["007", "1", "2"]),
        (["1234567890123456789", "1", "2"], ["1234567890123456789", "1", "2"]),  # float64 would round it
        (["1", "2", "two"], ["1", "2", "two"]),
    ],
)
def test_csv_columns_get_the_narrowest_type_that_loses_nothing(write, values, read):
    found = load_dataset_dict(write("x.csv", "i,x\n" + "".join(f"{i},{x}\n" for i, x in enumerate(values))))["train"][
        "x"
    ]
    assert list(found) == read
    assert [type(x) for x in found] == [type(x) for x in read]


def test_a_csv_column_has_one_type_in_all_splits(tmp_path, write):
    write("train.csv", "text,label\na,1\nb,2\n")
    write("dev.csv", "text,label\nc,one\n")
    splits = load_dataset_dict(str(tmp_path))
    assert {split: rows.to_list() for split, rows in splits.items()} == {
        "train": [{"text": "a", "label": "1"}, {"text": "b", "label": "2"}],
        "validation": [{"text": "c", "label": "one"}],
    }


def test_tsv_with_bare_quotes_is_not_glued_together(write):
    """GLUE's files do not quote: a quotation mark there is a character, even where two of them could make a field."""
    rows = load_dataset_dict(write("x.tsv", 'label\ttext\n1\t"We see\n0\tthe end" he said\n1\tplain\n0\t"I\n1\tam"\n'))[
        "train"
    ]
    assert list(rows["text"]) == ['"We see', 'the end" he said', "plain", '"I', 'am"']


def test_tsv_with_quoted_tabs(write):
    rows = load_dataset_dict(write("x.tsv", 'label\ttext\n1\t"a\tb"\n0\tc\n'))["train"]
    assert list(rows["text"]) == ["a\tb", "c"]


def test_a_field_longer_than_csv_modules_limit(write):
    text = "word " * 50_000
    assert load_dataset_dict(write("x.csv", f"text,label\n{text},1\n"))["train"][0]["text"] == text


@pytest.mark.parametrize("name", ["dev", "valid", "val", "validation"])
def test_folder_of_files(tmp_path, write, name):
    write("train.csv", "text,label\na,1\n")
    write(f"{name}.jsonl", '{"text": "b", "label": 2}')
    write("Test.tsv", "text\tlabel\nc\t3\n")
    write("README.md", "about")
    splits = load_dataset_dict(str(tmp_path))
    assert {split: list(rows["label"]) for split, rows in splits.items()} == {
        "train": [1],
        "validation": [2],
        "test": [3],
    }


def test_saved_datasets(tmp_path):
    one = Dataset.from_dict({"text": ["a"], "label": [0]})
    one.save_to_disk(tmp_path / "one")
    DatasetDict({"train": one, "dev": one}).save_to_disk(tmp_path / "dict")
    assert load_dataset_dict(str(tmp_path / "one"))["train"].to_list() == one.to_list()
    assert list(load_dataset_dict(str(tmp_path / "dict"))) == ["train", "validation"]
    (tmp_path / "dict" / "train" / "data-00000-of-00001.arrow").write_bytes(b"damaged")
    assert "dict: the saved dataset cannot be loaded (" in message(str(tmp_path / "dict"))


def test_nested_rows_stay_nested(write):
    rows = load_dataset_dict(
        write("x.jsonl", '{"translation": {"en": "good", "fr": "bon"}}\n{"translation": {"en": "no"}}')
    )
    assert rows["train"].to_list() == [
        {"translation": {"en": "good", "fr": "bon"}},
        {"translation": {"en": "no", "fr": None}},
    ]


BAD = [
    ("x.csv", "", "the file is empty; it should hold rows"),
    ("x.json", "\n \n", "the file is empty; it should hold rows"),
    ("x.csv", "text,label\n", 'has no rows, only "text", "label"; nothing to read'),
    (
        "x.csv",
        "text,label\n好\n".encode() + "好,1\n".encode("gb18030"),
        "byte 15 (line 3) is not UTF-8, and no other encoding makes sense of the whole; say which it is in with "
        "--encoding, as in --encoding gb18030 or --encoding windows-1252",
    ),
    (
        "x.csv",
        'text,label\n"a\nb",1\n\nyes, it is,0\n',
        "line 5 has 3 fields but the header has 2; put quotes around a field that contains a comma",
    ),
    (
        "x.tsv",
        "text\tlabel\na\n",
        "line 2 has 1 fields but the header has 2; put quotes around a field that contains a tab",
    ),
    (
        "x.csv",
        'text,label\na,1\n"good" film,1\n',
        "the quotes of the row at line 3 do not match (',' expected after '\"'); a field that contains quotes is put "
        'in quotes and its own are doubled: "she said ""yes"""',
    ),
    (
        "x.csv",
        'text,label\na,1\n"good film,1\nb,2\n',
        "the quotes of the row at line 3 do not match (unexpected end of data); a field that contains quotes is put in "
        'quotes and its own are doubled: "she said ""yes"""',
    ),
    (
        "x.jsonl",
        '{"text": "a"}\n{"text": b}\n',
        "line 2 is not JSON (Expecting value, column 10); the file holds one list of objects, or one object a line",
    ),
    (
        "x.json",
        '[{"text": "a"},\n {"text": }]\n',
        "line 2 is not JSON (Expecting value, column 11); the file holds one list of objects, or one object a line",
    ),
    ("x.json", '[{"text": "a"}, ["b"]]', 'row 1 is ["b"], not an object with the columns as its keys'),
    (
        "x.jsonl",
        '{"label": [1]}\n{"label": null}\n{"label": "good"}\n',
        'column "label" mixes kinds of values (list in row 0, str in row 2); give all its rows one kind '
        "(rows are counted from 0)",
    ),
    ("x.xlsx", "PK", "is not a readable workbook (Cannot detect file format); save it again, or as CSV"),
    (
        "x.md",
        "# About\n\nNothing to read, really.\n",
        f"files that end in .md cannot be read, and no table stands in it; give one of {FORMATS}",
    ),
]


@pytest.mark.parametrize(("name", "content", "expected"), BAD, ids=[expected[:40] for *_, expected in BAD])
def test_bad_files(write, name, content, expected):
    path = write(name, content)
    assert message(path) == f"{path}: {expected}"


def test_bad_parquet(tmp_path, write):
    path = write("x.parquet", "PAR1 and no more")
    assert re.fullmatch(
        r".*x\.parquet: is not a readable Parquet file \(.*\); write or download it again", message(path)
    )
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "y.parquet")
    assert message(str(tmp_path / "y.parquet")).endswith('y.parquet: has no rows, only "text"; nothing to read')


@pytest.mark.parametrize("name", ["missing.csv", "./missing", "/missing/folder", "a/b/c"])
def test_missing_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert message(name) == f"{name}: no such file or folder; check the path, which is seen from {tmp_path}"


def test_folders_that_are_none(tmp_path, write):
    assert message(str(tmp_path)) == (
        f"{tmp_path}: the folder has no train file; name it train.EXT, where EXT is one of {FORMATS}"
    )
    write("train.csv", "text,label\na,1\n")
    write("dev.csv", "text,label\na,1\n")
    write("valid.csv", "text,label\na,1\n")
    assert message(str(tmp_path)) == (
        f"{tmp_path}: dev.csv and valid.csv are both the validation split; keep one of them"
    )


def test_config_is_for_the_hub(write):
    path = write("x.csv", "text,label\na,1\n")
    assert message(path, config="mrpc") == (
        f'dataset_config "mrpc" is for datasets of the Hub, but {path} is local; leave it out (where a '
        "config file says it, --dataset_config null takes it back)"
    )


def test_a_name_the_hub_cannot_have():
    assert message("my reviews") == (
        "my reviews: there is no file or folder of this name here, and it cannot be the name of a dataset on the Hub; "
        "check the spelling"
    )


def test_unreachable_hub(monkeypatch):
    ending = "a local file or a sample: name works in the same place"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert re.fullmatch(rf"nobody/reviews: .* the Hub cannot be reached \(.+\); {ending}", message("nobody/reviews"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert message("reviews") == (
        "reviews: there is no file or folder of this name here, and the Hub cannot be reached (offline mode is on); "
        + ending
    )
