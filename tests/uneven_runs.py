"""One epoch of each kind of labels, on processes whose last batches do not come out even: what its gradients are."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers
from torch.nn.utils.rnn import pad_sequence
from training_runs import make_trainer

import hf_xfmr
from hf_xfmr.tasks.classification.collate import ClassificationCollator

ROWS, EVALUATED, BATCH = 13, 11, 8  # in all: of two processes, the last batches have 4 and 1 rows, or 3 and none
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SIZES |= {"vocab_size": 99, "max_position_embeddings": 40}
SIZES |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def ids(count: int, seed: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 14, (count,), generator=random).tolist()
    return [torch.randint(5, 90, (length,), generator=random) for length in lengths]


def answers(count: int, seed: int) -> list[dict]:
    """Every fifth text has an answer that was cut off, every seventh one whose end was."""
    rows = []
    for number, row in enumerate(ids(count, seed)):
        start = 30 if number % 5 == 1 else number % len(row)
        end = 30 if number % 5 == 1 or number % 7 == 2 else len(row) - 1
        rows.append({"input_ids": row, "start_positions": torch.tensor(start), "end_positions": torch.tensor(end)})
    return rows


def masked(count: int, seed: int) -> list[dict]:
    return [
        {
            "input_ids": row,
            "labels": torch.where(torch.arange(len(row)) % (2 + number % 3) == 1, row, -100),
            "next_sentence_label": torch.tensor(number % 2),
        }
        for number, row in enumerate(ids(count, seed))
    ]


def tagged(count: int, seed: int) -> list[dict]:
    return [{"input_ids": row, "labels": row % 5} for row in ids(count, seed)]


def windowed(count: int, seed: int) -> list[dict]:
    """Texts of one to three windows."""
    return [
        {"windows": [row.tolist()] * (1 + number % 3), "labels": number % 3}
        for number, row in enumerate(ids(count, seed))
    ]


def pad(rows: list[dict]) -> dict[str, torch.Tensor]:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["attention_mask"] = [torch.ones_like(row["input_ids"]) for row in rows]
    return {
        name: pad_sequence(values, True, -100 if name == "labels" else 0) if values[0].dim() else torch.stack(values)
        for name, values in columns.items()
    }


windows = ClassificationCollator(SimpleNamespace(pad_token_id=0, pad_token_type_id=0, padding_side="right"))
KINDS: dict[str, tuple[type, Callable, Callable]] = {
    "answers": (hf_xfmr.XfmrBertForQuestionAnswering, answers, pad),
    "masked": (hf_xfmr.XfmrBertForPreTraining, masked, pad),
    "tagged": (hf_xfmr.XfmrBertForTokenClassification, tagged, pad),
    "windowed": (hf_xfmr.XfmrBertForSequenceClassification, windowed, windows),
}


class Gradients(transformers.TrainerCallback):
    def __init__(self):
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.steps.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})


def make(kind: str, folder: Path, processes: int, **options):
    """A trainer at a learning rate of 0."""
    model_class, rows, collate = KINDS[kind]
    labels = 3 if kind == "windowed" else 5
    torch.manual_seed(0)
    model = model_class(hf_xfmr.XfmrBertConfig(**SIZES, num_labels=labels))
    trainer = make_trainer(
        folder / kind,
        model=model,
        train_rows=rows(ROWS, 0),
        per_device_train_batch_size=BATCH // processes,
        per_device_eval_batch_size=BATCH // processes,
        num_train_epochs=1,
        learning_rate=0.0,
        max_grad_norm=0.0,
        logging_steps=1,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        prediction_loss_only=True,
        **options,
    )
    trainer.data_collator, trainer.eval_dataset = collate, rows(EVALUATED, 1)
    return trainer


def run(kind: str, folder: Path, processes: int) -> dict:
    """The gradients and losses of each step, and the evaluation loss."""
    trainer, gradients = make(kind, folder, processes), Gradients()
    trainer.add_callback(gradients)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"gradients": gradients.steps, "losses": losses, "eval_loss": trainer.evaluate()["eval_loss"]}


if __name__ == "__main__":
    found = {kind: run(kind, Path(sys.argv[2]), int(os.environ["WORLD_SIZE"])) for kind in KINDS}
    torch.save(found, Path(sys.argv[2]) / f"found-{os.environ['RANK']}.pt")
