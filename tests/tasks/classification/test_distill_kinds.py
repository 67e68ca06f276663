"""Small classifiers of several labels, and of ratings, that learn from large ones: what is learned and refused."""

import json
import shutil
from pathlib import Path

import classify_bert
import distill
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.models.bert import XfmrBertConfig, XfmrBertForSequenceClassification
from hf_xfmr.tasks.classification.student_trainer import StudentTrainer
from hf_xfmr.tasks.classification.teacher import Teacher
from hf_xfmr.training import XfmrTrainingArguments

WORDS = [*"abcdefghijklmnopqrstuvwxyz", "good", "bad"]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SIZES = {"vocab_size": len(TOKENS), "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
QUIET = ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none", "--baseline", "false"]
KINDS = {"several": "multi_label_classification", "ratings": "regression"}


def rows(kind: str, count: int, seed: int) -> list[dict]:
    """Of words with good, bad, both or neither; rated 2.5 for good and -1 for bad."""
    draw, found = np.random.default_rng(seed), []
    for number in range(count):
        words, there = [str(one) for one in draw.choice(WORDS[:26], 4)], [bool(number % 2), bool(number // 2 % 2)]
        for word, has in zip(("good", "bad"), there, strict=True):
            words.insert(int(draw.integers(len(words))), word if has else "z")
        label = [name for name, has in zip(("good", "bad"), there, strict=True) if has]
        found.append({"text": " ".join(words), "label": label if kind == "several" else 2.5 * there[0] - there[1]})
    return found


def lines(path: Path, found: list[dict]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in found), encoding="utf-8")
    return path


def flags(settings: dict) -> list[str]:
    return [*(str(one) for name, value in settings.items() for one in (f"--{name}", value)), *QUIET]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """For each kind rows, and a teacher of three blocks that has learned them."""
    home = tmp_path_factory.mktemp("distill_kinds")
    torch.manual_seed(0)
    BertModel(BertConfig(**SIZES, num_hidden_layers=3, max_position_embeddings=32)).save_pretrained(home / "base")
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(TOKENS)}, model_max_length=32)
    tokenizer.save_pretrained(home / "base")
    for kind in KINDS:
        settings = {"dataset": lines(home / f"{kind}.jsonl", rows(kind, 160, 0)), "model": home / "base"}
        settings |= {"num_train_epochs": 8, "learning_rate": 5e-3, "per_device_train_batch_size": 16}
        classify_bert.main(flags({**settings, "eval_strategy": "no", "output_dir": home / f"teacher-{kind}"}))
    return home


def distilled(home: Path, kind: str, folder: Path, **more) -> dict:
    settings = {"teacher": home / f"teacher-{kind}", "dataset": home / f"{kind}.jsonl", "output_dir": folder}
    settings |= {"learning_rate": 3e-3, "per_device_train_batch_size": 16, "num_train_epochs": 4, "eval_strategy": "no"}
    return distill.main(flags({**settings, **more}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labelled", [[True, False, True], [False, False, False]])
def test_the_loss_and_its_gradients_are_those_written_out_in_torch(kind, labelled, tmp_path):
    torch.manual_seed(0)
    wide = 3 if kind == "several" else 1
    config = XfmrBertConfig(**SIZES, num_hidden_layers=1, num_labels=wide, problem_type=KINDS[kind])
    config.update({"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    model = XfmrBertForSequenceClassification(config).train()
    arguments = XfmrTrainingArguments(output_dir=str(tmp_path), report_to="none", bf16=False, eval_strategy="no")
    trainer = StudentTrainer(model, arguments)
    share, temperature = 0.3, 3.0
    trainer.settings = distill.Settings(
        teacher="t", dataset="d", label_share=share, temperature=temperature, hidden_weight=0
    )
    ids, said, there = torch.randint(5, len(TOKENS), (3, 6)), torch.randn(3, wide) * 2, torch.tensor(labelled)
    labels = torch.randint(2, (3, wide)).float() if kind == "several" else torch.tensor([1.5, torch.nan, -2.0])
    batch = {"input_ids": ids, "labels": labels, "teacher_logits": said, "labelled": there}
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    out = model(input_ids=ids).logits
    if kind == "several":
        p, q = (said / temperature).sigmoid(), (out / temperature).sigmoid()
        soft = temperature**2 * -(p * q.log() + (1 - p) * (1 - q).log()).mean()
        hard = F.binary_cross_entropy_with_logits(out[there], labels[there]) if any(labelled) else 0.0
    else:
        soft = ((out - said) ** 2).mean()
        hard = ((out[there][:, 0] - labels[there]) ** 2).mean() if any(labelled) else 0.0
    expected = (1 - share) * soft + share * hard
    expected.backward()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    for name, one in model.named_parameters():
        if one.grad is not None:
            torch.testing.assert_close(found[name], one.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["several", pytest.param("ratings", marks=pytest.mark.slow)])
def test_a_student_of_one_block_keeps_what_its_teacher_knows(kind, home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    more = lines(tmp_path / "more.jsonl", [{"text": one["text"]} for one in rows(kind, 50, 7)])
    found = distilled(home, kind, tmp_path / "run", student_layers=1, unlabelled=more)
    said = capsys.readouterr().out
    assert "unlabelled: 50 of 50 texts" in said
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["distilled"]
    small, large = told["student"], told["teacher"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    if kind == "several":
        assert told["figure"] == "f1_micro"
        assert found["test"]["f1_micro"] == pytest.approx(small["f1_micro"])
        assert small["f1_micro"] >= 0.9 * large["f1_micro"] > 0.6
        assert 0 < small["f1_macro"] <= 1
        assert told["kept"] == small["f1_micro"] / large["f1_micro"]
        assert "rows): f1_micro " in said
        assert "% kept" in said
        assert "Less is better" not in page
    else:
        assert told["figure"] == "rmse"
        assert found["test"]["rmse"] == pytest.approx(small["rmse"], rel=1e-4)
        assert small["pearson"] > 0.7
        assert told["kept"] == large["rmse"] / small["rmse"]
        times, low, high = (1 / told[name] for name in ("kept", "kept_high", "kept_low"))
        assert low <= times <= high
        assert f"{times:.2f} times the teacher's ({low:.2f} to {high:.2f}; less is better)" in said
        assert "% kept" not in said
        assert "Less is better" in page
    stock = BertForSequenceClassification.from_pretrained(tmp_path / "run")
    assert (stock.config.num_hidden_layers, stock.config.problem_type) == (1, KINDS[kind])
    # The teacher's answers are not computed again.
    distilled(home, kind, tmp_path / "again", student_layers=1, unlabelled=more, hidden_weight=0, max_steps=1)
    assert "teacher: 0 answers computed, " in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["several", pytest.param("ratings", marks=pytest.mark.slow)])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(kind, home, tmp_path, capsys):
    steps = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "student_layers": 2}
    distilled(home, kind, tmp_path / "run", **steps)
    whole = load_file(tmp_path / "run" / "model.safetensors")
    shutil.rmtree(tmp_path / "run" / "checkpoint-4")
    (tmp_path / "run" / "model.safetensors").unlink()
    distilled(home, kind, tmp_path / "run", **steps)
    assert "checkpoint-2" in capsys.readouterr().out
    again = load_file(tmp_path / "run" / "model.safetensors")
    assert all(again[name].equal(whole[name]) for name in whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stock_folder_teaches(kind, home, tmp_path):
    """With its labels in another order; of a rating its config need not say so: stock takes one number for that."""
    torch.manual_seed(0)
    labels = {"id2label": {0: "good", 1: "bad"}, "label2id": {"good": 0, "bad": 1}}
    named = {**labels, "problem_type": KINDS[kind]} if kind == "several" else {"num_labels": 1}
    config = BertConfig(**SIZES, **named, num_hidden_layers=2, max_position_embeddings=32)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "stock")
    AutoTokenizer.from_pretrained(home / "base").save_pretrained(tmp_path / "stock")
    more = {"teacher": tmp_path / "stock", "student_layers": 1, "max_steps": 1}
    distilled(home, kind, tmp_path / "run", **more, learning_rate=0, weight_decay=0)
    student = BertForSequenceClassification.from_pretrained(tmp_path / "run")
    teacher = BertForSequenceClassification.from_pretrained(tmp_path / "stock")
    order = [teacher.config.label2id[name] for name in student.config.label2id] if kind == "several" else [0]
    assert student.classifier.weight.equal(teacher.classifier.weight[order])
    assert Teacher(str(tmp_path / "stock")).kind == KINDS[kind]


def test_who_names_the_error_ends_with_the_least_of_it(home, tmp_path):
    by_epoch = {"eval_strategy": "epoch", "learning_rate": 3e-2}
    distilled(home, "ratings", tmp_path / "run", student_layers=1, metric_for_best_model="rmse", **by_epoch)
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    errors = [one["eval_rmse"] for one in told["log_history"] if "eval_rmse" in one]
    assert min(errors) < max(errors)
    assert told["metrics"]["validation"]["rmse"] == pytest.approx(min(errors), rel=1e-4)


def test_many_labels_are_taught_as_few_are(home, tmp_path):
    """Of more than 100 a row has the ids of its labels, and a batch what they stand for."""
    names = [f"l{number}" for number in range(101)]
    found = [{"text": one["text"], "label": [names[i % 101], "l7"]} for i, one in enumerate(rows("several", 400, 3))]
    found = [{**one, "label": sorted(set(one["label"]))} for one in found]
    torch.manual_seed(0)
    config = BertConfig(**SIZES, num_hidden_layers=2, max_position_embeddings=32, problem_type=KINDS["several"])
    config.update({"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}})
    BertForSequenceClassification(config).save_pretrained(tmp_path / "stock")
    AutoTokenizer.from_pretrained(home / "base").save_pretrained(tmp_path / "stock")
    more = lines(tmp_path / "more.jsonl", [{"text": "good bad"}])
    rest = {"teacher": tmp_path / "stock", "dataset": lines(tmp_path / "many.jsonl", found), "unlabelled": more}
    distilled(home, "several", tmp_path / "run", **rest, student_layers=1, max_steps=2)
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["distilled"]
    assert told["figure"] == "f1_micro"


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("ratings", {"temperature": 2}, "temperature is 2, and ratings are learned as the numbers they are"),
        ("ratings", {"teacher": "several"}, "answers with any number of labels a row, and the data have a rating"),
        (
            "several",
            {"teacher": "ratings"},
            "answers with a rating of each row, and the data have any number of labels",
        ),
        ("several", {"label_smoothing_factor": 0.1}, "distill has no label_smoothing_factor"),
        ("several", {"model": "base", "student_layers": 1}, "student_layers is of a student .* and model says another"),
    ],
)
def test_what_can_not_be_is_refused(kind, settings, says, home, tmp_path):
    places = {"several": home / "teacher-several", "ratings": home / "teacher-ratings", "base": home / "base"}
    with pytest.raises(UserError, match=says):
        distilled(home, kind, tmp_path / "run", **{name: places.get(one, one) for name, one in settings.items()})
