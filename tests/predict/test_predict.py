"""The command predict: files of every kind, pairs, bad rows, calibration, and a run that is killed."""

import csv
import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import classify_bert
import numpy as np
import pytest
import small_checkpoints
import torch
from oracles import TINY
from transformers import AutoTokenizer, BertTokenizer, pipeline

import hf_xfmr
from hf_xfmr import __main__ as command_line
from hf_xfmr.commands import predict
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.tagging.tagger import Tagger
from hf_xfmr.tokenizer import long_texts

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "good", "bad", "film", "好"]


def make(folder, *, pair=False, names=("neg", "pos"), problem_type="single_label_classification", temperature=None):
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=16).save_pretrained(folder)
    torch.manual_seed(0)
    config = hf_xfmr.XfmrBertConfig(
        **{**TINY["bert"], "vocab_size": len(WORDS)},
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
        problem_type=problem_type,
        initializer_range=0.5,
    )
    config.text_window = {"max_length": 16, "over_long": "head", "overlap": None, "pair": pair}
    if temperature:
        config.calibration_temperature = temperature
    hf_xfmr.XfmrBertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return make(tmp_path_factory.mktemp("model"))


def run(*words, monkeypatch=None):
    """The command in this process."""
    import argparse

    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    predict.run(parser.parse_args([str(word) for word in words]))


def table(path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def texts(n: int) -> list[str]:
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(WORDS[5:], draw.integers(1, 20))) for _ in range(n)]


def write(path, rows, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def test_every_kind_of_file_gives_the_answers_of_single_texts_in_order(model, tmp_path):
    given = texts(150)
    expected = [next(Classifier(model)([text])) for text in given[:20]]
    files = {
        "csv": write(tmp_path / "a.csv", [("id", "text"), *((f"r{i}", text) for i, text in enumerate(given))]),
        "tsv": write(tmp_path / "a.tsv", [("key", "review"), *((f"r{i}", t) for i, t in enumerate(given))], "\t"),
        "jsonl": tmp_path / "a.jsonl",
        "txt": tmp_path / "a.txt",
    }
    files["jsonl"].write_text("".join(json.dumps({"id": f"r{i}", "text": t}) + "\n" for i, t in enumerate(given)))
    files["txt"].write_text("\ufeff" + "\r\n".join(given), encoding="utf-8")
    for kind, file in files.items():
        out = tmp_path / f"{kind}.csv"
        run(model, "--file", file, "--out", out, "--batch_size", 8, *(["--id_column", "key"] if kind == "tsv" else []))
        rows = table(out)
        assert [row["text"] for row in rows] == given
        assert [row["id"] for row in rows] == [f"{'' if kind == 'txt' else 'r'}{i}" for i in range(150)]
        for row, one in zip(rows, expected, strict=False):
            assert row["label"] == one["label"]
            assert float(row["probability"]) == pytest.approx(one["probability"], abs=1e-5)
            assert float(row["p_neg"]) + float(row["p_pos"]) == pytest.approx(1, abs=1e-5)
        assert sorted(path.name for path in tmp_path.glob(f"{kind}.csv*")) == [f"{kind}.csv"]


def test_pairs_and_several_labels_and_ratings(tmp_path):
    file = write(tmp_path / "pairs.csv", [("a", "b"), ("good", "bad film"), ("a b c", "d")])
    pairs = make(tmp_path / "pairs", pair=True)
    words = ["--file", file, "--text_column", "a", "--text_pair_column", "b", "--out", tmp_path / "p.jsonl"]
    run(pairs, *words)
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(row["text"], row["text_pair"]) for row in rows] == [("good", "bad film"), ("a b c", "d")]
    alone = next(Classifier(pairs)(["good"], ["bad film"]))
    assert rows[0]["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
    with pytest.raises(UserError, match="the model reads pairs of texts, and was given single texts"):
        run(pairs, "good")
    several = make(tmp_path / "several", names=("x", "y", "z"), problem_type="multi_label_classification")
    run(several, "--file", file, "--text_column", "b", "--out", tmp_path / "s.csv")
    row = table(tmp_path / "s.csv")[0]
    assert "probability" not in row
    assert row["label"] == "|".join(name for name in "xyz" if float(row[f"p_{name}"]) >= 0.5)
    rated = make(tmp_path / "rated", names=("value",), problem_type="regression")
    run(rated, "--file", file, "--text_column", "b", "--out", tmp_path / "r.csv")
    assert list(table(tmp_path / "r.csv")[0]) == ["id", "text", "value", "error"]


def test_bad_rows_keep_their_place_and_are_named(model, tmp_path):
    lines = ['{"text": "good"}', "no json", '{"text": ""}', '{"text": 3}', '{"body": "x"}', '{"text": "bad"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(
        UserError, match=r"^4 rows have an `error` and no answer: row 1 \(no JSON object\), row 2 \(no te"
    ):
        run(model, "--file", tmp_path / "a.jsonl", "--out", tmp_path / "o.csv")
    rows = table(tmp_path / "o.csv")
    assert [row["error"] for row in rows] == ["", "no JSON object", "no text", "text is no text but int", "no text", ""]
    assert [bool(row["label"]) for row in rows] == [True, False, False, False, False, True]
    with pytest.raises(UserError, match=r"row 1 \(3 fields where the header has 2\)"):
        run(
            model,
            "--file",
            write(tmp_path / "b.csv", [["text", "id"], ["good", "0"], ["bad", "", "x"]]),
            "--out",
            tmp_path / "b2.csv",
        )


def test_a_text_too_long_for_the_memory_costs_its_own_answer_only(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(long_texts, "LONG", 40)
    monkeypatch.setattr(long_texts, "BYTES", 2**50)
    rows = [["text"], ["good"], ["x" * 500], ["bad"]]  # one word: there is no place to cut it at
    with pytest.raises(UserError, match=r'^1 row .* row 1 \(the text "x+…" has 500 characters, .* are free: cut it'):
        run(model, "--file", write(tmp_path / "a.csv", rows))
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ["label" in one for one in answers] == [True, False, True]


def stock_entities(folder, overlap: int):
    """transformers' own pipeline over the same model."""
    model = hf_xfmr.XfmrBertForTokenClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=overlap
    )


def test_a_long_text_s_entities_are_those_of_its_sentences(tmp_path, monkeypatch):
    folder = small_checkpoints.make(tmp_path) / "tagger"
    tagger, stock = Tagger(str(folder)), stock_entities(folder, 8)
    monkeypatch.setattr(long_texts, "PIECE", 50)
    monkeypatch.setattr(long_texts, "LONG", 100)
    text = "good a film. bad 好 c d! " * 40
    (answer,) = tagger([text])
    read = list(long_texts.parts(text, tagger.tokenizer, sentences=True))
    assert "".join(part for *_, part in read) == text
    assert max(len(part) for *_, part in read) <= 100
    assert all(part.rstrip()[-1] in ".!" for *_, part in read)
    assert answer["entities"]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in answer["entities"])
    expected = [(start + e["start"], start + e["end"]) for start, _, part in read for e in stock(part)]
    assert [(one["start"], one["end"]) for one in answer["entities"]] == expected


def test_entities_are_those_of_transformers_pipeline(tmp_path):
    """In texts of one window and of many, computed together."""
    folder = small_checkpoints.make(tmp_path) / "tagger"
    config = json.loads((folder / "config.json").read_text())
    names = ["O", "B-PER", "I-PER", "B-LOC"]
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    torch.manual_seed(3)
    made = hf_xfmr.XfmrBertConfig(**{**config, "initializer_range": 1.0})
    hf_xfmr.XfmrBertForTokenClassification(made).save_pretrained(folder)
    tagger, stock = Tagger(str(folder)), stock_entities(folder, 8)
    draw = np.random.default_rng(0)
    given = [" ".join(draw.choice(WORDS[5:], draw.integers(1, 150))) for _ in range(30)]
    found = 0
    for text, answer in zip(given, tagger(given, batch_size=4), strict=True):
        expected = stock(text)
        assert [(e["entity_group"], e["start"], e["end"]) for e in expected] == [
            (one["type"], one["start"], one["end"]) for one in answer["entities"]
        ]
        shares = [one["probability"] for one in answer["entities"]]
        assert shares == pytest.approx([float(e["score"]) for e in expected], abs=1e-5)
        found += len(expected)
    assert found > 100


@pytest.mark.parametrize(
    ("name", "content", "words", "message"),
    [
        ("a.csv", "x,y\n1,2\n", [], r'the text column is none of "x", "y" by its name; say which with --text_column'),
        ("a.csv", "sentence1,sentence2\n1,2\n", [], r"could be .* for pairs with --text_pair_column too"),
        ("a.csv", "text\na\n", ["--id_column", "key"], r'--id_column is "key", but there is "text"'),
        ("a.csv", 'text\n"a\n', [], "the table can't be read"),
        ("a.xlsx", "text\n", [], "is not a readable workbook"),
        ("a.txt", "a\n", ["--text_column", "text"], "a text file has no columns; leave --text_column out"),
        ("a.csv", "text\na\n", ["--out", "o.xlsx"], r"predictions are written as \.csv, \.jsonl or \.parquet"),
        ("a.csv", "text\na\n", ["--temperature", "0"], "temperature is 0.0; it must be above 0"),
    ],
)
def test_mistakes_are_one_sentence(model, tmp_path, name, content, words, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        run(model, "--file", tmp_path / name, *words)


def test_a_file_is_read_as_it_is_written(model, tmp_path, capsys):
    """In another encoding, between other delimiters and packed; and where that is not sure, one question."""
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("text;id\n好 film, good;x\n很好的电影;y\n".encode("gb18030")))
    run(model, "--file", tmp_path / "a.csv.gz")
    out, said = capsys.readouterr()
    assert [(row["id"], row["text"]) for row in map(json.loads, out.splitlines())] == [
        ("x", "好 film, good"),
        ("y", "很好的电影"),
    ]
    assert "read: a.csv.gz as CSV, packed by gzip, semicolons, gb18030, 2 rows, 2 columns\n" in said
    (tmp_path / "b.csv").write_bytes("text\nEspaña\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"--encoding windows-1252 or --encoding"):
        run(model, "--file", tmp_path / "b.csv")
    run(model, "--file", tmp_path / "b.csv", "--encoding", "windows-1252")
    assert json.loads(capsys.readouterr().out)["text"] == "España"


def test_the_column_that_a_run_was_trained_on_is_read_where_a_file_has_it(model, tmp_path, capsys):
    learned = tmp_path / "run"
    shutil.copytree(model, learned)
    (learned / "run.json").write_text(json.dumps({"columns": {"text": "Customer said", "label": "x"}}))
    (tmp_path / "same.csv").write_text("Customer said,other\ngood film,a dull one\n")
    (tmp_path / "another.csv").write_text("text,other\ngood film,a dull one\n")
    for name in ("same.csv", "another.csv"):
        run(learned, "--file", tmp_path / name)
        assert json.loads(capsys.readouterr().out)["text"] == "good film"


def test_a_workbook_or_a_query_is_predicted_too(model, tmp_path, capsys):
    with sqlite3.connect(tmp_path / "a.db") as base:
        base.execute("CREATE TABLE reviews (number INTEGER, body TEXT)")
        base.executemany("INSERT INTO reviews VALUES (?, ?)", [(1, "good"), (2, "bad")])
    words = ["--file", tmp_path / "a.db", "--query", "SELECT body FROM reviews WHERE number > 1"]
    run(model, *words)
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == ["bad"]


def test_the_kept_temperature_is_used_and_said_and_can_be_turned_off(model, tmp_path, capsys):
    hot = make(tmp_path / "hot", temperature=2.0)
    run(hot, "good film")
    calibrated, said = capsys.readouterr()
    run(hot, "good film", "--temperature", 1)
    plain, silence = capsys.readouterr()
    run(model, "good film")
    assert json.loads(capsys.readouterr().out) == json.loads(plain)
    assert "logits are divided by 2" in said
    assert "calibrated" not in silence
    odds = [
        np.log(one["p"]["pos"] / one["p"]["neg"])
        for one in ({"p": json.loads(t)["probabilities"]} for t in (plain, calibrated))
    ]
    assert odds[0] == pytest.approx(2 * odds[1], rel=1e-3)


def test_an_overconfident_run_keeps_a_temperature_that_predict_uses(tmp_path, capsys):
    """One word decides in train; in validation and test three labels in ten are another."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = hf_xfmr.XfmrBertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=16).save_pretrained(tmp_path / "m")
    hf_xfmr.XfmrBertModel(config).save_pretrained(tmp_path / "m")
    draw = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for split, noise in (("train", 0.0), ("validation", 0.3), ("test", 0.3)):
        texts = [" ".join([*draw.choice(WORDS[5:15], 8), ("bad", "good")[i % 2]]) for i in range(300)]
        labels = [("neg", "pos")[(i + (draw.random() < noise)) % 2] for i in range(300)]
        write(tmp_path / f"data/{split}.csv", [("text", "label"), *zip(texts, labels, strict=True)])
    words = ["--model", tmp_path / "m", "--dataset", tmp_path / "data", "--output_dir", tmp_path / "run"]
    words += ["--num_train_epochs", 8, "--learning_rate", 1e-2, "--eval_strategy", "no", "--save_strategy", "no"]
    options = ["--baseline", "false", "--report_to", "none", "--disable_tqdm", "true", "--bf16", "false"]
    classify_bert.main([str(word) for word in [*words, *options]])
    assert "kept for `predict`" in capsys.readouterr().out
    figures = json.loads((tmp_path / "run/report.json").read_text())
    assert figures["temperature"] > 1.5
    before, after = (figures["calibration"][when] for when in ("before", "after"))
    assert after["expected_calibration_error"] < before["expected_calibration_error"] / 2
    assert after["adaptive_calibration_error"] < before["adaptive_calibration_error"] / 2
    assert after["negative_log_likelihood"] < before["negative_log_likelihood"]

    model = hf_xfmr.XfmrBertForSequenceClassification.from_pretrained(tmp_path / "run")
    model.save_pretrained(tmp_path / "again")
    BertTokenizer.from_pretrained(tmp_path / "run").save_pretrained(tmp_path / "again")
    row = table(tmp_path / "run/predictions-test.csv")[0]
    odds = np.log(float(row["p_pos"]) / float(row["p_neg"])) / figures["temperature"]
    answer = next(Classifier(str(tmp_path / "again"))([row["text"]]))
    assert answer["probabilities"]["pos"] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-3)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_file(model, tmp_path):
    file = write(tmp_path / "a.csv", [("id", "text"), *((i, text) for i, text in enumerate(texts(2000)))])
    run(model, "--file", file, "--out", tmp_path / "whole.csv", "--batch_size", 2)
    out, state = tmp_path / "out.csv", tmp_path / "out.csv.state"
    words = [model, "--file", str(file), "--out", str(out), "--batch_size", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # as many as here: the same bits
    process = subprocess.Popen(
        [sys.executable, "-m", "hf_xfmr", "predict", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = json.loads(state.read_text())["rows"]
    assert 0 < done < 2000
    with (tmp_path / "out.csv.partial").open("ab") as partial:
        partial.write(b'17,"half a r')  # what a kill between writing and the state leaves
    with pytest.raises(UserError, match="begun with another temperature"):
        run(*words, "--temperature", 3)
    other = write(tmp_path / "b.csv", [("id", "text"), *((i, text + " a") for i, text in enumerate(texts(2000)))])
    with pytest.raises(UserError, match=r"holds predictions of [\d,]+ other rows"):
        run(model, "--file", other, *words[3:])
    run(*words)
    assert [row["id"] for row in table(out)] == [str(i) for i in range(2000)]
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    with pytest.raises(UserError, match="is there already, complete"):
        run(*words)


@pytest.mark.slow
def test_standard_input_is_read_line_by_line(model):
    command = [sys.executable, "-m", "hf_xfmr", "predict", model]
    done = subprocess.run(
        command, input="good film\n好\n", capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["text"]) for row in rows] == [("0", "good film"), ("1", "好")]
    assert "predict" in command_line.COMMANDS
