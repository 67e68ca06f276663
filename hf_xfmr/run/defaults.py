"""What a run trains with where its user says nothing: by the model's width, what it begins from, and how many rows.

One rate and three epochs for all, as Trainer has them, leave a narrow model of few rows where it began: what it needs
is steps, and steps of its own size.
"""

import math
from typing import Any

from ..training.pretrained import pretrained_within

STEPS = 600  # that an encoder is to take at least, as far as EPOCHS allow
EPOCHS = (3, 20)
FEW, SMALL = 2_000, 16  # up to so many rows, batches of so many: as much work, and twice as many steps
WARMUP = 0.1  # share of the run
OF_BASE = 768  # the width of BERT-base, whose papers try 2e-5 to 5e-5


def settle(args: Any, model: Any, rows: int | None, *, lora: bool = False, new_steps: int = STEPS) -> None:
    """Put the settings that a user did not give into `args`, and what was chosen, a line, into `args.settled`, which is
    said where training begins. What was given stays. `rows` of the train split; None: not known. New weights are to
    take at least `new_steps`. Arguments that `run.settings.parse` did not make stay as they are.
    """
    given = args.given
    if given is None:
        return
    base = pretrained_within(model)
    width = getattr(base.config, "hidden_size", OF_BASE) if base is not None else OF_BASE
    told = args.recipe_settings
    of_teacher = told.get("teacher") and not told.get("model_config")  # its blocks
    trained, frozen = bool(told.get("model") or of_teacher), bool(told.get("freeze_encoder"))
    said = []
    if "learning_rate" not in given:
        args.learning_rate = rate(width, trained=trained, frozen=frozen, lora=lora)
        begins = "a frozen encoder" if frozen else "LoRA" if lora else "a checkpoint" if trained else "new weights"
        said.append(f"learning_rate {args.learning_rate:g} ({begins}, {width} wide)")
    if "warmup_steps" not in given:
        args.warmup_steps = WARMUP
        said.append(f"warmup_steps {WARMUP}")
    if rows and args.max_steps <= 0:
        said += _length(args, rows, given, STEPS if trained else new_steps)
    if said:
        args.settled = [*getattr(args, "settled", ()), f"chosen: {', '.join(said)}; a flag of yours goes first"]


def rate(width: int, *, trained: bool, frozen: bool = False, lora: bool = False) -> float:
    """The highest learning rate of AdamW for a model `width` wide."""
    if frozen:
        return 5e-3
    if lora:
        return 3e-4
    found = 4e-5 * OF_BASE / width if trained else 1.5e-4 * OF_BASE / width
    return float(f"{min(found, 1e-3):.2g}")


def _length(args: Any, rows: int, given: frozenset[str], steps: int) -> list[str]:
    said = []
    if "per_device_train_batch_size" not in given and rows <= FEW:
        args.per_device_train_batch_size = SMALL
        said.append(f"batches of {SMALL}")
    if "num_train_epochs" not in given:
        batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        least, most = EPOCHS
        args.num_train_epochs = float(min(most, max(least, math.ceil(steps / math.ceil(rows / batch)))))
        said.append(f"num_train_epochs {args.num_train_epochs:g} ({rows:,} rows)")
    return said


def best_by(args: Any, figure: str, *, lower: bool) -> None:
    """End with the checkpoint that is best by the figure by which the task is judged, where the user names none. The
    loss rises long before that falls: a model grows surer, of its errors too."""
    args.judged_by = figure
    if args.given is None or not args.load_best_model_at_end or "metric_for_best_model" in args.given:
        return
    args.metric_for_best_model, args.greater_is_better = figure, not lower
