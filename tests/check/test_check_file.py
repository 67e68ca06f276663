"""`check FILE` of a bare file: how it is read, what can be learned, and a command that trains on it as it stands."""

import gzip
import json
import re
import shlex
import subprocess
import sys

import pytest

from hf_xfmr.check.file import check_file
from hf_xfmr.errors import UserError
from hf_xfmr.run.console import this_program
from hf_xfmr.tasks.classification.labels import check_recurring

WORDS = ("good", "bad", "fine", "dull", "film", "book", "very", "long", "short", "old")


def rows(count: int = 60):
    return [(f"a {WORDS[row % 10]} {WORDS[row * 7 % 9]} text {row}", ("pos", "neg")[row % 2]) for row in range(count)]


def said(capsys, name, *words) -> list[str]:
    check_file(str(name), words)
    return capsys.readouterr().out.splitlines()


def test_a_table_in_another_dialect_is_told_in_a_few_lines(tmp_path, capsys):
    path = tmp_path / "avis.csv"
    path.write_text("Avis;Note\n" + "".join(f"{text};{label}\n" for text, label in rows()))
    with pytest.raises(UserError, match="no column is known to be the label"):
        check_file(str(path))
    assert capsys.readouterr().out.splitlines() == ["read: avis.csv as CSV, semicolons, UTF-8, 60 rows, 2 columns"]
    lines = said(capsys, path, "--label_column", "Note", "--text_column", "Avis")
    assert lines[0] == "read: avis.csv as CSV, semicolons, UTF-8, 60 rows, 2 columns"
    assert lines[1:3] == [
        'columns: text "Avis", label "Note"; not used: none',
        "problem: single label classification of 2 labels",
    ]
    assert lines[3].startswith("labels of train: neg ")
    assert lines[4] == "missing: nothing"
    assert lines[5].startswith("splits: train ")
    assert lines[-2] == "train on it:"
    assert shlex.split(lines[-1])[: len(this_program()) + 8] == [
        *(*this_program(), "train", "classify", "--dataset", str(path)),
        *("--label_column", "Note", "--text_column", "Avis"),
    ]
    assert len(lines) < 12
    assert all(len(line) < 200 for line in lines[:-1])  # the last has the interpreter's path


def test_what_is_missing_is_a_question_with_its_flag_and_then_a_count(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows()) + "no label here,\n,pos\n")
    with pytest.raises(UserError, match="drop_empty"):
        check_file(str(path))
    with pytest.raises(UserError, match="drop_unlabelled"):
        check_file(str(path), ["--drop_empty", "true"])
    lines = said(capsys, path, "--drop_empty", "true", "--drop_unlabelled", "true")
    assert sum(line.startswith("dropped: 1 of 62 train rows") for line in lines) == 2
    assert "--drop_empty true --drop_unlabelled true" in lines[-1]


def test_the_findings_are_bounded(tmp_path, capsys):
    path = tmp_path / "many.csv"
    labelled = [(f"text {row} of many", f"intent {row % 300}") for row in range(900)]
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in labelled))
    lines = said(capsys, path)
    assert "problem: single label classification of 300 labels" in lines
    assert any(re.match("warning: and 295 more like this", line) for line in lines)
    assert len(lines) < 20


def test_a_chinese_table_is_offered_a_chinese_model(tmp_path, capsys):
    path = tmp_path / "评论.csv.gz"
    text = "".join(
        f"这部电影很{'好' if row % 2 else '差'}，第{row}次看,{'好评' if row % 2 else '差评'}\n" for row in range(40)
    )
    path.write_bytes(gzip.compress(("文本,标签\n" + text.replace("，", "")).encode("gb18030")))
    lines = said(capsys, path)
    assert re.match(r"read: 评论\.csv\.gz as CSV, packed by gzip, commas, (gb18030|gbk), 40 rows", lines[0], re.I), (
        lines[0]
    )
    assert "--model google-bert/bert-base-chinese" in lines[-1]


def test_a_label_that_hardly_recurs_is_none(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"{text},{row}\n" for row, (text, _) in enumerate(rows())))
    with pytest.raises(UserError, match='label column "label" has 60 different labels in 60 rows, most of them once'):
        check_file(str(path))


@pytest.mark.parametrize(
    ("values", "is_one"),
    [
        ([f"id {row}" for row in range(20)], False),
        ([f"id {row}" for row in range(19)], True),  # of so few rows nobody can say
        ([f"class {row % 11}" for row in range(20)], True),  # nine of them twice
        ([["a", "b"][row % 2] for row in range(20)] + [f"rare {row}" for row in range(15)], True),
        ([[f"tag {row % 9}", f"tag {row * 5 % 14}", "news"] for row in range(20)], True),  # several a row, all known
        ([[f"tag {row}", f"tag {row + 100}"] for row in range(30)], False),
    ],
)
def test_labels_recur_if_most_are_there_twice(values, is_one):
    if is_one:
        check_recurring(values, column="label")
    else:
        with pytest.raises(UserError, match="most of them once"):
            check_recurring(values, column="label")


@pytest.mark.slow
def test_the_command_that_is_said_trains(tmp_path):
    """From the shell, in a folder whose name has a space, pasted as it stands."""
    folder = tmp_path / "my data"
    folder.mkdir()
    (folder / "t.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows()))
    done = subprocess.run(
        [sys.executable, "-m", "hf_xfmr", "check", str(folder / "t.csv")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout.splitlines()[-1])
    begin = [*this_program(), "train", "classify"]
    assert words[: len(begin)] == begin
    from recipes import classify_bert

    flags = [
        *words[len(begin) :],
        "--max_steps",
        "1",
        "--report_to",
        "none",
        "--disable_tqdm",
        "true",
        "--baseline",
        "false",
    ]
    flags[flags.index("--output_dir") + 1] = str(tmp_path / "out")
    flags[flags.index("--model") : flags.index("--model") + 2] = [
        *("--model_config", "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16}"),
    ]
    classify_bert.main(flags)
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_a_flag_that_is_none_of_the_data_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\na,b\n")
    with pytest.raises(UserError, match=r"unknown option '--lable_column'; did you mean 'label_column'\?"):
        check_file(str(path), ["--lable_column", "label"])


OTHERS = {
    "conll": (
        "ner.conll",
        "\n\n".join(f"Ann B-PER\nruns O\nn{row} O" for row in range(40)),
        "tag_bert",
        "1 type of entity",
    ),
    "spans": (
        "ner.jsonl",
        "\n".join(
            f'{{"text": "Ann met Bo {row}", "entities": [[0, 3, "PER"], [8, 10, "PER"]]}}' for row in range(40)
        ),
        "tag_bert",
        "1 type of entity",
    ),
    "pairs": (
        "en-fr.jsonl",
        "\n".join(f'{{"translation": {{"en": "hello {row}", "fr": "bonjour {row}"}}}}' for row in range(80)),
        "translate",
        "translation of en to fr",
    ),
    "texts": ("corpus.txt", "A line of a text.\n" * 200, "finetune_gpt2", "a language model of 1 text"),
    "column": (
        "texts.jsonl",
        "\n".join(f'{{"content": "text number {row}"}}' for row in range(80)),
        "finetune_gpt2",
        "a language model of",
    ),
}  # fmt: skip


NAMES = {"tag_bert": "tag", "translate": "translate", "finetune_gpt2": "gpt2"}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_classification_is_known_for_what_it_is(tmp_path, capsys, name):
    file, content, recipe, problem = OTHERS[name]
    (tmp_path / file).write_text(content)
    lines = said(capsys, tmp_path / file)
    assert lines[0].startswith(f"read: {file} as ")
    assert any(line.startswith(f"problem: {problem}") or problem in line for line in lines if "problem:" in line), lines
    assert shlex.split(lines[-1])[len(this_program()) :][:3] == ["train", NAMES[recipe], "--dataset"]


def test_a_table_of_instructions_is_learned_by_its_answers(tmp_path, capsys):
    path = tmp_path / "chat.jsonl"
    path.write_text("\n".join(f'{{"instruction": "do {row}", "output": "done {row}"}}' for row in range(40)))
    lines = said(capsys, path)
    assert 'conversations: "instruction" answered by "output", which is learned' in lines
    assert any(line.startswith("problem: a language model of ") and line.endswith("answers alone") for line in lines)
    assert shlex.split(lines[-1])[len(this_program()) :][:3] == ["train", "gpt2", "--dataset"]


def test_what_too_few_rows_were_taken_for_is_said_before_the_error(tmp_path, capsys):
    path = tmp_path / "chat.jsonl"
    talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hello yourself"}]
    path.write_text(json.dumps({"messages": talk}))
    with pytest.raises(UserError, match="too few to carve"):
        check_file(str(path))
    assert capsys.readouterr().out.splitlines() == [
        "read: chat.jsonl as JSON lines, UTF-8, 1 row, 1 column",
        'conversations: the messages of "messages", of which the assistant\'s are learned',
    ]
