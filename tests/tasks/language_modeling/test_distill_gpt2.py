"""A small GPT-2 that learns from a large one, ours or stock."""

import json
from pathlib import Path
from types import SimpleNamespace

import distill
import finetune_gpt2
import numpy as np
import pytest
import torch
from small_checkpoints import said
from torch.nn import functional as F
from transformers import GPT2LMHeadModel

import hf_xfmr
from hf_xfmr.export import export
from hf_xfmr.models.losses import next_tokens
from hf_xfmr.tasks.language_modeling import distill as language
from hf_xfmr.training.distillation import soft_loss, states_loss

WORDS = ["spring", "sleep", "birds", "the", "quick", "fox"]
QUIET = ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none", "--sample_every", "0"]
QUIET += ["--eval_strategy", "no", "--save_strategy", "no", "--load_best_model_at_end", "false", "--lines", "true"]


def flags(**settings) -> list[str]:
    return [*(str(one) for name, value in settings.items() for one in (f"--{name}", value)), *QUIET]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A hundred texts, and a teacher of three blocks that has learned them; the same as stock writes it."""
    home, draw = tmp_path_factory.mktemp("distill"), np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS, draw.integers(2, 9))) for _ in range(100)]
    (home / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    sizes = json.dumps({"n_positions": 32, "n_layer": 3, "n_head": 2, "n_embd": 16})
    learning = {"max_steps": 120, "learning_rate": 1e-2, "per_device_train_batch_size": 8}
    finetune_gpt2.main(
        flags(dataset=home / "texts.txt", tokenizer="char", model_config=sizes, output_dir=home / "teacher", **learning)
    )
    return home


def student(home: Path, folder: Path, **settings) -> dict:
    given = {"teacher": home / "teacher", "dataset": home / "texts.txt", "learning_rate": 1e-2, "max_steps": 60}
    if not {"model", "model_config"} & settings.keys():
        given["student_layers"] = 1
    distill.main(flags(**{**given, "output_dir": folder, **settings}))
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_a_student_of_one_block_keeps_much_of_its_teacher(home, tmp_path, capsys):
    record = student(home, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "student: block 3 of the teacher's 3" in printed
    told = record["distilled"]
    assert record["metrics"]["validation"]["perplexity"] == pytest.approx(told["student"]["perplexity"], rel=1e-4)
    assert told["student"]["perplexity"] < 1.5 * told["teacher"]["perplexity"] < 12
    assert told["kept"] == told["teacher"]["perplexity"] / told["student"]["perplexity"]
    assert told["unit"] == "tokens"
    assert "tokens/s" in printed
    assert "Student and teacher" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    loaded = hf_xfmr.XfmrGPT2ForCausalLM.from_pretrained(tmp_path / "run")
    assert loaded.config.n_layer == 1


def test_stock_teaches_a_new_student(home, tmp_path):
    folder, _ = export(home / "teacher", out=tmp_path / "stock")
    whole = GPT2LMHeadModel.from_pretrained(folder)
    sizes = json.dumps({"n_positions": 24, "n_layer": 1, "n_head": 1, "n_embd": 8})
    record = student(home, tmp_path / "run", teacher=folder, model_config=sizes, max_steps=2, label_share=0)
    assert record["distilled"]["student"]["parameters"] < whole.num_parameters()


def batch(tokens: int) -> dict[str, torch.Tensor]:
    """Two rows: two packed texts and a shorter one with padding."""
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(tokens, (2, 12), generator=draw)
    positions = torch.tensor([[0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0]])
    mask = torch.tensor([[1] * 12, [1] * 7 + [0] * 5])
    labels = ids.masked_fill(positions == 0, -100)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}


@pytest.mark.parametrize("held", [1, 2**23])
def test_the_loss_of_a_packed_batch_is_that_of_each_text_alone(home, held, monkeypatch):
    monkeypatch.setattr(language, "HELD", held)
    teacher = hf_xfmr.XfmrGPT2ForCausalLM.from_pretrained(home / "teacher", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    config = hf_xfmr.XfmrGPT2Config(**{**teacher.config.to_dict(), "n_layer": 2})
    torch.manual_seed(0)
    model = hf_xfmr.XfmrGPT2ForCausalLM(config).train()
    model.layers_of_teacher = [0, 2]
    given = batch(config.vocab_size)
    trainer = object.__new__(language.StudentTrainer)
    trainer.settings = SimpleNamespace(temperature=2.0, label_share=0.25, hidden_weight=0.5)
    trainer.teacher, trainer.args = teacher.eval(), SimpleNamespace(gradient_accumulation_steps=1)
    trainer.autocast_smart_context_manager = lambda: torch.autocast("cpu", enabled=False)
    loss = trainer.compute_loss(model, given)
    loss.backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters()}
    model.zero_grad()

    pieces = [given["input_ids"][0, :5], given["input_ids"][0, 5:], given["input_ids"][1, :7]]
    own, wanted, labels, states = [], [], [], []
    for ids in pieces:
        here = model(ids[None], output_hidden_states=True)
        with torch.no_grad():
            there = teacher(ids[None], output_hidden_states=True)
        targets = next_tokens(ids[None])[0]
        known = targets != -100
        own.append(here.logits[0][known]), wanted.append(there.logits[0][known]), labels.append(targets[known])
        states.append((here.hidden_states, there.hidden_states))
    expected = 0.75 * soft_loss(torch.cat(own), torch.cat(wanted), 2.0)
    expected = expected + 0.25 * F.cross_entropy(torch.cat(own), torch.cat(labels))
    joined = [
        [torch.cat([piece[side][layer] for piece in states], 1) for layer in range(n)] for side, n in ((0, 3), (1, 4))
    ]
    expected = expected + 0.5 * states_loss(*joined, [0, 2], None)
    expected.backward()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for name, one in model.named_parameters():
        torch.testing.assert_close(found[name], one.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"student_layers": 3}, "student_layers is 3; the teacher has 3, so it must be from 1 to 2"),
        ({"tokenizer": "char"}, "distill has no tokenizer: leave it out"),
        ({"temperature": 0}, "temperature is 0.0; it must be above 0"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings, says, home, tmp_path, capsys):
    assert says in said(capsys, lambda: student(home, tmp_path / "run", **settings))
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_checkpoint_with_other_words_is_refused(home, tmp_path, capsys):
    other = tmp_path / "other.txt"
    other.write_text("\n".join(["zebra xylophone"] * 20), encoding="utf-8")
    sizes = json.dumps({"n_positions": 32, "n_layer": 1, "n_head": 2, "n_embd": 16})
    finetune_gpt2.main(
        flags(
            dataset=other,
            tokenizer="char",
            model_config=sizes,
            max_steps=1,
            validation_fraction=0,
            output_dir=tmp_path / "m",
        )
    )
    assert "has other tokens than the teacher" in said(
        capsys, lambda: student(home, tmp_path / "run", model=tmp_path / "m")
    )
