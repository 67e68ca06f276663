"""The classification recipe, run as a user runs it: on real reviews where size allows, on small files for the rest."""

import argparse
import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import classify_bert
import numpy as np
import pytest
import torch
from oracles import fresh_process, same_as_stock
from places import ROOT
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    pipeline,
)

import hf_xfmr
from hf_xfmr import samples
from hf_xfmr.commands import predict
from hf_xfmr.errors import UserError
from hf_xfmr.run import program, recipes
from hf_xfmr.tasks.classification.classifier import Classifier

WORDS = [*"abcdefghijklmnopqrstuvwxyz", "good", "bad", "film", "plot", "the", "and", "##s", "好", "坏", "看"]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    """A tiny stock BERT with its tokenizer."""
    folder = tmp_path_factory.mktemp("checkpoint")
    vocabulary = {word: i for i, word in enumerate([*SPECIALS, *WORDS])}
    BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


def rows(n: int = 300, seed: int = 0):
    """Texts whose label is in one word: (text, "pos" or "neg")."""
    draw = np.random.default_rng(seed)
    for _ in range(n):
        filler = [str(draw.choice(WORDS[:26])) for _ in range(draw.integers(3, 9))]
        good = bool(draw.integers(2))
        filler.insert(int(draw.integers(len(filler))), "good" if good else "bad")
        yield " ".join(filler), "pos" if good else "neg"


def write_csv(path: Path, lines, header=("text", "label")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


@pytest.fixture(scope="module")
def reviews(tmp_path_factory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "reviews.csv", rows())


FAST = {"num_train_epochs": 2, "per_device_train_batch_size": 16, "learning_rate": 5e-3, "bf16": False}


def run(tmp_path, **settings) -> dict:
    values = {**FAST, "output_dir": tmp_path / "run", **settings}
    flags = []
    for key, value in values.items():
        flags += [f"--{key}", json.dumps(value) if isinstance(value, dict) else str(value)]
    return classify_bert.main(flags)


def predictions(tmp_path, split="test") -> list[dict]:
    with (tmp_path / "run" / f"predictions-{split}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_ends_with_metrics_predictions_a_report_and_a_folder_that_loads(tmp_path, checkpoint, reviews, capsys):
    metrics = run(tmp_path, model=checkpoint, dataset=reviews, num_train_epochs=6)
    assert metrics["test"]["accuracy"] == 1.0  # one word decides
    printed = capsys.readouterr().out
    assert re.search(r"cut of train: 0 of \d+ rows, 0\.00 % of tokens", printed)
    assert re.search(r"neg +1\.000 +1\.000 +1\.000", printed)
    assert "gold \\ predicted" in printed
    command = shlex.split(re.search(r"^try it: (.*)$", printed, re.MULTILINE)[1])
    assert command[1:5] == ["-m", "hf_xfmr", "predict", str(tmp_path / "run")]
    tried = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert json.loads(tried.stdout)["label"] in ("neg", "pos")
    assert "TF-IDF of words (1-2) + logistic regression" in printed
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["verdict"]
    assert told["level"] in ("tie", "unsure")  # TF-IDF finds the word too
    assert "TF-IDF is perfect too: the task is easy, or the text gives the answer away" in " ".join(printed.split())
    assert " ".join(printed.partition("verdict: ")[2].split()).startswith(told["sentence"])
    assert printed.index("verdict: ") < printed.index("precision  recall")
    for page in ("report.html", "README.md", "report.json"):
        assert "accuracy 1.000 against 1.000 on" in (tmp_path / "run" / page).read_text(encoding="utf-8")

    lines = predictions(tmp_path)
    assert len(lines) == len({line["id"] for line in lines}) > 20
    for line in lines:
        assert line["gold"] == line["predicted"] == ("pos" if "good" in line["text"].split() else "neg")
        shares = {name: float(line[f"p_{name}"]) for name in ("neg", "pos")}
        assert line["predicted"] == max(shares, key=shares.get)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)

    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["metrics"]["test"] == metrics["test"]
    assert record["baseline"]["test"] == metrics["baseline"]
    assert "accuracy" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8").lower()

    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run")
    assert type(model) is hf_xfmr.XfmrBertForSequenceClassification
    assert model.config.id2label == {0: "neg", 1: "pos"}
    answers = pipeline("text-classification", str(tmp_path / "run"))(["the good film", "the bad film"])
    assert [answer["label"] for answer in answers] == ["pos", "neg"]
    ours = list(Classifier(str(tmp_path / "run"))(["the good film", "the bad film"]))
    for one, answer in zip(ours, answers, strict=True):
        assert one["label"] == answer["label"]
        assert one["probability"] == pytest.approx(answer["score"], abs=1e-4)


def test_stock_class_gives_the_same_numbers_from_the_runs_folder(tmp_path, checkpoint, reviews):
    run(tmp_path, model=checkpoint, dataset=reviews, num_train_epochs=1, max_length=12)
    read = AutoTokenizer.from_pretrained(tmp_path / "run")
    assert len(read("good " * 40, truncation=True).input_ids) == read.model_max_length == 12  # as it was trained
    ours = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run").eval()
    stock = BertForSequenceClassification.from_pretrained(tmp_path / "run").eval()
    ids = torch.tensor([[2, 5, 31, 7, 3]])
    same_as_stock(ours(ids).logits, stock(ids).logits)


@pytest.mark.slow
def test_the_same_command_goes_on_where_a_run_was_stopped(tmp_path, checkpoint, reviews, capsys):
    common = {"model": checkpoint, "dataset": reviews, "save_total_limit": 5, "load_best_model_at_end": False}
    whole = run(tmp_path / "whole", num_train_epochs=3, **common)
    # A run of three epochs stopped after the first: its later checkpoints are not there yet.
    run(tmp_path / "parts", num_train_epochs=3, **common)
    checkpoints = sorted(
        (tmp_path / "parts" / "run").glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1])
    )
    for later in checkpoints[1:]:
        subprocess.run(["rm", "-r", str(later)], check=True)
    capsys.readouterr()
    parts = run(tmp_path / "parts", num_train_epochs=3, **common)
    assert f"resumed from {checkpoints[0]}" in capsys.readouterr().out
    assert parts == whole
    a, b = ((tmp_path / name / "run" / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert a == b  # bits, as promised on one processor with as many threads


def test_a_frozen_encoder_stays_as_it_was_and_its_features_are_computed_once(
    tmp_path, checkpoint, reviews, monkeypatch
):
    calls = []
    forward = hf_xfmr.XfmrBertModel.forward
    monkeypatch.setattr(
        hf_xfmr.XfmrBertModel, "forward", lambda self, *a, **k: (calls.append(self.training), forward(self, *a, **k))[1]
    )
    run(tmp_path, model=checkpoint, dataset=reviews, freeze_encoder=True, num_train_epochs=5)
    assert len(calls) <= sum(-(-n // 64) for n in (300, 300, 300))  # once a batch of 64, whatever the epochs
    assert not any(calls)  # dropout off
    before, after = (
        BertModel.from_pretrained(checkpoint),
        BertForSequenceClassification.from_pretrained(tmp_path / "run"),
    )
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.bert.state_dict()[name])
    # What was trained on features is what the whole model computes.
    answers = list(Classifier(str(tmp_path / "run"))([line["text"] for line in predictions(tmp_path)]))
    for line, answer in zip(predictions(tmp_path), answers, strict=True):
        assert float(line["p_pos"]) == pytest.approx(answer["probabilities"]["pos"], abs=1e-4)


def test_lora_trains_little_and_saves_an_adapter_and_a_merged_stock_model(tmp_path, checkpoint, reviews):
    metrics = run(tmp_path, model=checkpoint, dataset=reviews, lora_rank=4, num_train_epochs=4, learning_rate=2e-2)
    assert metrics["test"]["accuracy"] > 0.7
    adapter = tmp_path / "run" / "adapter"
    assert (adapter / "adapter_model.safetensors").stat().st_size < (tmp_path / "run/model.safetensors").stat().st_size
    before = BertModel.from_pretrained(checkpoint).state_dict()
    after = BertForSequenceClassification.from_pretrained(tmp_path / "run").bert.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        f"encoder.layer.{i}.attention.self.{n}.weight" for i in range(2) for n in ("query", "key", "value")
    }


def test_a_checkpoint_takes_another_dropout_and_no_other_size(tmp_path, checkpoint, reviews):
    dropout = {"hidden_dropout_prob": 0.25}
    run(tmp_path, model=checkpoint, dataset=reviews, model_config=json.dumps(dropout), num_train_epochs=1)
    assert json.loads((tmp_path / "run/config.json").read_text())["hidden_dropout_prob"] == 0.25
    with pytest.raises(UserError, match="a checkpoint has its own hidden_size, and only hidden_dropout_prob, "):
        run(tmp_path, model=checkpoint, dataset=reviews, model_config='{"hidden_size": 8}')
    with pytest.raises(UserError, match=r"model_config: .*hidden_dropout_prob"):
        run(tmp_path, model=checkpoint, dataset=reviews, model_config='{"hidden_dropout_prob": "much"}')


def test_layer_decay_gives_lower_layers_lower_rates(tmp_path, checkpoint, reviews, monkeypatch):
    seen = {}
    train = classify_bert.train

    def spy(trainer):
        optimizer = trainer.create_optimizer()
        names = {parameter: name for name, parameter in trainer.model.named_parameters()}
        seen.update({names[p]: group["lr"] for group in optimizer.param_groups for p in group["params"]})
        return train(trainer)

    monkeypatch.setattr(classify_bert, "train", spy)
    run(tmp_path, model=checkpoint, dataset=reviews, layer_decay=0.5, num_train_epochs=1, learning_rate=0.08)
    assert len(seen) == len(list(BertForSequenceClassification.from_pretrained(tmp_path / "run").parameters()))
    rate = {
        "classifier.weight": 0.08,
        "bert.pooler.bias": 0.08,
        "bert.blocks.1.attention.query.weight": 0.04,
        "bert.blocks.0.feed_forward_norm.bias": 0.02,
        "bert.embeddings.word.weight": 0.01,
    }
    assert {name: pytest.approx(seen[name]) for name in rate} == rate


def test_class_weights_lift_the_rare_label(tmp_path, checkpoint):
    draw = [(text, label) for i, (text, label) in enumerate(rows(600)) if label == "pos" or i % 10 == 0]
    noisy = write_csv(
        tmp_path / "rare.csv", [(text.replace("good", "film").replace("bad", "film"), label) for text, label in draw]
    )
    plain = run(tmp_path / "plain", model=checkpoint, dataset=noisy, num_train_epochs=1)
    weighted = run(tmp_path / "weighted", model=checkpoint, dataset=noisy, num_train_epochs=1, class_weights="auto")
    share = {
        name: np.mean([line["predicted"] == "neg" for line in predictions(tmp_path / name)])
        for name in ("plain", "weighted")
    }
    assert share["plain"] < 0.05  # nothing to tell them apart by: the common label it is
    config = json.loads((tmp_path / "weighted/run/config.json").read_text())
    assert config["class_weights"][0] > 3 > 1 > config["class_weights"][1]
    p = {
        name: np.mean([float(line["p_neg"]) for line in predictions(tmp_path / name)]) for name in ("plain", "weighted")
    }
    assert p["weighted"] > p["plain"] + 0.1
    assert plain.keys() == weighted.keys()


def test_early_stopping_ends_a_run_that_no_longer_improves(tmp_path, checkpoint, reviews):
    run(
        tmp_path,
        model=checkpoint,
        dataset=reviews,
        num_train_epochs=30,
        learning_rate=0.0,
        early_stopping_patience=1,
        metric_for_best_model="accuracy",
    )
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert max(log["epoch"] for log in record["log_history"]) == 2  # one to set the mark, one that does not pass it


def test_the_baseline_is_fitted_on_some_rows_and_says_so(tmp_path, checkpoint, reviews, capsys):
    metrics = run(tmp_path, model=checkpoint, dataset=reviews, num_train_epochs=1, max_baseline_rows=50)
    assert 0.5 < metrics["baseline"]["accuracy"] <= 1  # of 50 rows with one word that decides
    printed = capsys.readouterr().out
    total = int(re.search(r"train (\d+), validation", printed)[1])
    assert f"logistic regression on 50 of {total} rows" in printed
    folder = tmp_path / "run"
    assert json.loads((folder / "run.json").read_text())["baseline"]["rows"] == [50, total]
    assert f"It was fitted on 50 of {total} rows of train." in (folder / "report.html").read_text()
    with pytest.raises(UserError, match="max_baseline_rows is 0"):
        run(tmp_path, model=checkpoint, dataset=reviews, max_baseline_rows=0, resume=False)


def test_regression_pairs_and_several_labels(tmp_path, checkpoint, capsys):
    rated = [(text, 2.5 if label == "pos" else -2.5) for text, label in rows(200)]
    metrics = run(
        tmp_path / "a",
        model=checkpoint,
        dataset=write_csv(tmp_path / "r.csv", rated, ("text", "rating")),
        num_train_epochs=5,
    )
    assert metrics["test"]["pearson"] > 0.8
    assert isinstance(next(Classifier(str(tmp_path / "a/run"))(["good film"]))["value"], float)

    pairs = [(a, b, "same" if la == lb else "other") for (a, la), (b, lb) in zip(rows(150), rows(150, 1), strict=True)]
    pair_file = write_csv(tmp_path / "p.csv", pairs, ("a", "b", "label"))
    run(tmp_path / "b", model=checkpoint, dataset=pair_file, text_column="a", text_pair_column="b", num_train_epochs=1)
    assert set(predictions(tmp_path / "b")[0]) >= {"text", "text_pair", "gold", "p_same", "p_other"}
    *_, to_try = (line for line in capsys.readouterr().out.splitlines() if line.startswith("try it:"))
    words = shlex.split(to_try.partition(" -m hf_xfmr predict ")[2])
    arguments = argparse.ArgumentParser()
    predict.add_arguments(arguments)
    predict.run(arguments.parse_args(words))
    assert len(capsys.readouterr().out.splitlines()) == len(predictions(tmp_path / "b"))

    several = tmp_path / "several.jsonl"
    with several.open("w") as file:
        for text, label in rows(200):
            tags = [label] + (["long"] if len(text) > 14 else [])
            file.write(json.dumps({"text": text, "labels": tags}) + "\n")
    metrics = run(tmp_path / "c", model=checkpoint, dataset=several, num_train_epochs=20, seed=1)
    assert metrics["test"]["f1_micro"] > 0.8
    table = capsys.readouterr().out.partition("precision  recall     f1   rows\n")[2]
    assert [line.split()[0] for line in table.splitlines()[:3]] == ["long", "neg", "pos"]
    assert {"|".join(sorted(line["gold"].split("|"))) for line in predictions(tmp_path / "c")} <= {
        "long|neg", "long|pos", "neg", "pos"
    }  # fmt: skip


CLASSIFY = """
from transformers import pipeline
classify = pipeline("text-classification", {folder!r}, trust_remote_code={remote})
print(type(classify.model).__module__.split(".")[0], *(answer["label"] for answer in classify({texts!r})))
"""


@pytest.mark.parametrize("without_package", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_folder_classifies_in_a_fresh_process_in_english_and_chinese(tmp_path, checkpoint, without_package):
    mixed = [
        (text.replace("good", "好").replace("bad", "坏") if i % 2 else text, label)
        for i, (text, label) in enumerate(rows())
    ]
    mixed = [(text, {"pos": "好评", "neg": "差评"}[label]) for text, label in mixed]
    run(tmp_path, model=checkpoint, dataset=write_csv(tmp_path / "mixed.csv", mixed), num_train_epochs=8)
    code = CLASSIFY.format(
        folder=str(tmp_path / "run"), remote=without_package, texts=["the good film", "the bad film", "好看", "看 坏"]
    )
    printed = fresh_process(code if without_package else f"import hf_xfmr{code}", without_package=without_package)
    module = "transformers_modules" if without_package else "hf_xfmr"
    assert printed.split() == [module, "好评", "差评", "好评", "差评"]


@pytest.mark.parametrize(
    "over_long", [pytest.param(one, marks=pytest.mark.slow) for one in ("head", "tail", "head+tail", "windows")]
)
def test_the_deciding_word_is_seen_where_the_strategy_says_so(tmp_path, checkpoint, over_long):
    """The word that decides stands at the end of a text far longer than the model reads."""
    draw = np.random.default_rng(0)
    lines = []
    for _ in range(640 if over_long == "windows" else 160):  # the loss sees the word in one window of four
        filler = [str(draw.choice(WORDS[:26])) for _ in range(90)]
        good = bool(draw.integers(2))
        lines.append((" ".join([*filler, "good" if good else "bad"]), "pos" if good else "neg"))
    data = write_csv(tmp_path / "long.csv", lines)
    metrics = run(
        tmp_path, model=checkpoint, dataset=data, over_long=over_long, num_train_epochs=25, learning_rate=3e-3
    )
    assert (metrics["test"]["accuracy"] > 0.9) == (over_long != "head"), metrics
    answers = list(Classifier(str(tmp_path / "run"))([line["text"] for line in predictions(tmp_path)]))
    assert [a["label"] for a in answers] == [line["predicted"] for line in predictions(tmp_path)]


def stopped(capsys, **settings) -> str:
    """Run with bad input: the one line it printed, after exit code 2."""
    flags = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    with pytest.raises(SystemExit) as end:
        program.run(lambda: classify_bert.main(flags))
    assert end.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    return error


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing file", r"nowhere\.csv"),
        ("empty file", r"empty\.csv: the file is empty"),
        ("no such column", r'text_column is "review", but the dataset has no such column; it has "text", "label"'),
        ("one class only", r"one.*class|only.*label"),
        ("label unseen in train", r'"?maybe"?'),
        ("NaN rating", r"rating.*row"),
        ("non-UTF-8", r"byte \d+ \(line \d+\) is not UTF-8"),
        ("a row of 10,000 words", r"10,0\d\d tokens"),
        ("duplicate column names", "no column is known to be the label"),
        ("ids beyond the embedding", r"has the id 41 \('extra'\) and the embedding only 41 rows"),
        ("wrong checkpoint kind", r"is a checkpoint of kind 'gpt2'"),
        ("output folder not writable", r"can't be written"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(tmp_path, checkpoint, capsys, case, message):
    data, settings = tmp_path / "data.csv", {}
    lines = list(rows(60))
    if case == "missing file":
        data = tmp_path / "nowhere.csv"
    elif case == "empty file":
        data = tmp_path / "empty.csv"
        data.write_text("")
    elif case == "no such column":
        settings["text_column"] = "review"
    elif case == "one class only":
        lines = [(text, "pos") for text, _ in lines]
    elif case == "label unseen in train":
        data = tmp_path / "folder"
        data.mkdir()
        write_csv(data / "train.csv", lines)
        write_csv(data / "test.csv", [*lines[:9], ("a b", "maybe")])
    elif case == "NaN rating":
        lines = [(text, "nan" if i == 5 else i / 3) for i, (text, _) in enumerate(lines)]
    elif case == "non-UTF-8":
        data.write_bytes("text,label\n很好,pos\n".encode() * 3 + b"a \xff\xfe b,pos\n")
    elif case == "a row of 10,000 words":
        lines = [*lines, (" ".join(["a b"] * 5000), "pos")]
        settings["over_long"] = "error"
    elif case == "ids beyond the embedding":
        vocabulary = {word: i for i, word in enumerate([*SPECIALS, *WORDS, "extra"])}
        folder = tmp_path / "mixed"
        BertModel.from_pretrained(checkpoint).save_pretrained(folder)
        BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(folder)
        checkpoint, lines = str(folder), [*lines, ("extra a b", "pos")]
    elif case == "wrong checkpoint kind":
        GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path / "gpt2")
        checkpoint = str(tmp_path / "gpt2")
    elif case == "output folder not writable":
        (tmp_path / "file").write_text("")
        settings["output_dir"] = tmp_path / "file" / "run"
    header = (
        ("text", "text") if case == "duplicate column names" else ("text", "rating" if "rating" in case else "label")
    )
    if data == tmp_path / "data.csv" and not data.exists():
        write_csv(data, lines, header)
    settings = {"model": checkpoint, "dataset": data, "output_dir": tmp_path / "run", **settings}
    error = stopped(capsys, **settings)
    assert re.search(message, error), error
    assert len(error) < 400


@pytest.mark.slow
def test_the_program_itself_exits_with_2_and_without_a_traceback(tmp_path):
    script = ROOT / "recipes" / "classify_bert.py"
    done = subprocess.run(
        [sys.executable, script, ROOT / "recipes/configs/classify_bert/chnsenticorp.yaml", "--output_dir", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"error: model: 'google-bert/bert-base-chinese' .*can't be had from the Hub", done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["movie-reviews", "movie-ratings", "reviews-zh"])
def test_every_config_that_needs_no_hub_runs(tmp_path, config):
    shrunk = {
        "max_train_rows": 48,
        "max_validation_rows": 16,
        "max_test_rows": 16,
        "num_train_epochs": 1,
        "bf16": False,
    }
    flags = [word for key, value in shrunk.items() for word in (f"--{key}", str(value))]
    path = ROOT / "recipes/configs/classify_bert" / f"{config}.yaml"
    metrics = classify_bert.main([str(path), "--output_dir", str(tmp_path), *flags])
    assert metrics["test"]
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert record["settings"]["dataset"].startswith(samples.PREFIX)


def test_configs_begin_with_the_command_that_runs_them():
    paths = (ROOT / "recipes" / "configs").glob("*/*.yaml")
    for path in sorted(path for path in paths if path.parent.name != "accelerate"):  # those are no runs
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert f"hf_xfmr train {recipes.name_of(path.parent.name)} --config {path.stem}" in first, path
