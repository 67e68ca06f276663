"""Where stock keeps each module of ours: what an adapter's file and its config go by."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import nn
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import Transpose, WeightConverter

from ..models.stock import StockModel, stock_names


@dataclass(frozen=True)
class Place:
    """A module of ours, and where stock keeps its tensors."""

    own: str  # transformer.blocks.0.attention.key
    stock: str  # transformer.h.0.attn.c_attn
    part: int = 0  # which part of stock's module it is,
    parts: int = 1  # of how many
    turned: bool = False  # stock keeps the matrix transposed


class Names:
    """The modules of `model` that hold tensors, `places` by our path. Empty for a model that is not ours, nor holds one
    of ours; what it holds beside ours has one name for both."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.places: dict[str, Place] = {}
        for prefix, ours in _outermost(model):
            self.places |= {place.own: place for place in _places(ours, prefix)}

    @cached_property
    def by_stock(self) -> dict[str, list[Place]]:
        """Of each module of stock's the parts that are ours, in their order."""
        found: dict[str, list[Place]] = {}
        for place in sorted(self.places.values(), key=lambda place: place.part):
            found.setdefault(place.stock, []).append(place)
        return found

    def whole(self, name: str) -> list[str]:
        """Our modules for one that stock calls by a name that ends so, a container too (`cls`, `wte`, `h.0.attn`): the
        largest ones in which everything is of it. Empty if stock has none."""
        inside = {
            place.own for place in self.places.values() if re.search(rf"{re.escape(name)}($|\.)", f".{place.stock}")
        }
        found: list[str] = []
        for own in sorted(inside):
            steps = own.split(".")
            for depth in range(1, len(steps) + 1):
                above = ".".join(steps[:depth])
                if all(other in inside for other in self.places if other == above or other.startswith(f"{above}.")):
                    found.append(above)
                    break
        return list(dict.fromkeys(found))


def _outermost(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(model, StockModel):
        yield prefix, model
        return
    for name, child in model.named_children():
        yield from _outermost(child, f"{prefix}{name}.")


def _places(model: Any, prefix: str) -> Iterator[Place]:
    paths = list(_leaves(model))
    names = stock_names(model, [f"{path}.weight" for path in paths])
    table = get_model_conversion_mapping(model, add_legacy=False)
    converters = [entry for entry in table if isinstance(entry, WeightConverter)]
    for path in paths:
        place = Place(prefix + path, prefix + names[f"{path}.weight"].removesuffix(".weight"))
        for entry in converters:
            for part, pattern in enumerate(entry.target_patterns):
                if re.search(rf"(^|\.){pattern}$", f"{path}.weight"):
                    turned = any(isinstance(step, Transpose) for step in entry.operations)
                    place = replace(place, part=part, parts=len(entry.target_patterns), turned=turned)
        yield place


def _leaves(module: nn.Module, path: str = "") -> Iterator[str]:
    """Paths of the modules that hold tensors, as they are without what PEFT has put around them."""
    if isinstance(module, AuxiliaryTrainingWrapper):
        yield from _leaves(module.original_module, path)
    elif isinstance(module, BaseTunerLayer):
        yield path
    else:
        children = list(module.named_children())
        if path and not children and next(module.parameters(recurse=False), None) is not None:
            yield path
        for name, child in children:
            yield from _leaves(child, f"{path}.{name}" if path else name)
