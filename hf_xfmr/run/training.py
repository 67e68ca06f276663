"""The training itself: from the newest whole checkpoint, in the precision that is said."""

import textwrap
from contextlib import nullcontext
from typing import Any

from ..machine import free_memory, kept_memory
from ..training import many_processes
from ..training.trainer import XfmrTrainer, XfmrTrainingArguments
from .aside import hush
from .console import say

WIDTH = 80  # columns of what is said; flags stay whole
WHOLE: dict[str, Any] = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}


def precision(args: XfmrTrainingArguments) -> str:
    """What is computed in, in words."""
    if args.fp16:
        return "float16"
    if not args.bf16:
        return "float32"
    return "bfloat16" + (
        " (chosen: this machine is fast at it; --bf16 false for float32)" if args.bf16_chosen_here else ""
    )


# Times a model's weights: a training holds four times, with gradients and the optimizer, and a batch's activations.
ROOM = 8


def _has_room(model) -> bool:
    """Whether memory that is kept between steps, up to a third of what a training holds, will not be missed."""
    return free_memory() > ROOM * sum(p.numel() * p.element_size() for p in model.parameters())


def train(trainer: XfmrTrainer) -> float:
    """Train, from the newest whole checkpoint if there is any and `resume` is on. Returns the seconds it took, those
    before it was resumed too."""
    args = trainer.args
    say(
        f"training in {precision(args)} on {args.device}",
        *many_processes.describe(trainer),
        *(textwrap.fill(one, WIDTH, **WHOLE) for one in getattr(args, "settled", ())),
    )
    hush()
    with kept_memory() if args.device.type == "cpu" and _has_room(trainer.model) else nullcontext():
        trainer.train(resume_from_checkpoint=args.resume_from_checkpoint or args.resume)
    return trainer.seconds
