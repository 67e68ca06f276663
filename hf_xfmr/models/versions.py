"""What transformers calls things, from 5.16 to the newest: all that the models know of its versions.

5.24 renamed the models' `past_key_values` to `cache`, in arguments and outputs. Our forwards take both names under any
version; an output has the one that its version gives it, with the other beside it from 5.24 on, deprecated until 5.40.
"""

from functools import wraps

import torch
from torch import Tensor
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutputWithPast

CACHE = "cache" if "cache" in BaseModelOutputWithPast.__dataclass_fields__ else "past_key_values"
CACHE_NAMES = ["past_key_values", "cache"]


def takes_cache(forward):
    """`forward` with `past_key_values`, which is known as `cache` too. Continuous batching gives a `cache` that is none
    of transformers' `Cache`s under every version: that one is passed on under its name.

    Raises ValueError for two caches."""

    @wraps(forward)  # whose signature `generate` and Trainer read
    def either_name(self, *args, **kwargs):
        if "cache" in kwargs and (kwargs["cache"] is None or isinstance(kwargs["cache"], Cache)):
            cache = kwargs.pop("cache")
            if kwargs.get("past_key_values") is not None and cache is not None:
                raise ValueError("cache and past_key_values are two names of one argument: give one of them")
            if cache is not None:
                kwargs["past_key_values"] = cache
        return forward(self, *args, **kwargs)

    return either_name


def update_paged(cache, k: Tensor, v: Tensor, layer_idx: int, kwargs: dict) -> tuple[Tensor, Tensor]:
    """Keys and values (1, H, T, D) into the cache of continuous batching, and what the attention backend is to be given
    of it: the model writes to it, as to any other, since 5.24; before, the backend did. `kwargs` are changed in place.
    """
    if CACHE == "cache":
        return cache.update(k, v, layer_idx, kwargs=kwargs)
    kwargs["cache"] = cache
    return k, v


def slice_logits_to_keep(x: Tensor, logits_to_keep: int | Tensor) -> Tensor:
    """Of x (B, T, E) what is to be scored, as transformers' function of 5.21: the last positions, 0 for all; positions
    (K,) of every row, or (B, K) of each, to (B, K, E); or those where a bool (B, T) is True, to (number of True, E)."""
    if isinstance(logits_to_keep, int):
        return x[:, -logits_to_keep:]
    if logits_to_keep.dim() < 2:
        return x[:, logits_to_keep]
    if logits_to_keep.dtype == torch.bool:
        return x[logits_to_keep]
    return torch.take_along_dim(x, logits_to_keep[..., None], dim=1)
