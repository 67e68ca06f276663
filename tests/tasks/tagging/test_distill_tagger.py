"""A small tagger that learns from a large one, on texts without tags too."""

import json
from pathlib import Path

import distill
import numpy as np
import pytest
import tag_bert
import torch
from transformers import AutoModelForTokenClassification, BertConfig, BertModel, BertTokenizer

from hf_xfmr.errors import UserError

NAMES = ["ann", "bob", "eve", "max"]
WORDS = [*"abcdefghijklmnopqrstuvwxyz", *NAMES]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
QUIET = ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none", "--baseline", "none"]


def flags(settings: dict) -> list[str]:
    return [*(str(one) for name, value in settings.items() for one in (f"--{name}", value)), *QUIET]


def sentences(count: int, seed: int, kind: str = "PER") -> list[list[tuple[str, str]]]:
    """Of letters, of 3 to 12 words, with a name in it, so that batches are padded."""
    draw, found = np.random.default_rng(seed), []
    for _ in range(count):
        words = [(str(one), "O") for one in draw.choice(WORDS[:26], draw.integers(2, 12))]
        words.insert(int(draw.integers(len(words))), (str(draw.choice(NAMES)), f"B-{kind}"))
        words.insert(int(draw.integers(len(words))), ("bob", f"B-{kind}"))
        found.append(words)
    found[0] = [("ann", f"B-{kind}"), ("bob", f"I-{kind}"), ("a", "O")]
    return found


def corpus(path: Path, found) -> Path:
    text = "\n\n".join("\n".join(f"{word} {tag}" for word, tag in one) for one in found)
    path.write_text(text + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Tagged sentences, and a teacher of three blocks that has learned them."""
    home = tmp_path_factory.mktemp("distill_tagger")
    torch.manual_seed(0)
    sizes = {"vocab_size": len(TOKENS), "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(**sizes, num_hidden_layers=3, max_position_embeddings=32)).save_pretrained(home / "base")
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(TOKENS)}, model_max_length=32)
    tokenizer.save_pretrained(home / "base")
    settings = {
        "dataset": corpus(home / "rows.conll", sentences(160, 0)),
        "model": home / "base",
        "num_train_epochs": 5,
    }
    settings |= {"learning_rate": 1e-2, "per_device_train_batch_size": 16, "eval_strategy": "no"}
    tag_bert.main(flags({**settings, "output_dir": home / "teacher"}))
    return home


def distilled(home: Path, folder: Path, **more) -> dict:
    settings = {"teacher": home / "teacher", "dataset": home / "rows.conll", "output_dir": folder, "max_steps": 30}
    settings |= {"learning_rate": 2e-3, "per_device_train_batch_size": 16, "eval_strategy": "no"}
    return distill.main(flags({**settings, **more}))


def test_a_tagger_of_one_block_keeps_what_its_teacher_knows(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    more = tmp_path / "more.csv"
    more.write_text("text\n" + "\n".join(" ".join(word for word, _ in one) for one in sentences(40, 7)), "utf-8")
    found = distilled(home, tmp_path / "run", student_layers=1, unlabelled=more)
    said = capsys.readouterr().out
    assert "student: block 3 of the teacher's 3" in said
    assert "unlabelled: 39 of 40 texts" in said  # one is of the data
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["distilled"]
    assert found["test"]["f1"] == told["student"]["f1"] > 0.8
    assert told["kept"] == told["student"]["f1"] / told["teacher"]["f1"]
    assert "): f1 " in said
    assert "Student and teacher" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    stock = AutoModelForTokenClassification.from_pretrained(tmp_path / "run")
    assert stock.config.num_hidden_layers == 1
    # The teacher's answers are not computed again.
    distilled(home, tmp_path / "again", student_layers=1, unlabelled=more, hidden_weight=0, max_steps=1)
    assert "teacher: 0 answers computed, " in capsys.readouterr().out


def test_what_is_taught_is_what_the_teacher_says_of_tokens_alone(home):
    """Of a padded batch: a row's answers are those of it alone, and neither padding nor special tokens count."""
    teacher = distill.tagger.Teacher(str(home / "teacher"))
    rows = [[2, *range(5, 9), 3], [2, 10, 3]]
    said = list(teacher.logits(rows, teacher.labels, bf16=False))
    made = [
        {"input_ids": row, "labels": [-100, *[label] * (len(row) - 2), -100], "sentence": place, "teacher_logits": one}
        for (place, label), row, one in zip([(0, 0), (-1, -100)], rows, [one.ravel() for one in said], strict=True)
    ]
    batch = distill.tagger._Collator(teacher.tokenizer, len(teacher.labels))(made)
    assert batch["taught"].tolist() == [[False, *[True] * 4, False], [False, True, *[False] * 4]]
    expected = teacher.model(input_ids=torch.tensor(rows[:1])).logits[0, 1:-1]
    torch.testing.assert_close(batch["teacher_logits"][0, 1:-1], expected, atol=1e-5, rtol=1e-5)
    assert batch["teacher_logits"][1, 1].tolist() == pytest.approx(said[1][0].tolist())


def test_a_teacher_of_other_tags_is_refused(home, tmp_path):
    other = corpus(tmp_path / "other.conll", sentences(60, 1, "LOC"))
    with pytest.raises(UserError, match=r"teacher: .* tags with .*B-PER.*, and the data have .*B-LOC"):
        distilled(home, tmp_path / "run", dataset=other, student_layers=1)


def test_a_student_of_other_tokens_is_refused(home, tmp_path):
    BertModel.from_pretrained(home / "base").save_pretrained(tmp_path / "base")
    words = [*TOKENS[:-2], "max", "eve"]
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)}, model_max_length=32)
    tokenizer.save_pretrained(tmp_path / "base")
    with pytest.raises(UserError, match=r"has other tokens than the teacher .*, which answers for each of its own"):
        distilled(home, tmp_path / "run", model=tmp_path / "base")
