"""Processes whose last batches hold unequal numbers of rows, or none, compute what one process does."""

import math

import pytest
import torch
import uneven_runs
from oracles import PARITY, same_to_rounding
from process_runs import launch
from torch.nn import functional as F


@pytest.mark.distributed
def test_two_uneven_processes_have_the_gradients_and_losses_of_one(tmp_path):
    """Masked words with next sentences, tags, answers and texts in windows."""
    done = launch("uneven", tmp_path, 2, script=uneven_runs.__file__)
    assert done.returncode == 0, done.stderr[-3000:]
    two = torch.load(tmp_path / "found-0.pt")
    for kind in uneven_runs.KINDS:
        one = uneven_runs.run(kind, tmp_path / "alone", 1)
        assert len(one["gradients"]) == len(two[kind]["gradients"]) == 2
        for alone, together in zip(one["gradients"], two[kind]["gradients"], strict=True):
            same_to_rounding(together, alone, PARITY, what=kind)
        assert two[kind]["losses"] == pytest.approx(one["losses"], rel=1e-5), kind
        assert two[kind]["eval_loss"] == pytest.approx(one["eval_loss"], rel=1e-5), kind


@pytest.mark.parametrize(("batch", "accumulation"), [(8, 1), (2, 4), (1, 8)])
def test_a_loss_of_answers_is_a_mean_over_their_ends_however_the_step_is_cut(tmp_path, batch, accumulation):
    """Where all texts hold their answers, that is the mean of both ends' means, as stock has it."""
    options = {"gradient_accumulation_steps": accumulation}
    trainer = uneven_runs.make("answers", tmp_path, 1, **options)
    trainer.args.per_device_train_batch_size = trainer._train_batch_size = batch
    trainer.train_dataset = rows = uneven_runs.answers(8, 0)
    losses, ends = 0.0, 0
    with torch.no_grad():
        for row in rows:
            out = trainer.model.eval()(row["input_ids"].unsqueeze(0))
            for logits, name in ((out.start_logits, "start_positions"), (out.end_logits, "end_positions")):
                if row[name] < len(row["input_ids"]):
                    losses += float(F.cross_entropy(logits, row[name].unsqueeze(0)))
                    ends += 1
    trainer.train()
    assert ends == 11  # of 16
    logged = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    assert logged == pytest.approx(losses / ends, rel=1e-5)
    trainer.eval_dataset, trainer.args.per_device_eval_batch_size = rows, batch
    assert trainer.evaluate()["eval_loss"] == pytest.approx(losses / ends, rel=1e-5)
    assert math.isfinite(logged)
