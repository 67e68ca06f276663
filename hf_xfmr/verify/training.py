"""Training with the model's trainer (XfmrTrainer, or for the stock class transformers' own): what a step computes does
not depend on how its batch is cut, an evaluation not on the batch size, and a resumed run ends as an uninterrupted
one."""

import contextlib
import io
import shutil
from pathlib import Path

import torch
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback

from ..training import XfmrTrainer, XfmrTrainingArguments
from .batches import Collator, rows_of
from .forward import GRADIENT_TOLERANCE, TOLERANCE, gradient_difference
from .outcome import Inapplicable, Outcome, difference
from .rows import Rows
from .subject import Subject

MOST_WRITTEN = 8e9  # bytes of checkpoints: more would take longer than one waits for a check


def _trainer(subject: Subject, rows: list[dict], folder: Path, *, model=None, **options) -> Trainer:
    trainer_class, arguments_class = (
        (Trainer, TrainingArguments) if subject.is_stock else (XfmrTrainer, XfmrTrainingArguments)
    )
    args = arguments_class(
        str(folder),
        use_cpu=True,
        bf16=False,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        eval_strategy="no",
        seed=1,
        **{"save_strategy": "no", "lr_scheduler_type": "constant", **options},
    )
    trainer = trainer_class(
        subject.model if model is None else model,
        args,
        train_dataset=rows,
        eval_dataset=rows,
        data_collator=Collator(subject),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


class _Gradients(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.found: dict[str, Tensor] = {
            name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
        }


def accumulation(subject: Subject, rows: Rows) -> Outcome:
    """The gradients of one step over 8 rows, at once and one by one."""
    subject.needs(copies=3)
    eight, found = rows_of(subject, rows)[:8], []
    for size in (1, 8):
        trainer = _trainer(
            subject,
            eight,
            subject.scratch / f"batch-{size}",
            per_device_train_batch_size=size,
            gradient_accumulation_steps=8 // size,
            max_steps=1,
            learning_rate=0.0,  # the weights stay
            optim="sgd",
            max_grad_norm=1e30,  # not clipped
        )
        gradients = _Gradients()
        trainer.add_callback(gradients)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                trainer.train()
        finally:
            subject.model.zero_grad()
            subject.model.eval()
        found.append(gradients.found)
    return Outcome(gradient_difference(*found), GRADIENT_TOLERANCE)


def evaluation(subject: Subject, rows: Rows) -> Outcome:
    """The loss that `evaluate` gives for all rows, the last batch of 8 being a short one."""
    losses = []
    for size in (1, 8):
        trainer = _trainer(
            subject,
            rows_of(subject, rows),
            subject.scratch / "evaluation",
            per_device_eval_batch_size=size,
            prediction_loss_only=True,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            losses.append(torch.tensor(trainer.evaluate()["eval_loss"]))
    return Outcome(difference(losses[:1], losses[1:]), TOLERANCE)


def resuming(subject: Subject, rows: Rows) -> Outcome:
    """The weights after four steps with dropout, and after the last two of them, resumed from a checkpoint."""
    subject.needs(copies=5, disk=7)
    if (wanted := 6 * 4 * subject.parameters) > MOST_WRITTEN:
        raise Inapplicable(f"resuming, which would write {wanted / 1e9:,.0f} GB of checkpoints")
    whole, cut = subject.scratch / "uninterrupted", subject.scratch / "resumed"
    common = {
        "per_device_train_batch_size": 2,
        "max_steps": 4,
        "learning_rate": 1e-3,
        "save_strategy": "steps",
        "save_steps": 2,
    }
    ends: list[list[Tensor]] = []
    for folder, source in ((whole, None), (cut, str(cut / "checkpoint-2"))):
        if source is not None:
            shutil.copytree(whole / "checkpoint-2", source)
            shutil.rmtree(whole)
        set_seed(len(ends))  # what a resumed run draws must come from its checkpoint
        model = subject.load()
        trainer = _trainer(subject, rows_of(subject, rows)[:8], folder, model=model, **common)
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train(resume_from_checkpoint=source)
        ends.append([one.detach() for one in model.parameters()])
    shutil.rmtree(cut)
    same = difference(*ends) if any(not torch.equal(a, b) for a, b in zip(*ends, strict=True)) else 0.0
    return Outcome(same, 0.0)
