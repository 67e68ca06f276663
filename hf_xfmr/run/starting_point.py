"""Where a run starts: from a checkpoint or from new weights, never from both; the same words for every recipe."""

import dataclasses
import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoTokenizer

from .. import machine
from ..errors import UserError
from ..hub import sizes
from . import loading, ranges


def check_origin(settings: Any, *own: str) -> None:
    """Raises `UserError` if a checkpoint is given beside a setting of which it has its `own`."""
    for name in own:
        if settings.model and getattr(settings, name):
            raise UserError(f"model and {name} are both given: a checkpoint has its own, so leave one of them out")


def check_end(streaming: bool, max_steps: int) -> None:
    """Raises `UserError` for a stream that is to be read in epochs."""
    if streaming and max_steps <= 0:
        raise UserError("streaming needs max_steps, since the length of the corpus is not known: give --max_steps N")


def of_checkpoint(config_class: Any, name: str, *, grows: bool = False) -> tuple[Any, Any]:
    """The config and tokenizer of a checkpoint, whose embedding `grows` for the tokenizer's new words or does not."""
    return loading.from_pretrained(config_class, name), loading.from_pretrained(AutoTokenizer, name, grows=grows)


def new_config(config_class: Any, values: dict[str, Any] | None) -> Any:
    """The config of a new model with the fields of `model_config`. Raises `UserError` for an unknown field, a value of
    the wrong type, or heads that do not share the width evenly, before any data are read."""
    values = values or {}
    fields = {field.name for field in dataclasses.fields(config_class)}
    known = fields | set(config_class.attribute_map)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise UserError(f"model_config: unknown field '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    ranges.check_model_config(values)
    with naming_model_config():
        config = config_class(**values)
    told = config.to_dict()
    for name in sizes.ALL:
        if isinstance(size := told.get(name), int) and size < 1:
            raise UserError(f"model_config: {name} is {size}; it must be at least 1")
    for width, heads in sizes.uneven(told):
        raise UserError(f"model_config: {width} {told[width]} must be a multiple of {heads} {told[heads]}")
    _check_fits(config)
    return config


def _check_fits(config: Any) -> None:
    """Raises `UserError` for a model whose weights and gradients are more than the memory that there is. What training
    takes besides is measured before the first step."""
    count, memory = sizes.parameters(config.to_dict()), machine.memory()
    if torch.cuda.is_available():
        memory = max(memory, torch.cuda.get_device_properties(0).total_memory)
    need = count * (4 if int(os.environ.get("WORLD_SIZE", 1)) > 1 else 8)  # float32; gradients may be spread
    if need > memory:
        raise UserError(
            f"model_config makes a model of about {count / 1e9:,.1f} billion parameters, {need / 1e9:,.0f} GB of "
            f"weights and gradients, and {memory / 1e9:,.0f} GB of memory can be had here: give smaller sizes"
        )


@contextmanager
def naming_model_config() -> Iterator[None]:
    """What a config says of its fields, as a `UserError` that names model_config."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, StrictDataclassError) as error:
        raise UserError(f"model_config: {' '.join(str(error).split())}") from error
