"""What makes writing word by word fast, behind `generate`'s own hooks; the words are the same.

A step reads every weight for a few rows, so what counts is memory: the cache grows in memory taken ahead, the copies of
a source that beams are made of are kept once, and prompts of unequal length are read without their padding.
"""

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.generation import GenerationMode

from .finished import LeavingMixin, Rows, watch
from .packing import Packing, keeps_rows
from .steps import stepping
from .versions import CACHE


class GrowingLayer(DynamicLayer):
    """A cache layer that has room ahead, so that a step writes its own keys and values only. For inference."""

    room: tuple[Tensor, Tensor] | None = None  # what `keys` and `values` [B, H, past, D] are the beginning of
    rows: Rows | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled() and key_states.requires_grad:
            return super().update(key_states, value_states, *args, **kwargs)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        past, new = self.get_seq_length(), key_states.size(2)
        total = past + new
        if not self._has_room(key_states, past, total):
            shape = (*key_states.shape[:2], total + max(64, total // 2), key_states.size(3))
            self.room = key_states.new_empty(shape), value_states.new_empty(shape)
            for room, old in zip(self.room, (self.keys, self.values), strict=True):
                if past:
                    room[:, :, :past] = old
        keys, values = self.room
        keys.narrow(2, past, new).copy_(key_states)
        values.narrow(2, past, new).copy_(value_states)
        self.keys, self.values = keys.narrow(2, 0, total), values.narrow(2, 0, total)
        return self.keys, self.values

    def _has_room(self, new: Tensor, past: int, total: int) -> bool:
        if self.room is None:
            return False
        room = self.room[0]
        fits = room.size(0) == new.size(0) and room.size(2) >= total
        return fits and (past == 0 or self.keys.data_ptr() == room.data_ptr())

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Only the rows that another beam takes the place of are copied."""
        beam_idx = beam_idx if self.rows is None else self.rows.among_kept(beam_idx)
        changed = (beam_idx != torch.arange(len(beam_idx), device=beam_idx.device)).nonzero().squeeze(1)
        if self.get_seq_length() and len(changed):
            for states in (self.keys, self.values):
                states.index_copy_(0, changed, states.index_select(0, beam_idx[changed]))

    def keep(self, stay: Tensor) -> None:
        """Of the rows those that stay, (K,) int64."""
        self.room = None
        self.keys, self.values = (states.index_select(0, stay) for states in (self.keys, self.values))


class SharedLayer(DynamicLayer):
    """The cross-attention layer of a cache whose rows come in groups of copies of one source, as beams do: keys and
    values [B / copies, H, S, D]. Beams change places within their group only, so there is nothing to reorder."""

    rows: Rows | None = None

    def reorder_cache(self, beam_idx: Tensor) -> None:
        pass

    def keep(self, stay: Tensor) -> None:
        """Of the rows (not of the sources) those that stay, (K,) int64: all copies of a source or none."""
        sources = stay[:: self.rows.copies] // self.rows.copies
        self.keys, self.values = (states.index_select(0, sources) for states in (self.keys, self.values))

    def whole(self, copies: int) -> DynamicLayer:
        """The layer with a row for each copy, as stock keeps it."""
        layer = DynamicLayer()
        if self.is_initialized:
            layer.update(self.keys.repeat_interleave(copies, 0), self.values.repeat_interleave(copies, 0))
        return layer


class PackedPrefill(Cache):
    """Fills an empty cache from a packed row: keys and values [1, H, N, D] are kept as [B, H, T, D]."""

    def __init__(self, cache: Cache, packing: Packing):
        super().__init__(layers=cache.layers)
        self.packing = packing

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args, **kwargs):
        rows = [self.packing.unpack(t.transpose(1, 2)).transpose(1, 2) for t in (key_states, value_states)]
        self.layers[layer_idx].update(*rows)
        return key_states, value_states


def is_prefill(cache, attention_mask: Tensor | None) -> bool:
    """Whether prompts are read that are padded on the left only, into an empty cache that `generate` made."""
    if not grows(cache) or attention_mask is None or attention_mask.dim() != 2:
        return False
    is_ours = all(type(layer) is GrowingLayer for layer in cache.layers)
    return is_ours and not cache.get_seq_length() and bool(attention_mask[:, -1].all())


class FastGenerationMixin(LeavingMixin):
    """`generate` with the caches of this file in the place of dynamic ones that it would make itself."""

    def _prepare_cache_for_generation(self, generation_config, model_kwargs, generation_mode, *args, **kwargs):
        given = model_kwargs.get(CACHE)
        super()._prepare_cache_for_generation(generation_config, model_kwargs, generation_mode, *args, **kwargs)
        cache = model_kwargs.get(CACHE)
        if given is not None or cache is None or generation_config.is_assistant or keeps_rows():
            return
        if isinstance(cache, EncoderDecoderCache):
            _replace(cache.self_attention_cache, GrowingLayer)
            has_rows = self.config._attn_implementation in ("sdpa", "eager")  # in its masks, that is
            if has_rows and _replace(cache.cross_attention_cache, SharedLayer):
                several = generation_config.num_beams, generation_config.num_return_sequences
                cache.copies = 1 if generation_mode == GenerationMode.ASSISTED_GENERATION else max(several)
        else:
            _replace(cache, GrowingLayer)
        if self.device.type == "cpu" and not generation_config.return_dict_in_generate:
            watch(cache)

    def _sample(self, *args, **kwargs):
        with stepping(self):
            return _with_whole_cache(super()._sample(*args, **kwargs))

    def _beam_search(self, *args, **kwargs):
        with stepping(self):
            return _with_whole_cache(super()._beam_search(*args, **kwargs))


def _with_whole_cache(output):
    """What `generate` returns; a cache in it has a row for each copy of a source, so that anyone can go on with it."""
    cache = getattr(output, CACHE, None)
    if getattr(cache, "copies", 1) > 1:
        shared = cache.cross_attention_cache
        shared.layers = [layer.whole(cache.copies) for layer in shared.layers]
        cache.copies = 1
    return output


def _replace(cache: Cache, layer_class: type) -> bool:
    if type(cache) is not DynamicCache or cache.offloading:
        return False
    if not all(type(layer) is DynamicLayer for layer in cache.layers):
        return False
    cache.layers = [layer_class() for _ in cache.layers]
    return True


def shared_attention(attend, module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **kwargs):
    """`attend` for keys and values [B / copies, H, S, D] that each serve several rows of query [B, H, T, D]: their
    queries stand side by side. The mask [B, 1, T, S] is of sources: alike for all copies and all T."""
    copies = len(query) // len(key)
    query = query.unflatten(0, (-1, copies)).transpose(1, 2).flatten(2, 3)  # (B / copies, H, copies * T, D)
    mask = None if mask is None else mask[::copies, :, :1].expand(-1, -1, query.size(2), -1)
    y, weights = attend(module, query, key, value, mask, **kwargs)
    if weights is not None:
        weights = weights.unflatten(2, (copies, -1)).transpose(1, 2).flatten(0, 1)
    return y.unflatten(1, (copies, -1)).flatten(0, 1), weights


def is_step(model, attention_mask: Tensor | None, x: Tensor, length: int) -> bool:
    """Whether `step_mask` will do for x [B, T, E] and `length` keys: one word for each row, on a CPU."""
    return (
        x.size(1) == 1
        and (attention_mask is None or attention_mask.shape == (len(x), length))
        and model.config._attn_implementation == "sdpa"
        and x.device.type == "cpu"
        and not torch.compiler.is_compiling()
    )


def step_mask(attention_mask: Tensor | None, x: Tensor) -> Tensor | None:
    """The mask of one step for PyTorch's attention: None, or 0 and the lowest number [B, 1, 1, S] in x's dtype."""
    if attention_mask is None or bool(attention_mask.all()):
        return None
    lowest = torch.finfo(x.dtype).min
    return torch.zeros_like(attention_mask, dtype=x.dtype).masked_fill(attention_mask == 0, lowest)[:, None, None]


def grows(cache: Cache | None) -> bool:
    """Whether the keys of a cache are those of the words so far, and no room of a fixed size."""
    return type(cache) is DynamicCache
