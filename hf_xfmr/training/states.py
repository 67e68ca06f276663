"""The optimizer's, scheduler's and random numbers' states of a checkpoint, looked at before a run is built on them."""

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import Trainer, TrainerState
from transformers.trainer_pt_utils import safe_globals

from ..errors import UserError
from ..models.stock import code_in
from ..plain import one_line
from .checkpoints import Damaged
from .facts import LARGEST

_HOLDS = {"optimizer.pt": ("state", "param_groups"), "scheduler.pt": ("last_epoch",), "rng_state": ("python", "cpu")}
# Of an optimizer's tensors those that are of the shape of the parameter they are for, whichever optimizer it is.
_OF_SHAPE = ("exp_avg", "max_exp_avg_sq", "momentum_buffer", "square_avg", "acc_delta", "sum", "prev")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # which JSON has no numbers for


def check_states(folder: Path, state_file: str, step: int) -> None:
    """Raises `Damaged` for a state that can't be read, holds code (which is not run), or is of something else."""
    for name, keys in _HOLDS.items():
        for path in sorted(folder.glob(name if "." in name else f"{name}*.pth")):
            value = _read(path)
            right = isinstance(value, dict) and all(key in value for key in keys)
            if not (right and (name != "rng_state" or _takes_random_numbers(value))):
                raise Damaged(f"{path.name} is of something else")
    try:
        right = _is_state(read_state(folder / state_file), step)
    except Exception:  # whatever json and transformers say of it
        right = False
    if not right:
        raise Damaged(f"{state_file} is of something else")


def check_fits(folder: Path, optimizer: torch.optim.Optimizer) -> None:
    """Raises `Damaged` for the state of another optimizer than the run's, or of its schedule."""
    path = folder / "optimizer.pt"
    if path.exists() and not _fits(_read(path), optimizer):
        raise Damaged(f"{path.name} is of a model of other tensors")
    path = folder / "scheduler.pt"
    rates = _read(path).get("_last_lr") if path.exists() else None
    if rates is not None and not (isinstance(rates, list) and len(rates) == len(optimizer.param_groups)):
        raise Damaged(f"{path.name} is of another optimizer")


def _fits(saved: dict, optimizer: torch.optim.Optimizer) -> bool:
    try:
        groups, states = saved["param_groups"], saved["state"]
        if [len(one["params"]) for one in groups] != [len(one["params"]) for one in optimizer.param_groups]:
            return False
        numbers = [number for one in groups for number in one["params"]]
        parameters = [parameter for one in optimizer.param_groups for parameter in one["params"]]
        shapes = {number: parameter.shape for number, parameter in zip(numbers, parameters, strict=True)}
        return all(
            value.shape == shapes[number]
            for number, state in states.items()
            for name, value in state.items()
            if name in _OF_SHAPE and isinstance(value, Tensor)
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def _takes_random_numbers(state: dict) -> bool:
    """Whether generators go on from it; none that a run draws from is touched."""
    try:
        version, numbers, gauss = state["python"]
        random.Random().setstate((version, tuple(numbers), gauss))
        if "numpy" in state:
            np.random.RandomState().set_state(state["numpy"])
        torch.Generator().set_state(state["cpu"])
    except Exception:  # each has its own
        return False
    return True


def _read(path: Path) -> Any:
    try:
        with safe_globals():
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        if (code := code_in(path)) and not isinstance(error, OSError):
            raise Damaged(f"{path.name} holds code ({code}), which was not run") from None
        raise Damaged(f"{path.name} can't be read") from None


def write_state(state: TrainerState, path: Path) -> None:
    """As `save_to_json`, but JSON for every reader: what is not finite is the word for it, "NaN" or "Infinity"."""
    text = json.dumps(_in_words(dataclasses.asdict(state)), indent=2, sort_keys=True, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _in_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_words(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_in_words(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def read_state(path: Path) -> TrainerState:
    """What `write_state` wrote. Raises `ValueError` for a number that JSON has not."""

    def refused(word: str):
        raise ValueError(f"{word} is not JSON")

    return numbers_again(TrainerState(**json.loads(path.read_text(encoding="utf-8"), parse_constant=refused)))


def numbers_again(state: TrainerState) -> TrainerState:
    """Turns words for what is not finite into numbers, in the log and the best figure; in place, and returned."""
    state.log_history = [{name: _NOT_FINITE.get(str(one), one) for name, one in line.items()} for line in _log(state)]
    state.best_metric = _NOT_FINITE.get(str(state.best_metric), state.best_metric)
    return state


def _log(state: TrainerState) -> list[dict]:
    return state.log_history or []


def _is_state(state: TrainerState, step: int) -> bool:
    """Whether its fields are what Trainer calculates with."""

    amounts: tuple[Any, ...] = (state.max_steps, state.num_input_tokens_seen, state.epoch, state.total_flos)
    best: Any = state.best_global_step
    stopping: Any = cast(dict, state.stateful_callbacks).get("EarlyStoppingCallback", {}).get("attributes", {})
    return (
        state.global_step == step
        and all(_is_number(one) and 0 <= one <= LARGEST for one in amounts)
        and (best is None or (isinstance(best, int) and best >= 0))
        and (state.best_metric is None or _is_number(state.best_metric))
        and isinstance(state.best_model_checkpoint, str | None)
        and (not stopping or isinstance(stopping["early_stopping_patience_counter"], int))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
