"""GPT-2's `c_attn`: stock keeps query, key and value in one matrix, here they are three, and so are their adapters.

LoRA on the one matrix W, [3E, E], adds s B A: A [r, E] is shared by the three, and of B [3E, r] each has E rows. Where
three A were trained, they stand below one another in A [3r, E], and B is a matrix of blocks; the sum is the same.
"""

from typing import Any

import torch
from torch import Tensor


class Untranslatable(ValueError):
    """What one form of an adapter has and the other can't."""


def is_whole(rest: str) -> bool:
    """Whether a tensor is the module's own, trained beside an adapter or as a whole, and no adapter's."""
    return rest.removeprefix("base_layer.") in ("weight", "bias")


def split(method: str, rest: str, tensor: Tensor, part: int, parts: int) -> Tensor:
    """Of a tensor of stock's adapter for the one matrix, what belongs to one of its parts.

    Exact. Raises `Untranslatable` for methods whose tensors do not fall into rows of the matrix.
    """
    name = rest.split(".")[0]
    by_rows = is_whole(rest) or name in ("lora_B", "lora_magnitude_vector") or (name == "ia3_l" and len(tensor) > 1)
    if by_rows:
        return tensor.chunk(parts)[part]
    if name in ("lora_A", "lora_E", "ia3_l"):
        return tensor
    raise Untranslatable(f"{method} has no form for a part of a fused matrix ({rest})")


def join(
    method: str, adapter: str, parts: list[tuple[Any, dict[str, Tensor]]]
) -> tuple[dict[str, Tensor], float, float]:
    """The parts' adapters as one for the fused matrix: tensors, and LoRA's rank and alpha (0 and 0 without one).

    `parts` has for each part its layer as it is in the model, and its adapter's tensors, {} for one without an adapter.
    Raises `Untranslatable` where stock has no such form.
    """
    whole = {rest for _, own in parts for rest in own if is_whole(rest)}
    joined = {rest: torch.cat([own.get(rest, _own_tensor(layer, rest)) for layer, own in parts]) for rest in whole}
    parts = [(layer, {rest: own[rest] for rest in own.keys() - whole}) for layer, own in parts]
    if not any(own for _, own in parts):
        return joined, 0, 0
    if method == "IA3":
        return {**joined, "ia3_l": _join_scales(parts)}, 0, 0
    if method != "LORA":
        raise Untranslatable(f"{method} has no form in which query, key and value are one matrix")
    tensors, rank, alpha = _join_lora(adapter, parts)
    return {**joined, **tensors}, rank, alpha


def _join_scales(parts: list[tuple[Any, dict[str, Tensor]]]) -> Tensor:
    given = [own["ia3_l"] for _, own in parts if own]
    if len(given[0]) > 1:  # of outputs, [E, 1]
        return torch.cat([own.get("ia3_l", torch.ones_like(given[0])) for _, own in parts])
    if len(given) < len(parts) or not all(torch.equal(one, given[0]) for one in given):
        raise Untranslatable("query, key and value scale their common input by different numbers")
    return given[0]


def _join_lora(adapter: str, parts: list[tuple[Any, dict[str, Tensor]]]) -> tuple[dict[str, Tensor], float, float]:
    trained = [(layer, own) for layer, own in parts if own]
    first_layer, first = trained[0]
    scale = _scale(first_layer, adapter)
    shared = all(torch.equal(own["lora_A.weight"], first["lora_A.weight"]) for _, own in trained)
    a = first["lora_A.weight"] if shared else torch.cat([own["lora_A.weight"] for _, own in trained])
    blocks, column = [], 0
    for layer, own in parts:
        block = a.new_zeros(_rows(layer), len(a))
        if own:
            b = own["lora_B.weight"] * (_scale(layer, adapter) / scale)
            start = 0 if shared else column
            block[:, start : start + b.size(1)] = b
            column += b.size(1)
        blocks.append(block)
    joined = {"lora_A.weight": a, "lora_B.weight": torch.cat(blocks)}
    for rest in {rest for _, own in trained for rest in own} - joined.keys():
        if rest == "lora_B.bias":
            values = [
                own[rest] * (_scale(layer, adapter) / scale) if own else a.new_zeros(_rows(layer))
                for layer, own in parts
            ]
        elif rest == "lora_magnitude_vector":  # of rows without an adapter their length as it is
            values = [
                own[rest] if own else _own_tensor(layer, "weight").norm(dim=1).to(a.dtype) for layer, own in parts
            ]
        else:
            raise Untranslatable(f"LoRA's {rest} has no form in which query, key and value are one matrix")
        joined[rest] = torch.cat(values)
    rank = len(a)
    return joined, rank, scale * (rank**0.5 if _is_rooted(first_layer, adapter) else rank)


def _scale(layer: Any, adapter: str) -> float:
    rank = layer.r[adapter]
    return layer.lora_alpha[adapter] / (rank**0.5 if _is_rooted(layer, adapter) else rank)


def _is_rooted(layer: Any, adapter: str) -> bool:
    return bool(layer.use_rslora.get(adapter)) if isinstance(getattr(layer, "use_rslora", None), dict) else False


def _own_tensor(layer: Any, rest: str) -> Tensor:
    base = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
    return getattr(base, rest.rpartition(".")[2]).detach()


def _rows(layer: Any) -> int:
    return len(_own_tensor(layer, "weight"))
