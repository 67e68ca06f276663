"""Where a run starts: from a checkpoint or from new weights, never from both; the same words for every recipe."""

import dataclasses
import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoTokenizer

from ..errors import UserError
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


def of_checkpoint(config_class: Any, name: str) -> tuple[Any, Any]:
    """The config and tokenizer of a checkpoint."""
    return loading.from_pretrained(config_class, name), loading.from_pretrained(AutoTokenizer, name)


WIDTHS = {  # what each number of heads has to divide
    "num_attention_heads": "hidden_size",
    "n_head": "n_embd",
    "encoder_attention_heads": "d_model",
    "decoder_attention_heads": "d_model",
}


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
    for heads, width in WIDTHS.items():
        if heads in fields and getattr(config, width) % getattr(config, heads):
            raise UserError(
                f"model_config: {width} {getattr(config, width)} must be a multiple of {heads} {getattr(config, heads)}"
            )
    return config


@contextmanager
def naming_model_config() -> Iterator[None]:
    """What a config says of its fields, as a `UserError` that names model_config."""
    try:
        yield
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise UserError(f"model_config: {' '.join(str(error).split())}") from error
