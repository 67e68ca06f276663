"""A trial's own process: a recipe that runs as ever, watched; what it takes and how it ends is its own.

Its memory is given back when it ends, and where memory runs out it alone is killed. It ends with the process that
began it, too.
"""

import math
import os
import sys
import threading
from dataclasses import fields
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import datasets  # noqa: F401  heavy: had once by what all trials are forked from
import torch
from transformers import Trainer, TrainerCallback  # noqa: F401

from ..run import faults, recipes
from ..training.interrupts import Interrupted
from ..training.onlookers import watched_by
from ..training.pretrained import pretrained_within

PARTS = 4  # of a run, at the end of each of which it is compared with others
LOOKED_AT = 2_000  # rows whose lengths are looked at
DROPOUT = ("hidden_dropout_prob", "dropout", "resid_pdrop")  # of BERT, of DistilBERT and the Transformer, of GPT-2


class Ended(Exception):
    """A trial has shown what it was to show. It ends before its recipe would predict and write."""


def work(pipe: Connection, script: str, words: list[str], log: str, kind: str) -> None:
    """Run a recipe's script with `words`, its output into the file `log`. Of `kind` "look" it ends before its first
    step, with its facts; "trial": its evaluations are told, and it ends with its training; "run": it runs to its end.

    Says ("facts", …), ("figures", percent, figures, whether the run itself wanted them), to which it is answered
    whether to go on, and in the end ("ended",), ("failed", a sentence) or ("stopped",).
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _into(log)
    watchers = [] if kind == "run" else [_Watch(pipe, kind)]
    try:
        with watched_by(*watchers, checked=kind == "trial"):
            recipes.module(Path(script)).main(words)
        pipe.send(("ended",))
    except Ended:
        pipe.send(("ended",))
    except (Interrupted, KeyboardInterrupt):
        pipe.send(("stopped",))
    except SystemExit as error:
        pipe.send(("failed", f"it ended with exit code {error.code}"))
    except BaseException as error:
        print(faults.traceback_of(error), flush=True)
        pipe.send(("failed", faults.sentence(error, told=True)))
    finally:
        sys.stdout.flush()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _into(log: str) -> None:
    """Let all that is printed here, by whatever library, go into a file."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)


class _Watch(TrainerCallback):
    """Evaluates at the end of each part of a run, beside where the run itself does, and tells the figures."""

    def __init__(self, pipe: Connection, kind: str):
        self.pipe, self.kind = pipe, kind
        self.extra = False  # whether the evaluation that comes is for the comparison alone
        self.last: tuple[int, bool] | None = None  # the step of the newest evaluation, and whether the run wanted it

    def on_train_begin(self, args, state, control, model=None, train_dataloader=None, **kwargs):
        if self.kind == "look":
            self.pipe.send(("facts", _facts(args, state, model, train_dataloader, kwargs.get("optimizer"))))
            raise Ended
        self.parts = {round(state.max_steps * part / PARTS) for part in range(1, PARTS)}
        self.by_epoch = str(getattr(args.eval_strategy, "value", args.eval_strategy)) == "epoch"
        self.of_epoch = state.max_steps / state.num_train_epochs if state.num_train_epochs else 0

    def on_step_end(self, args, state, control, **kwargs):
        ends_epoch = self.by_epoch and self.of_epoch and state.global_step % self.of_epoch < 1
        if state.global_step in self.parts and not control.should_evaluate and not ends_epoch:
            self.extra = control.should_evaluate = True
        if state.global_step >= state.max_steps and not self.by_epoch:
            control.should_evaluate = True  # the last weights are those a run ends with, where no step is the best
        return control

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        percent = round(100 * state.global_step / max(1, state.max_steps))
        figures = {
            name.removeprefix("eval_"): value
            for name, value in (metrics or {}).items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        self.pipe.send(("figures", percent, figures, not self.extra))
        self.extra = False
        if not self.pipe.recv():
            raise Ended

    def on_train_end(self, args, state, control, **kwargs):
        raise Ended


def _facts(args: Any, state: Any, model: Any, loader: Any, optimizer: Any) -> dict[str, Any]:
    """What decides which settings are worth trying, and what they are now."""
    base = pretrained_within(model)
    config = base.config.to_dict() if base is not None else {}
    rows, settings = loader.dataset, args.recipe_settings
    columns = getattr(rows, "column_names", [])
    lengths = [len(one) for one in rows[:LOOKED_AT]["input_ids"]] if "input_ids" in columns else []
    field = next((name for name in DROPOUT if isinstance(config.get(name), int | float)), None)
    rate = args.learning_rate if args.learning_rate is not None else optimizer.param_groups[0].get("initial_lr")
    return {
        "recipe": args.recipe,
        "judged_by": (args.metric_for_best_model or "").removeprefix("eval_") or args.judged_by,
        "rows": len(rows) if hasattr(rows, "__len__") else None,
        "longest": max(lengths, default=None),
        "width": getattr(base.config, "hidden_size", None) if base is not None else None,
        "positions": getattr(base.config, "max_position_embeddings", None) if base is not None else None,
        "parameters": sum(one.numel() for one in model.parameters() if one.requires_grad),
        "dropout_field": field,
        "learning_rate": rate,
        "num_train_epochs": args.num_train_epochs if args.max_steps <= 0 else None,
        "max_steps": state.max_steps,
        "per_device_train_batch_size": args.per_device_train_batch_size,
        "tokens_per_batch": getattr(args, "tokens_per_batch", None),
        "warmup_steps": args.warmup_steps,
        "layer_decay": args.layer_decay,
        "dropout": config.get(field) if field else None,
        "max_length": settings.get("max_length"),
        "model_config": settings.get("model_config"),
        "from_checkpoint": bool(settings.get("model")),
        "frozen": bool(settings.get("freeze_encoder")),
        "lora": bool(settings.get("lora_rank")),
        "eval_strategy": str(getattr(args.eval_strategy, "value", args.eval_strategy)),
        "threads": torch.get_num_threads(),
        "settings": sorted({*settings, *(one.name for one in fields(args) if one.init)}),
    }
