"""The optimizer's, scheduler's and random numbers' states of a checkpoint, looked at before a run is built on them."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerState
from transformers.trainer_pt_utils import safe_globals

from ..errors import UserError
from ..models.stock import code_in
from ..plain import one_line
from .checkpoints import Damaged

_HOLDS = {"optimizer.pt": ("state", "param_groups"), "scheduler.pt": ("last_epoch",), "rng_state": ("python", "cpu")}


def check_states(folder: Path, state_file: str, step: int) -> None:
    """Raises `Damaged` for a state that can't be read, holds code (which is not run), or is of something else."""
    for name, keys in _HOLDS.items():
        for path in sorted(folder.glob(name if "." in name else f"{name}*.pth")):
            value = _read(path)
            if not (isinstance(value, dict) and all(key in value for key in keys)):
                raise Damaged(f"{path.name} is of something else")
    try:
        state = json.loads((folder / state_file).read_text(encoding="utf-8"))
        TrainerState.load_from_json(str(folder / state_file))
        right = state["global_step"] == step and isinstance(state["log_history"], list)
        right &= isinstance(state["epoch"], int | float) and isinstance(state["stateful_callbacks"], dict)
    except Exception:  # whatever json and transformers say of it
        right = False
    if not right:
        raise Damaged(f"{state_file} is of something else")


def _read(path: Path) -> Any:
    try:
        with safe_globals():
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        if (code := code_in(path)) and not isinstance(error, OSError):
            raise Damaged(f"{path.name} holds code ({code}), which was not run") from None
        raise Damaged(f"{path.name} can't be read") from None


class FittingStates(Trainer):
    """A Trainer for which a state that can be read and does not fit its model is one sentence."""

    def _load_optimizer_and_scheduler(self, checkpoint):
        self._fit(super()._load_optimizer_and_scheduler, "optimizer or scheduler", checkpoint)

    def _load_rng_state(self, checkpoint):
        self._fit(super()._load_rng_state, "random numbers", checkpoint)

    def _fit(self, load, what: str, checkpoint) -> None:
        try:
            load(checkpoint)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            if isinstance(error, UserError):
                raise
            reason = one_line(error)[:200]
            raise UserError(
                f"{checkpoint}: its {what} do not fit this run ({reason}); add --weights_only to begin a new run from "
                "its weights, or --resume false to train from the beginning"
            ) from error
