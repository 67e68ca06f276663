"""Which words decided: on a corpus whose label hangs on one word, that word; and by sums that add up."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import classify_bert
import numpy as np
import pandas as pd
import pytest
import torch
from oracles import tiny_stock
from small_checkpoints import make
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    GPT2ForSequenceClassification,
)

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification import gradients
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.classification.words import Row, spans_of
from hf_xfmr.tokenizer.chinese import cutter
from hf_xfmr.why import explained, why

LETTERS = list("abcdefghijklmnopqrstuvwxyz")
WORDS = [*LETTERS, "good", "bad", *"好坏看这部电影很", "!"]


def texts(count: int, seed: int = 0, chinese: bool = False, labels: tuple[str, ...] = ("pos", "neg", "none")):
    """Texts whose label is in one word, and texts without such a word."""
    draw = np.random.default_rng(seed)
    deciding = {"pos": "好" if chinese else "good", "neg": "坏" if chinese else "bad"}
    for _ in range(count):
        words = [str(draw.choice(list("看这部电影很") if chinese else LETTERS)) for _ in range(draw.integers(4, 9))]
        label = str(draw.choice(labels))
        if label in deciding:
            words.insert(int(draw.integers(len(words))), deciding[label])
        yield ("" if chinese else " ").join(words), label


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run's folder, of a tiny model that reads 32 tokens at a time, longer texts in windows."""
    home = tmp_path_factory.mktemp("why")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(vocab={token: at for at, token in enumerate(tokens)}, model_max_length=32).save_pretrained(home / "0")
    tiny_stock(BertModel, vocab_size=len(tokens), max_position_embeddings=32).save_pretrained(home / "0")
    with (home / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        wrong = [(text, {"pos": "neg", "neg": "pos"}[label]) for text, label in texts(40, 2, labels=("pos", "neg"))]
        csv.writer(file).writerows([("text", "label"), *texts(500), *texts(500, 1, chinese=True), *wrong])
    flags = ["--dataset", home / "rows.csv", "--model", home / "0", "--output_dir", home / "run", "--max_length", 24]
    flags += ["--over_long", "windows", "--num_train_epochs", 8, "--learning_rate", "3e-3", "--bf16", "false"]
    flags += ["--per_device_train_batch_size", 16, "--warmup_steps", 0, "--metric_for_best_model", "loss"]
    metrics = classify_bert.main([*map(str, flags), "--disable_tqdm", "true", "--baseline", "false"])
    assert metrics["test"]["accuracy"] > 0.7
    return home / "run"


@pytest.mark.parametrize("method", ["gradients", "left_out"])
@pytest.mark.parametrize("chinese", [False, True])
def test_the_word_that_decides_is_first(trained, method, chinese):
    for text, label in texts(6, 7, chinese, ("pos", "neg")):
        found = explained(str(trained), text, method=method)
        assert found.answer["label"] == found.label == label
        first = found.text(found.words[int(np.argmax(found.shares))])
        assert {"好", "坏", "good", "bad"} & {first, *first}
        assert max(found.shares) > 0.1


def test_the_sums_add_up_whatever_was_cut_or_cut_in_windows(trained):
    for text in ("a b good c , d !", " ".join([*LETTERS, *LETTERS, "bad", *LETTERS]), "坏" * 40 + " good"):
        found = explained(str(trained), text)
        assert abs(found.error) < 0.01
        assert sum(found.shares) == pytest.approx(found.all - found.none, abs=0.01)
        assert found.all == pytest.approx(found.answer["probabilities"][found.label], abs=1e-5)
        assert [found.text(word) for word in found.words] != []
        assert found.words == sorted(found.words)
    by_label = [explained(str(trained), "a b good c", label=label).shares for label in ("pos", "neg", "none")]
    assert np.sum(by_label, axis=0) == pytest.approx(np.zeros(4), abs=5e-3)  # what one label gains the others lose


def test_gradients_are_those_of_the_paper(trained):
    """Equation 1 of Sundararajan et al. by stock's own class in float64, with 2,000 steps of the midpoint rule."""
    text, label = "a b good c", "pos"
    tokenizer = AutoTokenizer.from_pretrained(trained)
    stock = BertForSequenceClassification.from_pretrained(trained).double().eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    table = stock.get_input_embeddings().weight.detach()
    whole, ground = table[ids[0]], table[ids[0]].clone()
    kept = Classifier(str(trained))
    neutral = gradients._neutral(kept, gradients._read(kept, Row(text))[1])
    assert any(neutral.double().allclose(one) for one in (*table[:5], table.mean(0)))
    ground[1:-1] = neutral
    line = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    given = (ground + line[:, None, None] * (whole - ground)).requires_grad_()
    shares = torch.softmax(stock(inputs_embeds=given).logits / kept.temperature, -1)[:, stock.config.label2id[label]]
    (gradient,) = torch.autograd.grad(shares.sum(), given)
    expected = (gradient.mean(0) * (whole - ground)).sum(-1)[1:-1]
    found = explained(str(trained), text, label=label)
    assert found.shares == pytest.approx(expected.tolist(), abs=gradients.ENOUGH)
    by_token = gradients.attribution(Classifier(str(trained)), Row(text), label)
    assert by_token.error < gradients.ENOUGH


def test_pairs_ratings_and_a_gpt2(tmp_path):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = BertTokenizer(vocab={token: at for at, token in enumerate(tokens)}, model_max_length=32)
    rating = tiny_stock(BertForSequenceClassification, vocab_size=len(tokens), max_position_embeddings=32,
                        num_labels=1, problem_type="regression")  # fmt: skip
    rating.save_pretrained(tmp_path / "rating")
    tokenizer.save_pretrained(tmp_path / "rating")
    found = explained(str(tmp_path / "rating"), "a good b", "bad c")
    assert [(word.of, found.text(word)) for word in found.words] == [
        (0, "a"), (0, "good"), (0, "b"), (1, "bad"), (1, "c"),
    ]  # fmt: skip
    assert found.all == pytest.approx(found.answer["value"], abs=1e-5)
    assert abs(found.error) < 0.01
    with pytest.raises(UserError, match="gives ratings, not labels: leave --label out"):
        explained(str(tmp_path / "rating"), "a", label="pos")
    gpt2 = tiny_stock(GPT2ForSequenceClassification, vocab_size=len(tokens), num_labels=3, pad_token_id=0)
    gpt2.save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    assert abs(explained(str(tmp_path / "gpt2"), "a good b").error) < 0.01


def test_files_and_what_is_said(trained, tmp_path):
    text = "a <b> good & c !"
    lines = why(str(trained), text, out=tmp_path / "why.json")
    assert lines[0].startswith("pos (")
    assert 'for it "good" +' in lines[0]
    assert "completeness error 0.0" in lines[-2]
    assert [part for line in lines[:-1] for part in line.splitlines() if len(part) > 80] == []
    record = json.loads((tmp_path / "why.json").read_text(encoding="utf-8"))
    assert max(record["words"], key=lambda one: one["share"])["text"] == "good"
    assert all(text[one["start"] : one["end"]] == one["text"] for one in record["words"])
    assert record["completeness_error"] == pytest.approx(
        sum(one["share"] for one in record["words"]) - record["figure"] + record["figure_without_words"], abs=1e-5
    )
    why(str(trained), text, out=tmp_path / "why.html", language="zh")
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "&lt;</mark>" in page or "&lt;" in page
    assert "<b>" not in page
    assert "主要因为“good”" in page
    why(str(trained), text, out=tmp_path / "why.png")
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    for wrong, says in (
        ({"text": " ! "}, "has no words to explain"),
        ({"label": "poss"}, "\"poss\" is no label of .*; did you mean 'pos'?"),
        ({"out": tmp_path / "a.gif"}, "give --out a name that ends in .json, .html"),
        ({"method": "shap"}, 'method is "shap"; it can be gradients or left_out'),
        ({"text_pair": "a"}, "reads single texts, and was given pairs"),
    ):
        with pytest.raises(UserError, match=says):
            why(str(trained), **{"text": text, **wrong})


@pytest.mark.slow
def test_the_command_in_a_fresh_process(trained, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hf_xfmr", "why", trained, "a b bad", "--method", "left_out", "--out", "w.svg"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("neg (")
    assert "each word left out in turn" in done.stdout
    assert ">bad<" in (tmp_path / "w.svg").read_text(encoding="utf-8")


def test_the_report_marks_what_worst_errors_rest_on(trained):
    run = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    figures = json.loads((trained / "report.json").read_text(encoding="utf-8"))
    shown = [row for row in figures["worst"] if row["decided"]]
    assert shown
    assert {str(row["id"]) for row in shown} == {key for key, spans in run["decided_words"]["rows"].items() if spans}
    page = (trained / "report.html").read_text(encoding="utf-8")
    for row in shown:  # the label is wrong here, and the word that made the answer is right
        start, end, _ = max(row["decided"], key=lambda one: one[2])
        assert row["text"][start:end] in ("good", "bad")
        assert f'title="decided">{row["text"][start:end]}</mark>' in page


def test_words_of_chinese_are_jiebas_where_it_is_installed(monkeypatch):
    pytest.importorskip("jieba")
    text = "这部电影很好看, don't you think so"
    words = [text[one.start : one.end] for one in spans_of(Row(text))]
    assert words[1:2] == ["电影"] or "电影" in words
    assert "don't" in words
    monkeypatch.setattr("hf_xfmr.tasks.classification.words.cutter", lambda: None)
    assert [text[one.start : one.end] for one in spans_of(Row(text))][:7] == list("这部电影很好看")
    assert cutter() is not None
    long = spans_of(Row("word " * 500, "more " * 3))
    assert len(long) <= 49
    assert long[-1].of == 1


def test_from_python_as_a_table_of_words(trained):
    texts = pd.Series(["a b good c", "bad d"], index=["x", "y"])
    found = hf_xfmr.load_run(trained).why(texts)
    one = explained(str(trained), "a b good c")
    first = found[found["text"] == "x"]
    assert list(first["word"]) == ["a", "b", "good", "c"]
    assert list(first["share"]) == pytest.approx(one.shares, abs=1e-6)
    assert set(first["label"]) == {"pos"}
    assert list(first["probability"]) == pytest.approx([one.all] * 4, abs=1e-6)
    best = found.loc[found.groupby("text")["share"].idxmax()]
    assert list(best["word"]) == ["good", "bad"]
    other = hf_xfmr.load_run(trained).why("a b good c", label="neg", method="left_out")
    assert set(other["label"]) == {"neg"}
    with pytest.raises(UserError, match="2 texts and 1 pairs"):
        hf_xfmr.load_run(trained).why(list(texts), ["a"])


def test_a_tagger_is_refused_with_what_to_do(tmp_path):
    made = make(tmp_path)
    with pytest.raises(UserError, match=r"of tagging, and why explains classifiers alone: hf_xfmr predict .* TEXT"):
        why(str(made / "tagger"), "good film")
    with pytest.raises(UserError, match=r"which predict can't use: run .* generate"):
        why(str(made / "gpt2"), "good film")
