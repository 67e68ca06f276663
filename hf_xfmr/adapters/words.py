"""What an adapter's `adapter_config.json` says where stock is to read it."""

import copy
from typing import Any

from peft.tuners.tuners_utils import _find_minimal_target_modules
from peft.utils.other import get_pattern_key

from .names import Names
from .targets import matched, scales_inputs

_KEPT = "_as_stock"  # on a config, what is to be said in place of some of its fields


def remember(tuner: Any, config: Any, names: Names, ranks: dict[str, tuple[float, float]]) -> None:
    """Have `in_stocks_words` say this config as stock understands it. `ranks` are those of `conversion.to_stock`."""
    said: dict[str, Any] = {}
    if found := matched(tuner, config, names):
        meant = {names.places[own].stock for own in found}
        there = set(names.by_stock)
        if {path for path in there if tuner._check_target_module_exists(config, path)} != meant:
            said["target_modules"] = sorted(_find_minimal_target_modules(sorted(meant), sorted(there - meant)))
            if getattr(config, "feedforward_modules", None):  # PEFT wants these to be among those, to the letter
                inputs = {names.places[own].stock for own in found if scales_inputs(config, names.places[own])}
                said |= {"target_modules": sorted(meant), "feedforward_modules": sorted(inputs)}
            said |= {
                field: None
                for field in ("layers_to_transform", "layers_pattern", "exclude_modules")
                if hasattr(config, field)
            }
    if given := getattr(config, "modules_to_save", None):
        said["modules_to_save"] = [_stock_path(names, name) for name in given]
    if isinstance(tokens := getattr(config, "trainable_token_indices", None), dict):
        said["trainable_token_indices"] = {_stock_path(names, name): ids for name, ids in tokens.items()}
    if any(place.turned for place in names.places.values()) and hasattr(config, "fan_in_fan_out"):
        said["fan_in_fan_out"] = True
    if ranks:
        said["ranks"] = {"r": config.r, "lora_alpha": config.lora_alpha}
        for position, (field, base) in enumerate((("rank_pattern", "r"), ("alpha_pattern", "lora_alpha"))):
            given = getattr(config, field) or {}
            other = {
                path: pair[position]
                for path, pair in ranks.items()
                if pair[position] != given.get(get_pattern_key(list(given), path), getattr(config, base))
            }
            said["ranks"][field] = _by_suffix(other, ranks)
            said[field] = {key: value for key, value in given.items() if _is_known(key, names)}
    config.__dict__[_KEPT] = said


def _is_known(pattern: str, names: Names) -> bool:
    """Whether a pattern means a module by stock's name."""
    return any(get_pattern_key([pattern], path) == pattern for path in names.by_stock)


def forget(config: Any) -> None:
    """Have a config saved as it is."""
    config.__dict__.pop(_KEPT, None)


def in_stocks_words(config: Any) -> Any:
    """A config as it is to be saved: itself, or a copy that says what was remembered."""
    said = dict(config.__dict__.get(_KEPT, {}))
    if not said:
        return config
    config = copy.copy(config)
    ranks = said.pop("ranks", {})
    for field, value in said.items():
        setattr(config, field, value)
    for field, base in (("rank_pattern", "r"), ("alpha_pattern", "lora_alpha")):
        if ranks.get(field):  # PEFT doubles r and alpha of an adapter that it saves as a difference
            grown = getattr(config, base) / ranks[base]
            whole = {path: value * grown for path, value in ranks[field].items()}
            if field == "rank_pattern":
                whole = {path: round(value) for path, value in whole.items()}
            setattr(config, field, {**whole, **(getattr(config, field) or {})})
    return config


def _by_suffix(values: dict[str, float], all_: dict[str, Any]) -> dict[str, float]:
    """Values by path, said once for all modules that end alike (`attn.c_attn`) where they are one."""
    short: dict[str, set] = {}
    for path in all_:
        short.setdefault(".".join(path.split(".")[-2:]), set()).add(values.get(path))
    said = {}
    for path, value in values.items():
        suffix = ".".join(path.split(".")[-2:])
        said[suffix if len(short[suffix]) == 1 else path] = value
    return said


def _stock_path(names: Names, name: str) -> str:
    """A module of ours by stock's path; one that stock has by this name, and a container, as it is."""
    if any(f".{place.stock}".endswith(f".{name}") for place in names.places.values()):
        return name
    for place in names.places.values():
        if f".{place.own}".endswith(f".{name}"):
            return place.stock
    below = [place for place in names.places.values() if f".{place.own}.".find(f".{name}.") >= 0]
    if below:  # a container: what stock's paths of all that is in it begin with
        paths = [place.stock.split(".") for place in below]
        shared = []
        for steps in zip(*paths, strict=False):
            if len(set(steps)) > 1:
                break
            shared.append(steps[0])
        return ".".join(shared) or name
    return name
