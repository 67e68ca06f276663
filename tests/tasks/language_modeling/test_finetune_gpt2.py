"""The language-modelling and tokenizer recipes, run as a user runs them."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import finetune_gpt2
import numpy as np
import pytest
import torch
import train_tokenizer
from oracles import fresh_process, tensors, tiny_stock
from places import ROOT
from transformers import AutoTokenizer, BertTokenizer, GPT2LMHeadModel

from hf_xfmr import XfmrGPT2ForCausalLM, tokenizer
from hf_xfmr.run import program
from hf_xfmr.tasks.compare import compare

WORDS = ["春眠", "不觉晓", "处处", "闻啼鸟", "the", "quick", "fox"]
TINY = {"n_positions": 32, "n_layer": 1, "n_head": 2, "n_embd": 16}
FAST = {
    "max_steps": 4,
    "per_device_train_batch_size": 4,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
    "logging_steps": 2,
    "sample_every": 2,
    "bf16": False,
}


def flags(values: dict) -> list[str]:
    return [
        word
        for key, value in values.items()
        for word in (f"--{key}", json.dumps(value) if isinstance(value, dict) else str(value))
    ]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A hundred texts, one a line."""
    draw = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("corpus") / "texts.txt"
    path.write_text("\n".join(" ".join(draw.choice(WORDS, draw.integers(2, 9))) for _ in range(100)), encoding="utf-8")
    return path


def run(folder: Path, corpus: Path, **settings) -> dict:
    values = {"dataset": corpus, "lines": True, **FAST, "output_dir": folder, **settings}
    return finetune_gpt2.main(flags(values))


def record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def from_scratch(tmp_path_factory, corpus) -> Path:
    """The folder of a run that learns the corpus a little."""
    folder = tmp_path_factory.mktemp("runs") / "scratch"
    metrics = run(
        folder, corpus, tokenizer="char", model_config=TINY, max_steps=60, learning_rate=1e-2, sample_every=30,
        eval_strategy="steps", eval_steps=30, save_strategy="steps", save_steps=30, stride=8,
    )  # fmt: skip
    assert metrics["validation"]["perplexity"] < 30
    return folder


def test_a_run_ends_with_figures_samples_and_a_report(from_scratch):
    entries = record(from_scratch)
    figures = entries["metrics"]["validation"]
    assert set(figures) == {
        "tokens",
        *(
            f"{prefix}{name}"
            for prefix in ("", "strided_")
            for name in ("loss", "perplexity", "bits_per_byte", "bits_per_character")
        ),
    }
    assert figures["strided_loss"] < figures["loss"] + 0.05
    assert figures["bits_per_byte"] < figures["bits_per_character"]  # a Chinese character is three bytes
    assert [sample["step"] for sample in entries["samples"]] == [30, 60]
    assert all(sample["prompt"] and sample["prompt"] not in sample["sample"][:4] for sample in entries["samples"])
    first = next(line for line in entries["data"] if line.startswith("validation: "))
    assert re.match(r"validation: \d+ documents taken from train by a hash of their text, \d+ left", first)
    report = (from_scratch / "report.html").read_text(encoding="utf-8")
    assert "perplexity" in report
    assert "Step 60" in report


PIPELINE = """
{imports}
from transformers import pipeline
folder = {folder!r}
generator = pipeline("text-generation", folder, {options})
print(type(generator.model).__module__.split(".")[0], type(generator.model).__name__)
print(generator("春眠", max_new_tokens=8, do_sample=False)[0]["generated_text"])
"""


def test_the_folder_generates_in_a_fresh_process_with_and_without_the_package(from_scratch):
    folder = str(from_scratch)
    ours = fresh_process(PIPELINE.format(imports="import hf_xfmr", folder=folder, options=""))
    remote = fresh_process(
        PIPELINE.format(imports="", folder=folder, options="trust_remote_code=True"), without_package=True
    )
    assert ours.splitlines()[0] == "hf_xfmr XfmrGPT2ForCausalLM"
    assert remote.splitlines()[0] == "transformers_modules XfmrGPT2ForCausalLM"
    text = ours.splitlines()[1:]
    assert text == remote.splitlines()[1:]
    assert text[0].startswith("春眠")
    assert len(text[0]) > 4


def test_stock_checkpoints_go_on_and_new_tokens_are_never_silent(tmp_path, corpus, capsys):
    texts = corpus.read_text(encoding="utf-8").split("\n")
    own = tokenizer.train(texts, "bpe", vocab_size=300, model_max_length=32)
    own.pad_token = None  # as GPT-2's
    start = tmp_path / "start"
    stock = tiny_stock(GPT2LMHeadModel, vocab_size=len(own), n_positions=32, bos_token_id=0, eos_token_id=0)
    stock.save_pretrained(start)
    own.save_pretrained(start)
    run(tmp_path / "plain", corpus, model=start, learning_rate=1e-3)
    assert "embeddings:" not in capsys.readouterr().out
    assert tensors(tmp_path / "plain").keys() == tensors(start).keys()
    assert GPT2LMHeadModel.from_pretrained(tmp_path / "plain").generation_config.eos_token_id == 0

    own.add_tokens(["闻啼鸟", "不觉晓"])
    own.save_pretrained(start)
    run(tmp_path / "more", corpus, model=start, learning_rate=0.0)
    size = stock.config.vocab_size
    assert f"embeddings: 2 rows added to the checkpoint's {size}" in capsys.readouterr().out
    words = tensors(tmp_path / "more")["transformer.wte.weight"]
    assert torch.equal(words[:size], stock.transformer.wte.weight)
    assert len(words) == size + 2


def test_a_new_model_has_its_tokenizers_ids_and_alarms_nobody(tmp_path, corpus, caplog):
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        run(tmp_path / "run", corpus, tokenizer="bpe", model_config={**TINY, "vocab_size": 300}, max_steps=1)
    finally:
        logger.removeHandler(caplog.handler)
    assert "token_id" not in caplog.text
    end = AutoTokenizer.from_pretrained(tmp_path / "run").eos_token_id
    for name in ("config.json", "generation_config.json"):
        saved = json.loads((tmp_path / "run" / name).read_text())
        assert (saved["bos_token_id"], saved["eos_token_id"]) == (end, end)


def test_a_bert_vocabulary_ends_texts_by_sep_and_adds_nothing_to_a_prompt(tmp_path, corpus):
    characters = sorted({*corpus.read_text(encoding="utf-8")} - {" ", "\n"})
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters])}
    start = tmp_path / "start"
    BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(start)
    tiny_stock(GPT2LMHeadModel, vocab_size=len(vocabulary), n_positions=32).save_pretrained(start)
    run(tmp_path / "run", corpus, model=start)
    saved = AutoTokenizer.from_pretrained(tmp_path / "run")
    assert saved.eos_token == "[SEP]"
    assert set(saved("春眠")) == {"input_ids", "attention_mask"}
    assert saved.convert_ids_to_tokens(saved("春眠").input_ids) == ["春", "眠"]
    config = json.loads((tmp_path / "run/generation_config.json").read_text())
    assert config["eos_token_id"] == vocabulary["[SEP]"]
    assert config["pad_token_id"] == vocabulary["[PAD]"]
    assert "documents ended by [SEP]" in "".join(record(tmp_path / "run")["data"])


def test_samples_leave_training_as_it_is(tmp_path, corpus):
    for name, every in (("with", 1), ("without", 0)):
        run(tmp_path / name, corpus, tokenizer="char", model_config=TINY, sample_every=every)
    a, b = (tensors(tmp_path / name) for name in ("with", "without"))
    assert all(torch.equal(a[name], b[name]) for name in a)  # bits: the same kernels on the same numbers
    assert len(record(tmp_path / "with")["samples"]) == 4
    assert record(tmp_path / "without")["samples"] == []


@pytest.mark.slow
def test_the_same_command_goes_on_where_a_run_was_stopped(tmp_path, corpus, capsys):
    common = {"tokenizer": "char", "model_config": TINY, "save_strategy": "steps", "save_steps": 2}
    for name in ("whole", "parts"):
        run(tmp_path / name, corpus, **common)
    subprocess.run(["rm", "-r", str(tmp_path / "parts/checkpoint-4")], check=True)
    capsys.readouterr()
    run(tmp_path / "parts", corpus, **common)
    assert "resumed from" in capsys.readouterr().out
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert a == b  # bits, as promised on one processor with as many threads
    assert record(tmp_path / "parts")["samples"] == record(tmp_path / "whole")["samples"]


@pytest.mark.slow
def test_streaming_trains_as_holding_the_corpus_does_not_shuffled(tmp_path, corpus):
    common = {"tokenizer": "char", "model_config": TINY, "eval_strategy": "steps", "eval_steps": 2, "max_steps": 40}
    streamed = run(tmp_path / "a", corpus, streaming=True, **common)
    again = run(tmp_path / "b", corpus, streaming=True, **common)
    held = run(tmp_path / "c", corpus, **common)
    assert streamed == again  # bits: the same kernels on the same numbers
    assert streamed["validation"]["tokens"] == held["validation"]["tokens"]
    assert streamed["validation"]["loss"] == pytest.approx(held["validation"]["loss"], abs=0.5)
    assert streamed["validation"]["loss"] != held["validation"]["loss"]


def stopped(capsys, recipe, values: dict) -> str:
    """Run with bad input: the one line it printed, after exit code 2."""
    with pytest.raises(SystemExit) as end:
        program.run(lambda: recipe.main(flags(values)))
    assert end.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    return error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"streaming": True, "max_steps": -1}, "streaming needs max_steps"),
        ({"model": "x", "model_config": TINY}, "model and model_config are both given"),
        ({"model": "x", "tokenizer": "bpe"}, "model and tokenizer are both given"),
        ({"model_config": {"n_head": 3, "n_embd": 16}}, "16.*3|3.*16"),
        ({"model_config": {**TINY, "vocab_size": 9}}, "vocab_size 9 is too small"),
        ({"tokenizer": "morse", "model_config": TINY}, "morse"),
        ({"validation_fraction": 0.0, "eval_strategy": "steps", "model_config": TINY}, "nothing is held out"),
        ({"block_size": 64, "model_config": TINY}, "at most the model's 32 positions"),
        ({"early_stopping_patience": 2, "model_config": TINY}, "early_stopping_patience needs evaluations"),
        ({"stride": 64, "model_config": TINY}, "stride is 64"),
    ],
)
def test_bad_settings_are_one_clear_line(tmp_path, corpus, capsys, settings, message):
    values = {"dataset": corpus, "lines": True, **FAST, "output_dir": tmp_path, **settings}
    error = stopped(capsys, finetune_gpt2, values)
    assert re.search(message, error), error


@pytest.mark.slow
def test_wikitext_says_that_the_hub_cannot_be_reached(tmp_path):
    config = ROOT / "recipes/configs/finetune_gpt2/wikitext-gpt2.yaml"
    done = subprocess.run(
        [sys.executable, ROOT / "recipes/finetune_gpt2.py", config, "--output_dir", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"error: model: 'openai-community/gpt2' .*can't be had from the Hub", done.stderr)


@pytest.mark.parametrize(
    "config", [pytest.param("shakespeare", marks=pytest.mark.slow), "shakespeare-char", "reviews-zh", "poems"]
)
def test_every_config_that_needs_no_hub_runs(tmp_path, config):
    shrunk = {**FAST, "max_steps": 2, "max_train_documents": 20, "max_validation_documents": 2, "eval_strategy": "no"}
    shrunk |= {"model_config": {**TINY, "vocab_size": 1500}, "per_device_eval_batch_size": 256}
    if config.startswith("shakespeare"):
        shrunk |= {"max_train_documents": 1, "max_validation_documents": 1}
    if config == "shakespeare":
        shrunk |= {"stride": 16}
    if config == "poems":
        (tmp_path / "poems.txt").write_text(
            "\n---\n".join("春眠不觉晓，处处闻啼鸟。"[n:] for n in range(12)), encoding="utf-8"
        )
        shrunk |= {"dataset": tmp_path / "poems.txt"}
    path = ROOT / "recipes/configs/finetune_gpt2" / f"{config}.yaml"
    metrics = finetune_gpt2.main([str(path), "--output_dir", str(tmp_path / "run"), *flags(shrunk)])
    assert metrics["validation"]["loss"] < 9
    assert XfmrGPT2ForCausalLM.from_pretrained(tmp_path / "run").config.n_embd == 16


@pytest.mark.parametrize(
    "config", sorted(path.stem for path in (ROOT / "recipes/configs/train_tokenizer").glob("*.yaml"))
)
def test_every_tokenizer_config_runs_and_its_tokenizer_loads(tmp_path, config, capsys):
    path = ROOT / "recipes/configs/train_tokenizer" / f"{config}.yaml"
    shrunk = {"max_train_documents": 600, "max_validation_documents": 50}
    if "shakespeare" in config:
        shrunk = {"max_train_documents": 1, "max_validation_documents": 1, "vocab_size": 1000}
    figures = train_tokenizer.main([str(path), "--output_dir", str(tmp_path), *flags(shrunk)])
    assert figures["round_trip_rate"] > 0.5  # few texts do not show a WordPiece all characters
    assert figures["unknown_rate"] < 0.02
    assert "round trip rate" in capsys.readouterr().out
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == figures["vocabulary"]


@pytest.mark.slow
def test_several_seeds_and_what_tells_two_of_them_apart(tmp_path, corpus, capsys):
    common = {"dataset": corpus, "lines": True, "tokenizer": "char", "model_config": TINY, **FAST}
    metrics = finetune_gpt2.main([*flags({**common, "output_dir": tmp_path / "out"}), "--seeds", "1", "2"])
    assert "mean ± standard deviation over 2 seeds" in capsys.readouterr().out
    found = compare(tmp_path / "out" / "seed-1", tmp_path / "out" / "seed-2")
    assert found["kind"] == "language model"
    (bits,) = found["figures"]
    assert (bits["a"] + bits["b"]) / 2 == pytest.approx(metrics["validation"]["bits_per_byte"])


def test_a_tokenizer_trained_apart_is_used_from_its_folder(tmp_path, corpus, capsys):
    common = {"dataset": corpus, "lines": True, "kind": "bpe", "model_max_length": 32}
    figures = train_tokenizer.main(flags({**common, "vocab_size": 300, "output_dir": tmp_path / "own"}))
    run(tmp_path / "run", corpus, tokenizer=tmp_path / "own", model_config=TINY)
    assert XfmrGPT2ForCausalLM.from_pretrained(tmp_path / "run").config.vocab_size == figures["vocabulary"]
    error = stopped(capsys, train_tokenizer, {**common, "output_dir": tmp_path / "none"})
    assert "needs vocab_size" in error
    error = stopped(capsys, train_tokenizer, {**common, "validation_fraction": 0.0, "output_dir": tmp_path / "none"})
    assert "nothing is held out" in error
