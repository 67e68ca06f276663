"""A PEFT config's words, which are stock's names or ours, to the modules of ours that they mean."""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft.tuners.tuners_utils import _ExcludedModule, _maybe_include_all_linear_layers
from peft.utils.constants import INCLUDE_LINEAR_LAYERS_SHORTHAND
from peft.utils.other import get_pattern_key

from .names import Names, Place

# Fields that say what is targeted, which are put back once it is: a config keeps the words it was given.
_WORDS = (
    *("target_modules", "exclude_modules", "feedforward_modules", "layers_to_transform", "layers_pattern"),
    *("rank_pattern", "alpha_pattern", "lambda_pattern", "n_frequency_pattern"),
)


def matched(tuner: Any, config: Any, names: Names) -> dict[str, bool]:
    """Our modules that a config's `target_modules` mean, and whether it was by stock's name. Each word is taken for a
    name of stock's; where that has none such, for ours."""
    words = config.target_modules
    if words is None:
        return {}
    found: dict[str, bool] = {}
    for word in [words] if isinstance(words, str) else sorted(words):
        one = copy.copy(config)
        one.target_modules = word if isinstance(words, str) else {word}
        for by_stock in (True, False):
            here = [
                place.own
                for place in names.places.values()
                if _is_meant(tuner, one, place.stock if by_stock else place.own)
            ]
            if here:
                found |= {own: found.get(own, False) or by_stock for own in here}
                break
    excluded = _excluded(tuner, config, names)
    return {own: by_stock for own, by_stock in found.items() if own not in excluded}


def _is_meant(tuner: Any, config: Any, path: str) -> bool:
    found = tuner._check_target_module_exists(config, path)
    return bool(found) and not isinstance(found, _ExcludedModule)


def _excluded(tuner: Any, config: Any, names: Names) -> set[str]:
    """What `exclude_modules` and `modules_to_save` keep from being targeted."""
    return {
        place.own
        for place in names.places.values()
        if any(
            isinstance(tuner._check_target_module_exists(config, path), _ExcludedModule)
            for path in (place.stock, place.own)
        )
    }


def _is_all_linear(words: Any) -> bool:
    return isinstance(words, str) and words.lower() == INCLUDE_LINEAR_LAYERS_SHORTHAND


@contextmanager
def in_our_words(tuner: Any, config: Any, names: Names) -> Iterator[dict[str, bool]]:
    """Within, a config's targets and patterns are paths of ours, as PEFT matches them; afterwards the words it had.
    What is trained as a whole, `modules_to_save` and rows of embeddings, stays named by our paths, by which PEFT finds
    it again. Gives what `matched` gives."""
    _check_parameters(config, names)
    if _is_all_linear(config.target_modules):  # as stock's names, which stand for them as well
        linear: Any = _maybe_include_all_linear_layers(copy.copy(config), names.model)
        config.target_modules = {
            names.places[own].stock if own in names.places else own for own in linear.target_modules
        }
    config_before = {field: getattr(config, field) for field in _WORDS if hasattr(config, field)}
    _take_whole_modules(config, names)
    found = matched(tuner, config, names)
    if not found:
        yield {}  # nothing is meant, which PEFT says
        return
    ours = list(found)
    if getattr(config, "exclude_modules", None):
        config.exclude_modules = sorted(_excluded(tuner, config, names)) or config.exclude_modules
    for field in ("layers_to_transform", "layers_pattern"):
        if hasattr(config, field):
            setattr(config, field, None)
    if getattr(config, "feedforward_modules", None):
        config.feedforward_modules = {own for own in ours if scales_inputs(config, names.places[own])}
    config.target_modules = set(ours)
    for field in config_before:
        if field.endswith("_pattern") and field != "layers_pattern":
            _take_pattern(config, field, names)
    try:
        yield found
    finally:
        for field, value in config_before.items():
            setattr(config, field, value)


def scales_inputs(config: Any, place: Place) -> bool:
    """Whether (IA)^3 scales a module's inputs, as those of `feedforward_modules`, and not its outputs."""
    words = getattr(config, "feedforward_modules", None) or ()
    if isinstance(words, str):
        return any(re.fullmatch(words, path) for path in (place.stock, place.own))
    return any(path.endswith(word) for word in words for path in (place.stock, place.own))


def _take_pattern(config: Any, field: str, names: Names) -> None:
    """A rank, alpha or the like for some modules: by our path before what it is by stock's."""
    given = getattr(config, field)
    if not isinstance(given, dict) or not given or str(config.peft_type).endswith("ADALORA"):
        return
    ours = {}
    for place in names.places.values():
        key = get_pattern_key(list(given), place.stock)
        if key in given:
            ours[re.escape(place.own)] = given[key]
    setattr(config, field, {**ours, **given})


def _take_whole_modules(config: Any, names: Names) -> None:
    if isinstance(given := getattr(config, "modules_to_save", None), list | tuple | set):
        config.modules_to_save = [own for name in given for own in names.whole(name) or [name]]
    if isinstance(tokens := getattr(config, "trainable_token_indices", None), dict):
        config.trainable_token_indices = {(names.whole(name) or [name])[0]: ids for name, ids in tokens.items()}


def _check_parameters(config: Any, names: Names) -> None:
    """Raises `ValueError` for single tensors that stock keeps in another form."""
    for word in getattr(config, "target_parameters", None) or ():
        for place in names.places.values():
            if f".{place.stock}.weight".endswith(f".{word}") and (place.turned or place.stock != place.own):
                raise ValueError(
                    f"target_parameters: {word} is a tensor of stock's, which {type(names.model).__name__} keeps in "
                    f"another form: give target_modules=[{place.stock.rpartition('.')[2]!r}] instead"
                )
