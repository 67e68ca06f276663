"""What passes through a model, read by hooks: the shapes at every module, and the masks its blocks receive."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..models.packing import rows_as_given


@dataclass
class Step:
    """A module in one forward pass: the tensors it read and gave, and how many parameters it has."""

    kind: str
    parameters: int
    reads: list[Tensor]
    gives: list[Tensor]
    named: dict[str, Any] = field(default_factory=dict)  # its arguments by name


@dataclass
class Trace:
    """A forward pass: what it returned, and the `Step` of each module by its name in the model."""

    out: Any
    steps: dict[str, Step]


@torch.no_grad()
def trace(model: nn.Module, **inputs) -> Trace:
    """Run the model once, its batch with its padding, as the paper has it. Attention has to be eager for its weights to
    be among the results."""
    steps: dict[str, Step] = {}
    handles = []
    for name, module in model.named_modules():

        def hook(module, given, named, result, name=name):
            parameters = sum(one.numel() for one in module.parameters())
            reads = [*_tensors(given), *_tensors(tuple(named.values()))]
            steps[name] = Step(type(module).__name__, parameters, reads, list(_tensors(result)), _named(given, named))

        handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        with rows_as_given():
            out = model(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    return Trace(out, steps)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a tuple or of a model's output; not the masks and caches within further containers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        yield from (one for one in value if isinstance(one, Tensor))


def _named(given: tuple, named: dict) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(given)} | named


def shape(tensor: Tensor) -> str:
    """2 × 13 × 64."""
    return " × ".join(map(str, tensor.shape))
