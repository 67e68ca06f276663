"""Whatever stands in a file, its reader gives rows or one `UserError`; what was written is read back as it was."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hf_xfmr.data.files import read_files
from hf_xfmr.errors import UserError
from hf_xfmr.predict.rows import Columns, read

KINDS = (".csv", ".tsv", ".json", ".jsonl")
TELLING = st.sampled_from(
    [*'",\t\n\r{}[]:\\ \0aé好', "text", "label", "null", "\ufeff", "\u2028", "1e999", '""', "NaN"]
)
TEXTS = st.lists(TELLING, max_size=30).map("".join) | st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def one_sentence(error: UserError) -> None:
    assert str(error).strip()
    assert "\n" not in str(error)
    assert len(str(error)) < 2_000


def rows_or_one_sentence(path: Path) -> None:
    try:
        rows = read_files({"train": path})["train"]
    except UserError as error:
        one_sentence(error)
    else:
        assert len(rows[:][rows.column_names[0]]) == len(rows) > 0


@pytest.mark.parametrize("kind", KINDS)
@given(text=TEXTS)
@settings(max_examples=80)
@example(text='{"text": "\\ud800"}')
@example(text='[{"text": 1}, {"text": "a"}]')
@example(text="[" * 100_000)
@example(text="[" * 400 + "]" * 400)
@example(text='[{"a": ' + "[" * 300 + "]" * 300 + "}]")
@example(text='{"a": ' + "9" * 5_000 + "}")
def test_any_text_is_rows_or_one_sentence(tmp_path, kind, text):
    path = tmp_path / f"rows{kind}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    rows_or_one_sentence(path)


@pytest.mark.parametrize("kind", [*KINDS, ".parquet"])
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_rows_or_one_sentence(tmp_path, kind, raw):
    path = tmp_path / f"rows{kind}"
    path.write_bytes(raw)
    rows_or_one_sentence(path)


@given(values=st.lists(JSON, min_size=1, max_size=4), are_lines=st.booleans())
@settings(max_examples=80)
def test_any_json_is_rows_or_one_sentence(tmp_path, values, are_lines):
    path = tmp_path / "rows.json"
    path.write_text("\n".join(map(json.dumps, values)) if are_lines else json.dumps(values))
    rows_or_one_sentence(path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "txt"])
@given(text=TEXTS, named=st.booleans())
@settings(max_examples=80)
@example(text='{"text": "\\ud800"}', named=False)
@example(text="[" * 100_000, named=False)
@example(text='{"text": ' + "9" * 5_000 + "}", named=False)
def test_any_text_to_predict_is_rows_or_one_sentence(tmp_path, kind, text, named):
    path = tmp_path / f"rows.{kind}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        for row in read(path, columns=Columns("text") if named else Columns()):
            assert isinstance(row.text, str)
            assert isinstance(row.id, str)
            assert row.fault or json.dumps(row, ensure_ascii=False).encode()  # no half a character passes for text
    except UserError as error:
        one_sentence(error)


TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.text(max_size=8), min_size=width, max_size=width), min_size=1, max_size=5)
)


@pytest.mark.parametrize("kind", [".csv", ".tsv"])
@given(rows=TABLES)
@settings(max_examples=50)
def test_a_table_is_read_back_as_it_was_written(tmp_path, kind, rows):
    header = [f"c{i}" for i in range(len(rows[0]))]
    rows = [[f"x{value}" for value in row] for row in rows]  # or a column of numbers would be one
    path = tmp_path / f"rows{kind}"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="," if kind == ".csv" else "\t").writerows([header, *rows])
    if any("\0" in value for row in rows for value in row):
        return  # the csv module of older Pythons does not read it
    read_rows = read_files({"train": path})["train"]
    assert [list(row.values()) for row in read_rows] == rows
    told = Columns(header[0])
    assert [row.text for row in read(path, columns=told)] == [row[0] for row in rows]


@pytest.mark.parametrize("kind", [".json", ".jsonl"])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"text": st.text(max_size=8), "n": st.integers(-(2**63), 2**63 - 1)}, optional={"b": st.booleans()}
        ),
        min_size=1,
        max_size=5,
    ),
    ascii=st.booleans(),
)
@settings(max_examples=50)
def test_objects_are_read_back_as_they_were_written(tmp_path, kind, rows, ascii):
    path = tmp_path / f"rows{kind}"
    dump = [json.dumps(row, ensure_ascii=ascii) for row in rows]
    path.write_text(
        "\n".join(dump) + "\n" if kind == ".jsonl" else f"[{', '.join(dump)}]", encoding="utf-8", newline=""
    )
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert list(read_files({"train": path})["train"]) == [{name: row.get(name) for name in names} for row in rows]
    if kind == ".jsonl":
        assert [row.text for row in read(path, columns=Columns("text"))] == [row["text"] for row in rows]
