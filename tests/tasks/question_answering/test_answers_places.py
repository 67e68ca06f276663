"""Questions as people have them, and answers that do not stand where they should."""

import json

import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.question_answering.read import read_asked
from hf_xfmr.tasks.question_answering.settings import AnsweringSettings

CONTEXT = "Ann met Bob in Oslo. Bob lives in Oslo."


def settings(**more) -> AnsweringSettings:
    return AnsweringSettings(validation_fraction=0, test_fraction=0, **more)


def rows_of(dataset, **more):
    return read_asked(str(dataset), settings(**more)).questions["train"]


def nested(*qas: dict, context: str = CONTEXT) -> dict:
    return {"version": "v2.0", "data": [{"title": "a", "paragraphs": [{"context": context, "qas": list(qas)}]}]}


GOOD = {"id": "a", "question": "Who met Bob?", "answers": [{"text": "Ann", "answer_start": 0}], "is_impossible": False}
NONE = {"id": "b", "question": "Who met Carl?", "answers": [], "is_impossible": True}


def test_the_layouts_are_the_same_questions(tmp_path):
    """SQuAD's JSON, its flat form in JSON lines and Parquet, a table, and pandas' write-out of it."""
    (tmp_path / "squad.json").write_text(json.dumps(nested(GOOD, NONE)))
    flat = [
        {"id": one["id"], "question": one["question"], "context": CONTEXT}
        | {"answers": {key: [x[key] for x in one["answers"]] for key in ("text", "answer_start")}}
        for one in (GOOD, NONE)
    ]
    (tmp_path / "flat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flat))
    Dataset.from_list(flat).to_parquet(str(tmp_path / "flat.parquet"))
    DatasetDict({"train": Dataset.from_list(flat)}).save_to_disk(str(tmp_path / "saved"))
    table = pd.DataFrame([{**row, "answers": None, "answer": "Ann" if row["id"] == "a" else ""} for row in flat])
    table.drop(columns="answers").to_csv(tmp_path / "table.csv", index=False)
    expected = None
    for name in ("squad.json", "flat.jsonl", "flat.parquet", "saved", "table.csv"):
        found = rows_of(tmp_path / name).to_list()
        expected = expected or found
        assert found == expected, name
    assert expected == [
        {"text": "Who met Bob?", "text_pair": CONTEXT, "id": "a", "answers": ["Ann"], "starts": [0]},
        {"text": "Who met Carl?", "text_pair": CONTEXT, "id": "b", "answers": [], "starts": []},
    ]
    table["answers"] = [str(row["answers"]) for row in flat]
    table.drop(columns="answer").to_csv(tmp_path / "written.csv", index=False)
    with pytest.raises(UserError, match=r"train row 0 .*an object written out as text: save the data as .jsonl"):
        rows_of(tmp_path / "written.csv")


def test_columns_of_other_names_are_told(tmp_path):
    (tmp_path / "rows.csv").write_text(f'asked,story,says,at\nWho?,"{CONTEXT}",Bob,21\n')
    with pytest.raises(UserError, match="no column is known as the question by its name; say which with --question_c"):
        rows_of(tmp_path / "rows.csv")
    told = {"question_column": "asked", "context_column": "story", "answer_column": "says", "start_column": "at"}
    assert rows_of(tmp_path / "rows.csv", **told)["starts"][:] == [[21]]


FAULTS = {
    "several": (
        "Bob",
        "",
        r'row 0 .*: the answer "Bob" stands at 2 places of the context \(8, 21\), and answer_start d',
    ),
    "moved": (
        "Oslo",
        "14",
        r'at answer_start 14 stands " Osl" and not the answer "Oslo", which is at 15; correct them',
    ),
    "nowhere": (
        "Carl",
        "",
        r'the answer "Carl" does not stand in the context; correct them, or leave them out with --',
    ),
    "case": ("ann", "", r'"ann" does not stand in the context letter by letter, where "Ann" stands at 0'),
    "spaces": ("   ", "3", "an answer is white space alone"),
    "number": ("Bob", "first", r'an answer starts at "first", which is no number of characters from 0'),
    "beyond": ("Bob", "900", r'at answer_start 900 stands "" and not the answer "Bob", which is at 21'),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_answer_is_named_with_its_row_and_what_to_do(tmp_path, name):
    answer, start, message = FAULTS[name]
    other = ',"first"' if name == "number" else ",0"
    lines = [f'Who?,"{CONTEXT}",{answer},{start}', f'Who met Bob?,"{CONTEXT}",Ann{other}']
    (tmp_path / "rows.csv").write_text("question,context,answer,answer_start\n" + "\n".join(lines) + "\n")
    with pytest.raises(UserError, match=message):
        rows_of(tmp_path / "rows.csv")


def test_faults_are_mended_or_left_out_as_told_and_counted(tmp_path):
    answers = [("Oslo", "14"), ("Bob", ""), ("Carl", ""), ("Ann", "0"), (" Oslo", "33")]
    lines = [f'Who?,"{CONTEXT}","{answer}",{start}' for answer, start in answers]
    (tmp_path / "rows.csv").write_text("question,context,answer,answer_start\n" + "\n".join(lines) + "\n")
    mended = read_asked(str(tmp_path / "rows.csv"), settings(faulty_answers="mend"))
    assert mended.questions["train"]["starts"][:] == [[15], [8], [0], [34]]
    said = "\n".join(mended.report)
    assert "2 stand elsewhere than told, mended: train rows 0, 1" in said
    assert "1 left out, question and all: train row 2" in said
    assert "white space taken off around 1: train row 4" in said
    left = read_asked(str(tmp_path / "rows.csv"), settings(faulty_answers="leave_out"))
    assert left.questions["train"]["answers"][:] == [["Ann"], ["Oslo"]]
    assert "3 left out, question and all: train rows 0, 1, 2" in "\n".join(left.report)


@pytest.mark.parametrize(
    ("qas", "message"),
    [
        ({**GOOD, "is_impossible": True}, r"id a: is_impossible says that there is no answer, and one is given"),
        ({**NONE, "is_impossible": False}, r"id b: is_impossible says that there is an answer, and none is given"),
        ({**GOOD, "question": " "}, r"train row 0 \(counted from 0\), id a: its question is empty"),
        (NONE, "no question of train has an answer, so that there is nothing to learn"),
    ],
)
def test_contradictions_in_squads_layout_are_named(tmp_path, qas, message):
    (tmp_path / "squad.json").write_text(json.dumps(nested(qas)))
    with pytest.raises(UserError, match=message):
        rows_of(tmp_path / "squad.json")


def test_no_context_stands_on_both_sides(tmp_path):
    lines = [f"what {number % 7}?,context {number // 7} is good {number // 7},good" for number in range(700)]
    (tmp_path / "rows.csv").write_text("question,context,answer\n" + "\n".join(lines) + "\n")
    found = read_asked(str(tmp_path / "rows.csv"), AnsweringSettings()).questions
    sides = [{*found[split]["text_pair"][:]} for split in ("train", "validation", "test")]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 100


START, PLACES = "an answer starts at", [{"text": "Ann", "answer_start": 0}]
DAMAGES = {  # of a row of a table, and what is said of it; None: it is read
    "inf": ({"answer_start": float("inf")}, START),
    "half": ({"answer_start": 0.5}, START),
    "word": ({"answer_start": "x"}, START),
    "digits": ({"answer_start": "0"}, None),
    "NaN": ({"answer_start": float("nan")}, None),
    "impossible": ({"is_impossible": "perhaps"}, 'is_impossible is "perhaps"; it can be true, false or nothing'),
    "impossible, answered": ({"is_impossible": 1}, "is_impossible says that there is no answer, and one is given"),
    "no text": ({"answer": {"text": None, "answer_start": [5]}}, "one of its answers has no text"),
    "number": ({"paragraphs": 5}, 'paragraphs is "5", and in SQuAD\'s layout it is a list'),
    "no JSON": ({"paragraphs": "[{bad"}, r'paragraphs is the text "\[{bad", which is not JSON .*; mend it'),
    "no JSON of qas": ({"qas": "[{bad"}, r'qas is the text "\[{bad", which is not JSON'),
    "JSON of a number": ({"paragraphs": "5"}, 'paragraphs is "5"'),
    "two kinds": (
        {"qas": json.dumps([{"question": "Who?", "answers": [*PLACES, "Ann"]}])},
        'beside answers as objects stands "Ann"; give each as',
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_cell_is_named_or_read(tmp_path, name):
    damage, message = DAMAGES[name]
    row = {"question": "Who met Bob?", "context": CONTEXT, "answer": "Ann"} | damage
    Dataset.from_list([row]).to_parquet(str(tmp_path / "rows.parquet"))
    if message is None:
        assert rows_of(tmp_path / "rows.parquet")["starts"][:] == [[0]]
        return
    with pytest.raises(UserError, match=f"^train row 0 .*{message}"):
        rows_of(tmp_path / "rows.parquet")
