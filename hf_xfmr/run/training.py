"""The training itself: from the newest whole checkpoint, in the precision that is said."""

from ..training import many_processes
from ..training.trainer import XfmrTrainer, XfmrTrainingArguments
from .console import say


def precision(args: XfmrTrainingArguments) -> str:
    """What is computed in, in words."""
    if args.fp16:
        return "float16"
    if not args.bf16:
        return "float32"
    return "bfloat16" + (
        " (chosen: this machine is fast at it; --bf16 false for float32)" if args.bf16_chosen_here else ""
    )


def train(trainer: XfmrTrainer) -> float:
    """Train, from the newest whole checkpoint if there is any and `resume` is on. Returns the seconds it took, those
    before it was resumed too."""
    args = trainer.args
    say(
        f"training in {precision(args)} on {args.device}",
        *many_processes.describe(trainer),
        *getattr(args, "settled", ()),
    )
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint or args.resume)
    return trainer.seconds
