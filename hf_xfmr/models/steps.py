"""Steps: one more word for each row of a batch, computed by what blocks are made of instead of through their modules.

A step multiplies each weight with a few rows and is soon done; the modules on the way, each of which may have hooks, an
adapter or dropout, take as long as a small model's products. So whether any of them has is asked once, when `generate`
begins, and where none has, blocks `step`: the same computation, which stands beside their `forward`. On a CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from transformers.activations import ACT2CLS
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .dropout import Dropout
from .linear import is_bare, is_computed_here, is_usual
from .packing import is_asked

_writing: ContextVar[nn.ModuleList | None] = ContextVar("writing", default=None)  # the blocks that may step
_CALLED = {nn.LayerNorm, *(kind[0] if isinstance(kind, tuple) else kind for kind in ACT2CLS.values())}  # by steps too


@contextmanager
def stepping(model) -> Iterator[None]:
    """Within, the decoder of a model goes by steps where it can. What its modules are is looked at now, once: a hook
    that is registered within is not seen."""
    decoder = getattr(model.base_model, "decoder", model.base_model)
    token = _writing.set(decoder.blocks if may_step(decoder) else None)
    try:
        yield
    finally:
        _writing.reset(token)


def may_step(decoder) -> bool:
    """Whether the steps of a decoder's blocks are what calling its modules would compute: parts of this package as they
    were built, in evaluation, with PyTorch's attention, and without hooks."""
    return (
        isinstance(getattr(decoder, "blocks", None), nn.ModuleList)
        and decoder.device.type == "cpu"
        and decoder.config._attn_implementation == "sdpa"
        and ALL_ATTENTION_FUNCTIONS.get_interface("sdpa", None) is sdpa_attention_forward
        and not modules._has_any_global_hook()
        and all(_is_as_built(part, decoder.dtype) for block in decoder.blocks for part in block.modules())
    )


def _is_as_built(part: nn.Module, dtype: torch.dtype) -> bool:
    if part.training or not is_bare(part):
        return False
    kind = type(part)
    if kind is nn.Linear:
        return is_usual(part.weight, dtype)
    return kind is Dropout or kind in _CALLED or {"step", "forward"} <= vars(kind).keys()


def is_stepping(decoder, cache, x: Tensor, kwargs: dict) -> bool:
    """Whether a decoder's blocks take a step for the word vectors x (B, T, E); `kwargs` are its forward's."""
    return (
        not torch.compiler.is_compiling()
        and _writing.get() is decoder.blocks
        and x.size(1) == 1
        and not torch.is_grad_enabled()
        and is_computed_here(x)
        and type(cache) is DynamicCache
        and len(cache.layers) >= len(decoder.blocks)  # more, where a source has more blocks than a target
        and all(isinstance(layer, DynamicLayer) for layer in cache.layers)
        and not is_asked(decoder, kwargs, "output_hidden_states", "output_attentions")
    )
