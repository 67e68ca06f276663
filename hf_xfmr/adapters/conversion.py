"""An adapter's tensors under stock's names and in its form, and back: what its file holds, and what a model takes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..models.stock import StockModel, stock_names
from . import fused
from .fused import Untranslatable
from .names import Names, Place
from .shared import takes_apart

PREFIX = "base_model.model."  # PEFT's, of the model within

# Methods whose tensors are the same for a matrix stored either way round; those of others are bound to its form.
_EITHER_WAY = ("LORA", "ADALORA", "IA3", "LN_TUNING", "TRAINABLE_TOKENS")


def to_own(names: Names, config: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors under our names; those that have them already are left. Raises `Untranslatable`."""
    method, own = _method(config), {}
    for key, tensor in state.items():
        prefix, path, rest = _cut(key, lambda path: path in names.by_stock)
        if not path:
            own[key] = tensor
            continue
        for place in names.by_stock[path]:
            _check(method, place, rest)
            value = tensor.t() if _is_turned(place, rest) else tensor
            if place.parts > 1:
                value = fused.split(method, rest, value, place.part, place.parts)
            own[f"{prefix}{place.own}.{rest}"] = value.contiguous()
    return own


def to_stock(names: Names, config: Any, adapter: str, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict]:
    """Our tensors as stock's file has them, and LoRA's rank and alpha there of each module, by stock's path. Raises
    `Untranslatable`."""
    method = _method(config)
    stock: dict[str, Tensor] = {}
    together: dict[tuple[str, str], dict[int, dict[str, Tensor]]] = {}
    ranks: dict[str, tuple[float, float]] = {}
    others = []
    for key, tensor in state.items():
        prefix, path, rest = _cut(key, lambda path: path in names.places)
        if not path:
            others.append(key)
            continue
        place = names.places[path]
        _check(method, place, rest)
        if place.parts > 1:
            together.setdefault((prefix, place.stock), {}).setdefault(place.part, {})[rest] = tensor
        else:
            stock[f"{prefix}{place.stock}.{rest}"] = tensor.t().contiguous() if _is_turned(place, rest) else tensor
            layer: Any = names.model.get_submodule(place.own)
            if method == "LORA" and adapter in getattr(layer, "r", {}):
                ranks[place.stock] = layer.r[adapter], layer.lora_alpha[adapter]
    stock |= {_renamed(names, key): state[key] for key in others}
    for (prefix, path), by_part in together.items():
        places = names.by_stock[path]
        parts = [(names.model.get_submodule(place.own), by_part.get(place.part, {})) for place in places]
        with torch.no_grad():
            tensors, rank, alpha = fused.join(method, adapter, parts)
        if rank:
            ranks[path] = rank, alpha
            if takes_apart(config) and not _are_one(parts, adapter):
                raise Untranslatable(
                    f"{config.init_lora_weights} began with query, key and value each by itself: target_modules="
                    f"[{path.rpartition('.')[2]!r}] begins with them as the one matrix that stock has"
                )
        for rest, tensor in tensors.items():
            tensor = tensor.t().contiguous() if _is_turned(places[0], rest) else tensor
            stock[f"{prefix}{path}.{rest}"] = tensor
    return stock, ranks


def _are_one(parts: list[tuple[Any, dict[str, Tensor]]], adapter: str) -> bool:
    """Whether all parts of a matrix share their input, as where stock's name for it was targeted."""
    return all(own and layer.lora_A[adapter] is parts[0][0].lora_A[adapter] for layer, own in parts)


def _method(config: Any) -> str:
    return str(getattr(config.peft_type, "value", config.peft_type))


def _cut(key: str, is_module: Callable[[str], bool]) -> tuple[str, str, str]:
    """A tensor's name as PEFT's prefix, the longest path of a module, and the rest; "" for no such module."""
    prefix = PREFIX if key.startswith(PREFIX) else ""
    steps = key.removeprefix(prefix).split(".")
    for end in range(len(steps) - 1, 0, -1):
        if is_module(path := ".".join(steps[:end])):
            return prefix, path, ".".join(steps[end:])
    return prefix, "", ""


def _is_turned(place: Place, rest: str) -> bool:
    return place.turned and rest in ("weight", "base_layer.weight")


def _check(method: str, place: Place, rest: str) -> None:
    if place.turned and not fused.is_whole(rest) and method not in _EITHER_WAY:
        raise Untranslatable(f"{method} is bound to the form of a matrix, and stock keeps {place.stock} transposed")


def _renamed(names: Names, key: str) -> str:
    """A tensor that stands beside the modules, as the bias of BERT's vocabulary."""
    prefix = PREFIX if key.startswith(PREFIX) else ""
    if not isinstance(names.model, StockModel):
        return key
    own = key.removeprefix(prefix)
    return prefix + stock_names(names.model, [own])[own]
