"""LoRA on stock's fused `c_attn` has one A for query, key and value: so have ours, where `c_attn` was asked for."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners import lora
from torch import nn

from .names import Names

_FROM_THE_WEIGHTS_ALONE = (True, False, "gaussian")  # ways to begin that do not look at the matrix adapted


def takes_apart(config: Any) -> bool:
    """Whether LoRA begins with a part of the matrix itself, which that then lacks: PiSSA and OLoRA."""
    way = getattr(config, "init_lora_weights", None)
    return isinstance(way, str) and way.lower().startswith(("pissa", "olora"))


@contextmanager
def beginning_plain(config: Any) -> Iterator[str | None]:
    """Within, a config whose adapters begin with parts of the matrices has them begin as ever; gives the way in which
    `share_inputs` is to begin them, None for none."""
    if not takes_apart(config):
        yield None
        return
    way, config.init_lora_weights = config.init_lora_weights, True
    try:
        yield way
    finally:
        config.init_lora_weights = way


def share_inputs(
    model: nn.Module, names: Names, config: Any, adapter: str, found: dict[str, bool], way: str | None
) -> None:
    """Give the parts of each matrix that stock has fused one A among them, if they were targeted by stock's name: then
    training goes as there, on as many parameters. `found` is `targets.matched`'s, `way` is `beginning_plain`'s: those
    of a fused matrix begin with a part of that, as on stock."""
    if str(config.peft_type) not in ("LORA", "PeftType.LORA"):
        return
    if way is None and config.init_lora_weights not in _FROM_THE_WEIGHTS_ALONE:
        return
    alone = {own: model.get_submodule(own) for own in found} if way else {}
    for places in names.by_stock.values():
        if len(places) < 2 or not all(found.get(place.own) for place in places):
            continue
        layers: list[Any] = [model.get_submodule(place.own) for place in places]
        if all(adapter in getattr(layer, "lora_A", {}) for layer in layers):
            for layer in layers[1:]:
                layer.lora_A[adapter] = layers[0].lora_A[adapter]
            if way:
                _begin_as_one(layers, adapter, way)
                alone = {own: layer for own, layer in alone.items() if layer not in layers}
    for layer in alone.values():
        if adapter in getattr(layer, "lora_A", {}):
            _begin(layer, adapter, way)


def _begin(layer: Any, adapter: str, way: str | None) -> None:
    assert way is not None
    begin = layer.olora_init if way.lower() == "olora" else functools.partial(layer.pissa_init, init_lora_weights=way)
    begin(adapter)


@torch.no_grad()
def _begin_as_one(layers: list[Any], adapter: str, way: str) -> None:
    """Take a part of the matrices of several layers, which share A, as of one matrix."""
    bases = [layer.get_base_layer() for layer in layers]
    weight = torch.cat([base.weight for base in bases])
    whole = nn.Linear(weight.size(1), weight.size(0), bias=False, device="meta")
    whole.weight = nn.Parameter(weight, requires_grad=False)
    rank, alpha = layers[0].r[adapter], layers[0].lora_alpha[adapter]
    fused: Any = lora.Linear(whole, adapter, config=lora.LoraConfig(), r=rank, lora_alpha=alpha)
    fused.scaling[adapter] = layers[0].scaling[adapter]
    _begin(fused, adapter, way)
    layers[0].lora_A[adapter].weight.copy_(fused.lora_A[adapter].weight)
    rows = [len(base.weight) for base in bases]
    for layer, base, b, rest in zip(
        layers, bases, fused.lora_B[adapter].weight.split(rows), whole.weight.split(rows), strict=True
    ):
        layer.lora_B[adapter].weight.copy_(b)
        base.weight.copy_(rest)
