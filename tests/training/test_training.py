"""The trainer's own promises, each beside what transformers' Trainer does: exact losses, a stop at what is not finite,
figures in the log."""

import json
import math
import re
import sys

import pytest
import torch
import transformers
from oracles import TINY, same_to_rounding, tiny_stock, twin
from torch.nn import functional as F
from training_runs import make_trainer, rows

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.run import program
from hf_xfmr.training import XfmrTrainer, XfmrTrainingArguments
from hf_xfmr.training.nonfinite import NonFiniteError

LENGTHS = [3, 20, 4, 11, 2, 7, 16, 5]


def texts() -> list[dict]:
    random = torch.Generator().manual_seed(0)
    return [{"input_ids": torch.randint(1, 90, (length,), generator=random)} for length in LENGTHS]


def padded_left(batch: list[dict]) -> dict:
    """Labels are the ids, the first token of a row too, as most collators give them."""
    ids = [row["input_ids"] for row in batch]

    def pad(tensors, value):
        return torch.nn.utils.rnn.pad_sequence(tensors, True, value, padding_side="left")

    return {
        "input_ids": pad(ids, 0),
        "position_ids": pad([torch.arange(len(one)) for one in ids], 0),
        "attention_mask": pad([torch.ones_like(one) for one in ids], 0),
        "labels": pad(ids, -100),
    }


def language_trainer(folder, model, batch: int, accumulation: int, trainer_class=XfmrTrainer, **options):
    arguments_class = XfmrTrainingArguments if trainer_class is XfmrTrainer else transformers.TrainingArguments
    settings = {
        "use_cpu": True,
        "bf16": False,
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": batch,
        "gradient_accumulation_steps": accumulation,
        "max_steps": 1,
        "learning_rate": 0.0,
        "max_grad_norm": 0.0,
        "logging_steps": 1,
        "eval_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "prediction_loss_only": True,
    }
    args = arguments_class(str(folder), **settings | options)
    return trainer_class(model, args, train_dataset=texts(), eval_dataset=texts(), data_collator=padded_left)


def causal_model(**config):
    stock = tiny_stock(transformers.GPT2LMHeadModel, **config)
    return twin(hf_xfmr.XfmrGPT2ForCausalLM, stock)


def reference(model, smoothing: float = 0.0) -> float:
    """Mean loss of a word after another within a row, float64, one row at a time."""
    model = model.double().eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for row in texts():
            ids = row["input_ids"]
            logits = model(input_ids=ids[None]).logits[0, :-1].double()
            total += float(F.cross_entropy(logits, ids[1:], reduction="sum", label_smoothing=smoothing))
            count += len(ids) - 1
    model.float()
    return total / count


def first_loss(trainer) -> float:
    trainer.train()
    return next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(("batch", "accumulation"), [(8, 1), (2, 4), (1, 8)])
def test_a_language_models_loss_is_the_mean_over_predicted_tokens(tmp_path, batch, accumulation, smoothing):
    model = causal_model()
    expected, likelihood = reference(model, smoothing), reference(model)
    trainer = language_trainer(tmp_path, model, batch, accumulation, label_smoothing_factor=smoothing)
    assert first_loss(trainer) == pytest.approx(expected, rel=1e-5)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(likelihood, rel=1e-5)  # not smoothed


def test_stock_counts_tokens_that_its_loss_is_not_over(tmp_path):
    """The same rows: GPT2LMHeadModel in transformers' Trainer divides by the first token of each row too."""
    stock = tiny_stock(transformers.GPT2LMHeadModel)
    expected = reference(stock)
    losses = {
        (batch, accumulation): first_loss(language_trainer(tmp_path, stock, batch, accumulation, transformers.Trainer))
        for batch, accumulation in [(8, 1), (1, 8)]
    }
    assert all(abs(loss - expected) > 0.01 * expected for loss in losses.values())
    one_by_one = language_trainer(tmp_path, stock, 1, 8, transformers.Trainer).evaluate()["eval_loss"]
    assert abs(one_by_one - expected) > 0.01 * expected
    # In ours it is right where its own loss is: without padding, which it would predict on the left.
    ours = language_trainer(tmp_path, stock, 1, 8)
    assert first_loss(ours) == pytest.approx(expected, rel=1e-5)
    assert ours.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-5)


def gradients(folder, model, batch: int, accumulation: int, trainer_class, arguments_class) -> torch.Tensor:
    found = {}

    class Take(transformers.TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
            found["all"] = torch.cat([p.grad.flatten().clone() for p in model.parameters() if p.grad is not None])

    trainer = make_trainer(
        folder,
        model=model,
        trainer_class=trainer_class,
        arguments_class=arguments_class,
        train_rows=rows(8),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        max_steps=1,
        learning_rate=0.0,
        max_grad_norm=0.0,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
    )
    trainer.add_callback(Take())
    trainer.train()
    return found["all"]


def test_a_classifiers_gradient_does_not_depend_on_accumulation_as_stocks_does(tmp_path):
    stock = tiny_stock(transformers.BertForSequenceClassification, num_labels=2)
    ours = twin(hf_xfmr.XfmrBertForSequenceClassification, stock)
    kinds = (XfmrTrainer, XfmrTrainingArguments)
    whole, parts = (gradients(tmp_path, ours, *cut, *kinds) for cut in [(8, 1), (2, 4)])
    same_to_rounding(parts, whole)
    kinds = (transformers.Trainer, transformers.TrainingArguments)
    whole, parts = (gradients(tmp_path, stock, *cut, *kinds) for cut in [(8, 1), (2, 4)])
    assert float(parts.norm() / whole.norm()) == pytest.approx(4.0, rel=0.01)


def test_label_smoothing_does_not_silently_leave_out_class_weights(tmp_path):
    config = hf_xfmr.XfmrBertConfig(**TINY["bert"], problem_type="single_label_classification")
    config.class_weights = [1.0, 3.0]
    model = hf_xfmr.XfmrBertForSequenceClassification(config)
    with pytest.raises(UserError, match="label_smoothing_factor would leave out class_weights"):
        make_trainer(tmp_path, model=model, label_smoothing_factor=0.1)


class Poison(torch.nn.Module):
    """A model whose loss, or gradient alone, is not finite in batches that hold a certain token."""

    def __init__(self, model, token: int, where: str):
        super().__init__()
        self.model, self.token, self.where, self.config = model, token, where, model.config

    def forward(self, input_ids, attention_mask, labels=None, num_items_in_batch=None):
        out = self.model(input_ids, attention_mask, labels=labels, num_items_in_batch=num_items_in_batch)
        if self.training and (input_ids == self.token).any():
            # the root of 0 is finite, its slope is not
            weight = self.model.classifier.bias.sum()
            out.loss = out.loss * math.nan if self.where == "loss" else out.loss + (weight * 0).abs().sqrt()
        return out


TOKEN = 95  # which `rows` never draws


def poisoned(folder, where: str, bad=(3,), **options):
    train = rows(60)
    for row in bad:
        train[row]["input_ids"][0] = TOKEN
    stock = tiny_stock(transformers.BertForSequenceClassification, num_labels=2)
    model = Poison(twin(hf_xfmr.XfmrBertForSequenceClassification, stock), TOKEN, where)
    common = {"eval_strategy": "no", "load_best_model_at_end": False, "save_steps": 1, "max_steps": 15}
    return make_trainer(folder, model=model, train_rows=train, **common | options)


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_stops_the_run_and_names_step_rows_and_checkpoint(tmp_path, where, accumulation):
    trainer = poisoned(tmp_path, where, gradient_accumulation_steps=accumulation, max_steps=15 // accumulation)
    with pytest.raises(NonFiniteError) as stop:
        trainer.train()
    step, what, named = re.match(r"step (\d+): (.*), with rows (.*) of the train split", str(stop.value)).groups()
    named = [int(row) for row in named.split(", ")]
    assert 3 in named
    assert len(named) == (4 if where == "loss" else 4 * accumulation)  # the loss tells which batch it was
    assert what.startswith("the loss is nan" if where == "loss" else "the gradient's norm is")
    assert f"the last good checkpoint is {tmp_path / f'checkpoint-{int(step) - 1}'}" in str(stop.value)
    assert trainer.state.global_step == int(step) - 1
    assert all(p.isfinite().all() for p in trainer.model.parameters())


def test_a_resumed_run_stops_at_the_same_rows(tmp_path):
    messages = []
    for _ in range(2):
        with pytest.raises(NonFiniteError) as stop:
            poisoned(tmp_path, "loss").train(resume_from_checkpoint=True)
        messages.append(str(stop.value))
    assert messages[0] == messages[1]


def test_batches_can_be_left_out_counted_and_without_a_trace_in_weights_or_losses(tmp_path, caplog):
    trainer = poisoned(tmp_path, "loss", bad=(3, 40), skip_nonfinite=2, logging_steps=1)
    trainer.train()
    history = trainer.state.log_history
    assert [entry["skipped_steps"] for entry in history if "skipped_steps" in entry] == [1, 2]
    assert trainer.state.global_step == 15
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert len(losses) == 13
    assert all(map(math.isfinite, losses))
    assert all(p.isfinite().all() for p in trainer.model.parameters())
    assert int(next(iter(trainer.optimizer.state.values()))["step"]) == 13
    with pytest.raises(NonFiniteError):
        poisoned(tmp_path / "one", "loss", bad=(3, 40), skip_nonfinite=1).train()


def test_stock_goes_on_with_weights_that_are_gone(tmp_path):
    stock = {"trainer_class": transformers.Trainer, "arguments_class": transformers.TrainingArguments}
    trainer = poisoned(tmp_path, "loss", **stock)
    trainer.train()
    assert not all(p.isfinite().all() for p in trainer.model.parameters())
    assert all(math.isfinite(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)


def test_the_log_has_rate_norm_memory_and_speed_and_tensorboard_has_them_too(tmp_path):
    steps = {"num_train_epochs": 1, "eval_steps": 5, "save_steps": 5}
    trainer = make_trainer(tmp_path, report_to=None, include_num_input_tokens_seen="non_padding", **steps)
    trainer.train()
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(entries) == 3
    for entry in entries:
        assert {"learning_rate", "grad_norm", "tokens_per_second"} <= entry.keys()
        assert 0.05 < entry["memory_gb"] < 100
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {
        "train/loss",
        "train/learning_rate",
        "train/grad_norm",
        "train/tokens_per_second",
        "train/memory_gb",
    } <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [5, 10, 15]


def test_a_short_run_logs_enough_for_a_curve_and_what_is_said_stays(tmp_path):
    def logged(name, **options):
        trainer = make_trainer(tmp_path / name, num_train_epochs=1, save_strategy="no", eval_strategy="no",
                               load_best_model_at_end=False, **options)  # fmt: skip
        trainer.train()
        return [entry["step"] for entry in trainer.state.log_history if "loss" in entry]

    assert logged("left-out", logging_steps=None) == list(range(1, 16))
    assert logged("said", logging_steps=25) == []
    assert logged("long", logging_steps=None, max_steps=45) == list(range(2, 45, 2))


def test_the_progress_bar_is_one_line_with_loss_speed_and_time_left(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal would cut the line's end off
    monkeypatch.setenv("LINES", "50")
    common = {"disable_tqdm": False, "include_num_input_tokens_seen": "non_padding", "lr_scheduler_type": "constant"}
    make_trainer(tmp_path, max_steps=6, **common).train()
    shown = capsys.readouterr().err
    last = [line for line in shown.replace("\r", "\n").splitlines() if "6/6 [" in line][-1]
    assert re.search(r"6/6 \[\d\d:\d\d<\d\d:\d\d.*loss=0\.\d+, tokens/s=[\d,.e+]+.*\]", last), last
    assert "{'loss'" not in shown
    trainer = make_trainer(tmp_path, max_steps=12, **common)
    trainer.train(resume_from_checkpoint=True)
    first = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[0]
    assert "6/12" in first  # where it was, so that the time left is right


def test_a_writer_out_of_space_is_one_line(tmp_path, capsys):
    def full():
        with open("/dev/full", "w") as file:
            json.dump([1] * 10_000, file)

    with pytest.raises(SystemExit) as end:
        program.run(full)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: No space left on device")
    assert error.count("\n") == 1


def test_an_evaluation_in_bfloat16_casts_each_weight_once(tmp_path):
    """transformers' casts them for each batch."""
    casts = {}
    for trainer_class in (transformers.Trainer, XfmrTrainer):
        arguments_class = XfmrTrainingArguments if trainer_class is XfmrTrainer else transformers.TrainingArguments
        trainer = make_trainer(
            tmp_path,
            trainer_class=trainer_class,
            arguments_class=arguments_class,
            bf16=True,
            per_device_eval_batch_size=2,
        )
        weight = trainer.model.bert.blocks[0].feed_forward.up.weight
        trainer.evaluate(rows(2))
        with torch.profiler.profile(record_shapes=True) as run:
            trainer.evaluate(rows(8))
        casts[trainer_class] = sum(
            event.name == "aten::_to_copy" and event.input_shapes[0] == list(weight.shape) for event in run.events()
        )
    assert casts[XfmrTrainer] == 2  # in two blocks
    assert casts[transformers.Trainer] == 2 * 4  # in four batches
