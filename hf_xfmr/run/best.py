"""The best checkpoint, at which a run ends unless told not to, needs evaluations and checkpoints at the same steps.

Who sets one of `eval_strategy` and `save_strategy` has rarely heard of the other, or of `load_best_model_at_end`: what
is not given follows what is.
"""

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import UserError
from ..report.names import is_lower

ASKED = "load_best_model_at_end"


def settle(values: dict[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Add to the `values` that a user gave those that follow from them; what was decided, a line each.

    `defaults` are the arguments' own. Raises `UserError` where values that were given exclude one another.
    """
    given = {name: str(values[name]) for name in ("eval_strategy", "save_strategy") if values.get(name) is not None}
    best = values.get(ASKED, defaults.get(ASKED))
    if not best or not given:
        return []
    off = next((name for name, strategy in given.items() if strategy == "no"), None)
    if off is not None:
        if values.get(ASKED):
            raise UserError(f"{off} is no, so that there is no best checkpoint: leave {ASKED} out, or set {off}")
        values[ASKED] = False
        return [f"{off} is no: the run ends with the last step's weights, not with the best checkpoint's"]
    if given.get("save_strategy") == "best":
        return []
    if len(given) == 1:
        ((name, strategy),) = given.items()
        other = "save" if name == "eval_strategy" else "eval"
        values[f"{other}_strategy"] = strategy
        said = [f"{other}_strategy is {strategy} too: the best checkpoint needs an evaluation for each"]
    elif given["eval_strategy"] != given["save_strategy"]:
        raise UserError(
            f"eval_strategy is {given['eval_strategy']} and save_strategy {given['save_strategy']}, but the best "
            f"checkpoint, at which a run ends, needs both alike: leave one of them out, or add --{ASKED} false"
        )
    else:
        said = []
    if given and next(iter(given.values())) == "steps":
        _settle_steps(values)
    return said


def settle_direction(args: Any, given: Collection[str]) -> None:
    """Of a figure of which less is better, as the error of ratings or perplexity, keep the checkpoint with the least:
    Trainer takes the most of whatever is no loss. Raises `UserError` where `greater_is_better` was `given` against it.
    """
    name = getattr(args, "metric_for_best_model", None)  # a tokenizer is trained without
    if not name or not is_lower(name):
        return
    if "greater_is_better" in given and args.greater_is_better:
        raise UserError(f"greater_is_better is true, and of {name} less is better: leave greater_is_better out")
    args.greater_is_better = False


def _settle_steps(values: dict[str, Any]) -> None:
    """Checkpoints come with evaluations: at each, or at every so many of them."""
    steps = {name: values[name] for name in ("eval_steps", "save_steps") if values.get(name) is not None}
    if len(steps) == 1:
        ((name, count),) = steps.items()
        values["save_steps" if name == "eval_steps" else "eval_steps"] = count
        return
    counted = sum(isinstance(one, int | float) and one >= 1 for one in steps.values())  # ranges.py tells of others
    if counted == 2 and steps["save_steps"] % steps["eval_steps"]:
        raise UserError(
            f"save_steps is {steps['save_steps']:g} and eval_steps {steps['eval_steps']:g}, but the best checkpoint "
            "(a run ends at it) needs an evaluation for each: make the first a multiple of the second, or add "
            f"--{ASKED} false"
        )
