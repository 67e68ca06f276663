"""What a run's log says of how it went: trained too little, too long, or without learning anything."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

ENOUGH = 0.01  # of a figure, by which an evaluation is better or worse than another
LEAST = 0.003  # of any figure, that is worth further training
RISEN = 1.05  # times the least validation loss
HARDLY = 0.03  # of the training loss, by which it is neither lower nor higher
FEW_STEPS = 100
FEWEST_STEPS = 20  # of fewer a loss that has not fallen says nothing
ENOUGH_STEPS, MOST_EPOCHS = 300, 20  # what is advised at least; more epochs than that are said in steps
USUAL = 5e-5  # the learning rate to begin with in fine-tuning


def warnings(
    history: Sequence[Mapping], arguments: Mapping[str, Any], *, is_good: bool, is_perfect: bool = False
) -> list[dict[str, Any]]:
    """Facts for a verdict, of Trainer's log and arguments (as `to_dict` gives them): too long before too short.

    `is_good`: the model is better than what it was set against, so that few steps were enough. `is_perfect`: nothing
    is left to gain.
    """
    if is_perfect:
        return []
    metric = str(arguments.get("metric_for_best_model") or "loss").removeprefix("eval_")
    found = _overfitted(history, arguments, metric) or _still_improving(history, arguments, metric)
    if not is_good and not found:
        found = _not_learning(history, arguments)
    steps = _steps(history)
    if not is_good and not found and 0 < steps < FEW_STEPS:
        found = [{"kind": "few_steps", "steps": steps, "try": longer(arguments, history)}]
    return found


def longer(arguments: Mapping[str, Any], history: Sequence[Mapping]) -> str:
    """The setting that trains twice as long, and ENOUGH_STEPS at least."""
    if (told := int(arguments.get("max_steps") or 0)) > 0:
        return f"--max_steps {max(2 * told, ENOUGH_STEPS)}"
    epochs, steps = float(arguments.get("num_train_epochs") or 3), _steps(history)
    if 0 < 2 * steps < ENOUGH_STEPS:
        enough = math.ceil(epochs * ENOUGH_STEPS / steps)
        return f"--num_train_epochs {enough}" if enough <= MOST_EPOCHS else f"--max_steps {ENOUGH_STEPS}"
    return f"--num_train_epochs {max(2, math.ceil(2 * epochs))}"


def _steps(history: Sequence[Mapping]) -> int:
    return max((int(one.get("step") or 0) for one in history), default=0)


def _evaluations(history: Sequence[Mapping], name: str) -> list[tuple[float, float]]:
    """The epoch and the value of a figure at each evaluation, where it is finite."""
    found = [(float(one.get("epoch") or 0), one.get(f"eval_{name}")) for one in history]
    return [(epoch, float(value)) for epoch, value in found if _is_finite(value)]


def _is_finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _overfitted(history: Sequence[Mapping], arguments: Mapping[str, Any], metric: str) -> list[dict]:
    """Validation loss has risen for good while training loss fell. Not where what the best checkpoint is chosen by
    was best at the end all the same."""
    losses = _evaluations(history, "loss")
    if len(losses) < 2:
        return []
    place = min(range(len(losses)), key=lambda i: losses[i][1])
    epoch, best = losses[place]
    last = losses[-1][1]
    training = [(float(one.get("epoch") or 0), one["loss"]) for one in history if _is_finite(one.get("loss"))]
    before = [loss for when, loss in training if when <= epoch]
    falls = not before or not training or training[-1][1] <= before[-1]
    if place == len(losses) - 1 or last <= RISEN * best or not falls:
        return []
    if metric != "loss" and _still_improving(history, arguments, metric):
        return []
    kept = bool(arguments.get("load_best_model_at_end")) and metric == "loss"
    shown = int(epoch) if float(epoch).is_integer() else round(epoch, 1)
    whole = max(1, round(epoch))
    steps = int(arguments.get("max_steps") or 0)
    less = "--load_best_model_at_end true" if steps > 0 else f"--num_train_epochs {whole}"
    fact = {"kind": "overfitted_kept" if kept else "overfitted", "epoch": shown, "best": best, "last": last}
    return [fact | {"try": None if kept else less}]


def _still_improving(history: Sequence[Mapping], arguments: Mapping[str, Any], metric: str) -> list[dict]:
    """The last evaluation is the best, and clearly better than any before."""
    values = _evaluations(history, metric)
    if len(values) < 2:
        metric, values = "loss", _evaluations(history, "loss")
    if len(values) < 2:
        return []
    greater = arguments.get("greater_is_better")
    sign = -1 if metric == "loss" or greater is False else 1
    *before, last = [value for _, value in values]
    best = max(before, key=lambda value: sign * value)
    if sign * (last - best) <= max(ENOUGH * abs(best), LEAST):
        return []
    fact = {"kind": "still_improving", "name": metric, "before": best, "after": last}
    return [fact | {"try": longer(arguments, history)}]


def _not_learning(history: Sequence[Mapping], arguments: Mapping[str, Any]) -> list[dict]:
    losses, steps = [float(one["loss"]) for one in history if _is_finite(one.get("loss"))], _steps(history)
    if len(losses) < 2 or losses[-1] < (1 - HARDLY) * losses[0] or steps < FEWEST_STEPS:
        return []
    rate, warming = float(arguments.get("learning_rate") or 0), float(arguments.get("warmup_steps") or 0)
    if warming >= 1 and steps <= warming:  # the rate is not yet what it shall be
        more = max(ENOUGH_STEPS, math.ceil(3 * warming))
        return [{"kind": "few_steps", "steps": steps, "try": f"--max_steps {more}"}]
    has_risen = losses[-1] > (1 + HARDLY) * losses[0]
    advice = longer(arguments, history)
    if rate > 2e-4:
        advice = f"--learning_rate {rate / 10:.0e}"
    elif rate > 0 and has_risen:
        advice = f"--learning_rate {rate / 3:.0e}"
    elif 0 < rate < 1e-5:
        advice = f"--learning_rate {USUAL:.0e}"
    kind = "rising" if has_risen else "not_learning"
    return [{"kind": kind, "before": losses[0], "after": losses[-1], "try": advice}]
