"""Which settings are tried, and from where to where: by task, by size of the model, by what it begins from.

A range is a mapping: {"kind": "log" | "float" | "int", "low", "high"} or {"kind": "choice", "of": [...]}. What the
configuration itself says lies in each.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import UserError
from ..plain import some
from ..run.said import nearest

Range = dict[str, Any]
LENGTHS = (64, 128, 256, 512)
BATCHES = (8, 16, 32, 64)
ENCODERS = ("classify_bert", "tag_bert")
KNOWN = (
    *("learning_rate", "num_train_epochs", "per_device_train_batch_size", "tokens_per_batch", "warmup_steps"),
    *("layer_decay", "dropout", "max_length"),
)


def of_facts(facts: Mapping[str, Any]) -> dict[str, Range]:
    """The ranges of a run whose first step was looked at (see `child`)."""
    trained = facts["from_checkpoint"] and not facts["frozen"]
    found: dict[str, Range | None] = {
        "learning_rate": _rates(facts),
        "num_train_epochs": _epochs(facts),
        "per_device_train_batch_size": None
        if facts["tokens_per_batch"]
        else {"kind": "choice", "of": sorted({*BATCHES, facts["per_device_train_batch_size"]})},
        "tokens_per_batch": {"kind": "choice", "of": [int(facts["tokens_per_batch"] * by) for by in (0.5, 1, 2)]}
        if facts["tokens_per_batch"]
        else None,
        "warmup_steps": _warmup(facts),
        "layer_decay": {"kind": "float", "low": 0.65, "high": 1.0} if trained and not facts["lora"] else None,
        "dropout": {"kind": "float", "low": 0.0, "high": 0.3 if trained else 0.5} if _drops(facts) else None,
        "max_length": _lengths(facts),
    }
    return {name: _with(one, own(facts).get(name)) for name, one in found.items() if one is not None}


def own(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration itself says, by the names of the ranges."""
    length = facts["max_length"] or min(filter(None, (facts["positions"], LENGTHS[-1])))
    return {name: facts[name] for name in KNOWN} | {"max_length": length}


def _rates(facts: Mapping[str, Any]) -> Range:
    """A narrow model takes a higher rate: 768 wide is BERT-base, whose papers try 2e-5 to 5e-5."""
    wide = 768 / (facts["width"] or 768)
    if facts["frozen"]:
        low, high = 5e-4, 5e-2
    elif facts["lora"]:
        low, high = 1e-4, 3e-3
    elif facts["from_checkpoint"]:
        low, high = 1e-5 * wide, 2.5e-4 * wide
    else:
        low, high = 5e-5 * wide, 1e-3 * wide
    return {"kind": "log", "low": low, "high": high}


def _epochs(facts: Mapping[str, Any]) -> Range | None:
    if facts["num_train_epochs"] is None or facts["recipe"] not in ENCODERS:
        return None  # texts are learned from for as long as there is time
    if facts["frozen"]:
        return {"kind": "int", "low": 5, "high": 40}
    least, most = (1, 4) if facts["from_checkpoint"] else (2, 8)
    few = facts["rows"] is not None and facts["rows"] < 3_000
    return {"kind": "int", "low": least + few, "high": most * (1 + few)}


def _warmup(facts: Mapping[str, Any]) -> Range:
    steps = facts["warmup_steps"] or 0
    if steps >= 1:
        return {"kind": "int", "low": max(1, int(steps) // 4), "high": int(steps) * 2}
    return {"kind": "float", "low": 0.0, "high": 0.2}


def _drops(facts: Mapping[str, Any]) -> bool:
    """Whether the recipe lets a model have another dropout than its config says."""
    allowed = facts["recipe"] == "classify_bert" or not facts["from_checkpoint"]
    return bool(facts["dropout_field"]) and allowed and not facts["frozen"]


def _lengths(facts: Mapping[str, Any]) -> Range | None:
    """Only lengths that cut something, and one that does not."""
    if facts["recipe"] not in ENCODERS or not facts["longest"]:
        return None
    most = facts["max_length"] or facts["positions"] or LENGTHS[-1]
    found = sorted({one for one in (*LENGTHS, facts["max_length"] or 0) if 0 < one <= most})
    short = [one for one in found if one < facts["longest"]]
    enough = found[len(short) : len(short) + 1]
    return {"kind": "choice", "of": short + enough} if len(short + enough) > 1 else None


def _with(one: Range, value: Any) -> Range:
    """The range widened so that a value lies in it."""
    if value is None:
        return one
    if one["kind"] == "choice":
        return one | {"of": sorted({*one["of"], value})}
    value = int(value) if one["kind"] == "int" else float(value)
    return one | {"low": min(one["low"], value), "high": max(one["high"], value)}


def chosen(
    space: Mapping[str, Range], over: Sequence[str], ranges: Sequence[str], facts: Mapping[str, Any]
) -> dict[str, Range]:
    """The ranges that a user asks for: `over` are names, `ranges` are as NAME=LOW:HIGH or NAME=A,B,C. Raises
    `UserError` for a setting that can't be tried here, and a range that is none, or of no setting."""
    given = parsed(ranges)
    check_names(over, given, space)
    known = {*space, *facts["settings"]}
    for name in given:
        if name not in known:
            why = (
                "; here a model keeps its own"
                if name in KNOWN
                else nearest(name, known, listed="--help all lists them")
            )
            raise UserError(f"--range {name}: {facts['recipe']} has no such setting{why}")
    own_values = own(facts)
    kept = {name: one for name, one in space.items() if not over or name in over}
    return kept | {name: _with(one, own_values.get(name)) for name, one in given.items()}


def check_names(over: Sequence[str], given: Mapping[str, Range], known: Collection[str]) -> None:
    """Raises `UserError` for a name that is neither `known` nor among the ranges that were given."""
    for name in over:
        if name not in known and name not in given:
            raise UserError(
                f"--over {name}: not among what can be tried here"
                f"{nearest(name, known, listed=f'there is {some(known)}')}; --range {name}=LOW:HIGH adds another"
            )


def parsed(ranges: Sequence[str]) -> dict[str, Range]:
    """Ranges by name. Raises `UserError` for one that is none."""
    return dict(map(_parsed, ranges))


def _parsed(text: str) -> tuple[str, Range]:
    name, equals, values = text.partition("=")
    wrong = UserError(f"--range {text}: give NAME=LOW:HIGH or NAME=A,B,C, as learning_rate=1e-5:1e-3")
    if not name or not equals or not values:
        raise wrong
    try:
        if ":" not in values:
            return name, {"kind": "choice", "of": sorted({_number(one) for one in values.split(",")})}
        low, high = map(_number, values.split(":"))
    except ValueError:
        raise wrong from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"--range {text}: the lower end must be below the higher")
    if isinstance(low, int) and isinstance(high, int):
        return name, {"kind": "int", "low": low, "high": high}
    kind = "log" if low > 0 and high / low >= 20 else "float"
    return name, {"kind": kind, "low": float(low), "high": float(high)}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def tidy(name: str, value: Any) -> Any:
    """A drawn value as it can be read: three digits are more than the figures tell apart."""
    if isinstance(value, float):
        return float(f"{value:.2g}" if name in ("warmup_steps", "dropout", "layer_decay") else f"{value:.3g}")
    return value


def as_settings(values: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Drawn values as a recipe's settings: dropout is a field of the model's config."""
    found = {name: value for name, value in values.items() if name != "dropout"}
    if "dropout" in values:
        found["model_config"] = {**(facts["model_config"] or {}), facts["dropout_field"]: values["dropout"]}
    return found
