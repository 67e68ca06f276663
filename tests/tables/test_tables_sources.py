"""What is no single small file: folders of parts, databases, objects of Python's libraries, streams, flags."""

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from hf_xfmr.data.documents import DocumentSettings, load_documents
from hf_xfmr.data.sources import load_dataset_dict
from hf_xfmr.data.table.reading import Reading
from hf_xfmr.data.table.settings import TableSettings
from hf_xfmr.errors import UserError

FILES = Path(__file__).parent / "files"
ROWS = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]


def rows_of(name, **kwargs) -> dict[str, list[dict]]:
    return {split: rows.to_list() for split, rows in load_dataset_dict(name, **kwargs).items()}


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], {"train": 4}),
        (["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"], {"train": 2, "test": 2}),
        (["part-0000.parquet", "part-0001.parquet", "part-0002.parquet"], {"train": 6}),
        (["0000.parquet", "0001.parquet"], {"train": 4}),
        (["train/part-0.parquet", "train/part-1.parquet", "dev/part-0.parquet"], {"train": 4, "validation": 2}),
        (["reviews.parquet"], {"train": 2}),
    ],
)
def test_a_table_in_parts(tmp_path, names, splits):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / name)
    assert rows_of(str(tmp_path)) == {split: ROWS * (count // 2) for split, count in splits.items()}


def test_parts_of_text_have_one_type_and_the_same_columns(tmp_path):
    (tmp_path / "part-0.csv").write_text("text,label\nfoo bar,1\n")
    (tmp_path / "part-1.csv").write_text("text;label\nbaz, qux;x\n")
    assert rows_of(str(tmp_path)) == {"train": [{"text": "foo bar", "label": "1"}, {"text": "baz, qux", "label": "x"}]}
    (tmp_path / "part-1.csv").write_text("text,stars\nbaz,1\n")
    with pytest.raises(UserError, match='the train split\'s parts have other columns: "text", "label" and, in part 2'):
        load_dataset_dict(str(tmp_path))


def test_a_duckdb_file(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "d.duckdb")) as base:
        base.execute("CREATE TABLE reviews AS SELECT * FROM (VALUES ('a', 1), ('b', 0)) AS t(text, label)")
    readings: list[Reading] = []
    assert rows_of(str(tmp_path / "d.duckdb"), readings=readings) == {"train": ROWS}
    assert readings[0].line() == (
        'read: d.duckdb as DuckDB, table "reviews", 2 rows, 2 columns; the only table of the database'
    )
    with duckdb.connect(str(tmp_path / "d.duckdb")) as base:
        base.execute("CREATE TABLE users AS SELECT 1 AS id")
    with pytest.raises(UserError, match=r'the tables "reviews", "users"; say which rows with --query, as in --query'):
        load_dataset_dict(str(tmp_path / "d.duckdb"))
    query = TableSettings(query="SELECT text, label FROM reviews WHERE label > 0")
    assert rows_of(str(tmp_path / "d.duckdb"), table=query) == {"train": ROWS[:1]}
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match="--query fails"):
        load_dataset_dict(
            str(tmp_path / "d.duckdb"), table=TableSettings(query=f"SELECT * FROM '{tmp_path / 'secret.csv'}'")
        )


FRAME = pd.DataFrame({"text": ["a", "b"], "label": pd.Categorical([1, 0])}, index=[7, 9])


@pytest.mark.parametrize(
    ("data", "splits"),
    [
        (FRAME, ["train"]),
        (pa.Table.from_pylist(ROWS), ["train"]),
        (Dataset.from_list(ROWS), ["train"]),
        (DatasetDict(train=Dataset.from_list(ROWS), dev=Dataset.from_list(ROWS)), ["train", "validation"]),
        ({"train": FRAME, "test": pa.Table.from_pylist(ROWS)}, ["train", "test"]),
        ({"text": ["a", "b"], "label": [1, 0]}, ["train"]),
        (ROWS, ["train"]),
    ],
    ids=["pandas", "arrow", "Dataset", "DatasetDict", "by split", "columns", "rows"],
)
def test_objects_of_python(data, splits):
    assert rows_of(data) == dict.fromkeys(splits, ROWS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, r"^data is a builtins\.int, which can't be read; give a name"),
        ({"train": 3}, r'^split "train" is a builtins\.int'),
        ({"text": ["a"], "label": []}, r"its columns have \[0, 1\] values"),
        (pd.DataFrame({0: ["a"]}), "the column 0 has no text as its name"),
        (pd.DataFrame({"text": []}), "has no rows"),
        (pd.DataFrame({"x": [{"a"}, 1]}), "can't be read"),
    ],
)
def test_objects_that_are_none(data, message):
    with pytest.raises(UserError, match=message):
        load_dataset_dict(data)


def test_a_stream_reads_as_a_whole_does(tmp_path):
    """Its first rows lack their text, which is in an old encoding, between semicolons, packed or not."""
    texts = ["NA", "", *(f"Der {n}. Film war schön; größer als der {n}. davor, nicht?" for n in range(1500))]
    table = "Nummer;Text\n" + "".join(f'{n};"{text}"\n' for n, text in enumerate(texts))
    (tmp_path / "d.csv").write_bytes(table.encode("cp1252"))
    (tmp_path / "e.jsonl").write_text("".join(json.dumps({"Nummer": 1, "Text": text or None}) + "\n" for text in texts))
    expected = [text for text in texts if text]
    for name in ("d.csv", "e.jsonl"):
        settings = DocumentSettings(streaming=True, validation_fraction=0)
        documents, report = load_documents(str(tmp_path / name), settings)
        assert list(documents["train"]) == expected
        assert report[1].startswith(f"read: {name} as ")
        held, _ = load_documents(str(tmp_path / name), DocumentSettings(validation_fraction=0))
        assert list(held["train"]) == expected


def test_a_text_file_in_another_encoding_is_said(tmp_path):
    (tmp_path / "d.txt").write_bytes("Ein schöner Tag ist es nicht.\nUnd für wen?\n".encode("utf-16"))
    documents, report = load_documents(str(tmp_path / "d.txt"), DocumentSettings(lines=True, validation_fraction=0))
    assert list(documents["train"]) == ["Ein schöner Tag ist es nicht.", "Und für wen?"]
    assert report[1] == "read: d.txt as text, UTF-16; each line is a document"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"delimiter": "::"}, r"--delimiter is '::'; it is one character"),
        ({"quotechar": "ab"}, r"--quotechar is 'ab'; it is one character"),
        ({"encoding": "klingon"}, "--encoding: there is no encoding 'klingon'"),
        ({"encoding": "base64"}, "--encoding: there is no encoding 'base64'"),
        ({"sheet": "S"}, r"--sheet is for workbooks \(\.xlsx, \.ods, \.xls\), which .*commas.csv is not"),
    ],
)
def test_flags_that_fit_nothing(flags, message):
    with pytest.raises(UserError, match=message):
        load_dataset_dict(str(FILES / "commas.csv"), table=TableSettings(**flags))


def test_an_archive_that_is_a_bomb_of_names_is_one_sentence(tmp_path):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for n in range(50):
            archive.writestr(f"{n}.csv", "text\na\n")
    (tmp_path / "x.zip").write_bytes(raw.getvalue())
    with pytest.raises(UserError, match=r"the archive holds .* and 38 more, and which is meant is not known"):
        load_dataset_dict(str(tmp_path / "x.zip"))
