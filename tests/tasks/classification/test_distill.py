"""A small classifier that learns from a large one: what it is made of, what it learns of, and what is said."""

import csv
import json
from pathlib import Path

import classify_bert
import distill
import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    ElectraConfig,
    ElectraForSequenceClassification,
)

from hf_xfmr.errors import UserError
from hf_xfmr.training.distillation import evenly, soft_loss

WORDS = [*"abcdefghijklmnopqrstuvwxyz", "good", "bad"]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SIZES = {"vocab_size": len(TOKENS), "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
QUIET = ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none", "--baseline", "false"]


def rows(count: int, seed: int) -> list[tuple[str, str]]:
    draw, found = np.random.default_rng(seed), []
    for number in range(count):
        words = [str(one) for one in draw.choice(WORDS[:26], 6)]
        words.insert(int(draw.integers(7)), ("good", "bad")[number % 2])
        found.append((" ".join(words), ("pos", "neg")[number % 2]))
    return found


def table(path: Path, found, header=("text", "label")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *found])
    return path


def flags(settings: dict) -> list[str]:
    return [*(str(one) for name, value in settings.items() for one in (f"--{name}", value)), *QUIET]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Labelled rows, and a teacher of four blocks that has learned them."""
    home = tmp_path_factory.mktemp("distill")
    torch.manual_seed(0)
    sizes = {**SIZES, "num_hidden_layers": 4, "max_position_embeddings": 32}
    BertModel(BertConfig(**sizes)).save_pretrained(home / "base")
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(TOKENS)}, model_max_length=32)
    tokenizer.save_pretrained(home / "base")
    data = table(home / "rows.csv", rows(200, 0))
    settings = {"dataset": data, "model": home / "base", "num_train_epochs": 6, "learning_rate": 5e-3}
    classify_bert.main(flags({**settings, "per_device_train_batch_size": 16, "output_dir": home / "teacher"}))
    return home


def distilled(home: Path, folder: Path, **more) -> dict:
    settings = {"teacher": home / "teacher", "dataset": home / "rows.csv", "output_dir": folder, "learning_rate": 2e-3}
    return distill.main(flags({**settings, "per_device_train_batch_size": 16, "num_train_epochs": 2, **more}))


def test_a_student_of_half_the_blocks_keeps_what_its_teacher_knows(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    more = table(tmp_path / "more.csv", [(text,) for text, _ in [*rows(50, 5), *rows(10, 0)]], ("review",))
    found = distilled(home, tmp_path / "run", unlabelled=more)
    said = capsys.readouterr().out
    assert "student: blocks 2 and 4 of the teacher's 4" in said
    assert "unlabelled: 50 of 60 texts" in said  # ten are those of the data
    assert "answers computed (`hf_xfmr cache` shows them)" in said
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["distilled"]
    assert found["test"]["accuracy"] == told["student"]["accuracy"] > 0.9
    assert told["kept"] == told["student"]["accuracy"] / told["teacher"]["accuracy"]
    assert told["student"]["parameters"] < told["teacher"]["parameters"]
    assert f"({told['split']}, {told['rows']} rows): accuracy" in said
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Student and teacher" in page
    assert f"a student, taught by {(home / 'teacher').name}" in page
    assert "distilled from `teacher` on" in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert f"{told['times']:.2f}×" in page
    stock = BertForSequenceClassification.from_pretrained(tmp_path / "run")
    assert stock.config.num_hidden_layers == 2
    # The teacher's answers are not computed again.
    distilled(home, tmp_path / "again", unlabelled=more, hidden_weight=0, max_steps=1)
    assert "teacher: 0 answers computed, " in capsys.readouterr().out


def test_a_student_is_its_teacher_before_it_learns(home, tmp_path):
    """All blocks but one kept, and nothing learned: embeddings, kept blocks and head are the teacher's."""
    distilled(home, tmp_path / "run", student_layers=3, max_steps=1, learning_rate=0, weight_decay=0)
    student = BertForSequenceClassification.from_pretrained(tmp_path / "run").state_dict()
    teacher = BertForSequenceClassification.from_pretrained(home / "teacher").state_dict()
    for own, of_teacher in enumerate(evenly(4, 3)):
        name = "bert.encoder.layer.{}.output.dense.weight"
        assert student[name.format(own)].equal(teacher[name.format(of_teacher)])
    assert student["classifier.weight"].equal(teacher["classifier.weight"])


def test_another_kind_of_model_teaches_a_new_student_by_its_answers(home, tmp_path, capsys):
    """An ELECTRA, whose labels stand in another order."""
    torch.manual_seed(0)
    config = ElectraConfig(
        **SIZES, embedding_size=16, num_hidden_layers=1, max_position_embeddings=32, id2label={0: "pos", 1: "neg"}
    )
    config.label2id = {"pos": 0, "neg": 1}
    ElectraForSequenceClassification(config).save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(home / "base").save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match="is of kind 'electra', whose blocks no student here can be made of: give the"):
        distilled(tmp_path, tmp_path / "no", teacher=tmp_path / "other", dataset=home / "rows.csv")
    found = distilled(
        tmp_path,
        tmp_path / "run",
        teacher=tmp_path / "other",
        dataset=home / "rows.csv",
        model=home / "base",
        max_steps=2,
    )
    assert 0 <= found["test"]["accuracy"] <= 1
    assert "student beside teacher (test" in capsys.readouterr().out


def test_the_loss_of_soft_answers_is_the_divergence_times_the_square():
    torch.manual_seed(0)
    own, wanted = torch.randn(5, 3), torch.randn(5, 3)
    p, q = (one.double().div(2).softmax(1) for one in (wanted, own))
    expected = 4 * (p * (p / q).log()).sum(1).mean()
    assert soft_loss(own, wanted, 2.0).item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("layers", "wanted", "expected"), [(6, 2, [2, 5]), (12, 4, [2, 5, 8, 11]), (5, 2, [1, 4])])
def test_blocks_are_taken_evenly_and_the_last_among_them(layers, wanted, expected):
    assert evenly(layers, wanted) == expected


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"student_layers": 4}, "student_layers is 4; the teacher has 4, so it must be from 1 to 3"),
        ({"temperature": 0}, "temperature is 0.0; it must be above 0"),
        ({"label_share": 2}, "label_share is 2.0; it must be from 0 to 1"),
        ({"few_labels": "true"}, "few_labels needs a checkpoint|distill has no few_labels"),
        ({"class_weights": "auto"}, "distill has no class_weights: leave it out"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings, says, home, tmp_path):
    with pytest.raises(UserError, match=says):
        distilled(home, tmp_path / "run", **settings)


def test_a_teacher_of_other_labels_is_refused(home, tmp_path):
    other = table(tmp_path / "other.csv", [(text, f"is {label}") for text, label in rows(60, 1)])
    with pytest.raises(UserError, match=r"teacher: .* answers with .*neg.*pos.*, and the data have .*is neg.*"):
        distilled(home, tmp_path / "run", dataset=other)


def test_unlabelled_texts_that_are_all_known_are_refused(home, tmp_path):
    known = table(tmp_path / "known.csv", [(text,) for text, _ in rows(20, 0)], ("text",))
    with pytest.raises(UserError, match="has no text that the data do not have: leave it out"):
        distilled(home, tmp_path / "run", unlabelled=known)
