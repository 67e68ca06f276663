"""LoRA on stock's fused `c_attn` has one A for query, key and value: so have ours, where `c_attn` was asked for."""

from typing import Any

from torch import nn

from .names import Names

_FROM_THE_WEIGHTS_ALONE = (True, False, "gaussian")  # ways to begin that do not look at the matrix adapted


def share_inputs(model: nn.Module, names: Names, config: Any, adapter: str, found: dict[str, bool]) -> None:
    """Give the parts of each matrix that stock has fused one A among them, if they were targeted by stock's name: then
    training goes as there, on as many parameters. `found` is `targets.matched`'s."""
    if (
        str(config.peft_type) not in ("LORA", "PeftType.LORA")
        or config.init_lora_weights not in _FROM_THE_WEIGHTS_ALONE
    ):
        return
    for places in names.by_stock.values():
        if len(places) < 2 or not all(found.get(place.own) for place in places):
            continue
        layers: list[Any] = [model.get_submodule(place.own) for place in places]
        if all(adapter in getattr(layer, "lora_A", {}) for layer in layers):
            for layer in layers[1:]:
                layer.lora_A[adapter] = layers[0].lora_A[adapter]
