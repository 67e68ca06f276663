"""What Trainer keeps of the loss between two entries of its log, so that a resumed run's log is an undisturbed one's.

Trainer forgets it: its first entry then would be of the steps since the resume only, and `train_loss` too.
"""

import math
from typing import Any

from accelerate.utils import gather_object


def state(trainer: Any) -> dict:
    """The losses since the last entry, of each process; their sum before, and the step of that entry."""
    losses = [trainer._tr_loss.item()]
    if trainer.args.world_size > 1:
        losses = gather_object(losses)
    return {
        "losses": list(map(_in_json, losses)),
        "total": _in_json(trainer._total_loss_scalar),
        "logged_at": trainer._globalstep_last_logged,
    }


def _in_json(number: float) -> float | str:
    """A number, or what Python's `float` reads as one that JSON has not."""
    return number if math.isfinite(number) else str(number)


def restore(trainer: Any, saved: dict) -> None:
    """Put back what `state` gave, once Trainer has begun anew."""
    trainer._tr_loss.fill_(float(saved["losses"][trainer.args.process_index]))
    trainer._total_loss_scalar = float(saved["total"])
    trainer._globalstep_last_logged = saved["logged_at"]
