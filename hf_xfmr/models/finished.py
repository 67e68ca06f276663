"""What is finished is no longer computed: rows of a batch whose text has ended leave the batch until all have.

`generate` goes on with every row until the last has ended, and throws away what the others still get. Here a step
computes the rows that are open; the scores of the rest are zeros, which `generate` does not look at.
"""

from contextvars import ContextVar
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationMixin
from transformers.cache_utils import Cache, EncoderDecoderCache
from transformers.generation import StoppingCriteriaList

from .versions import CACHE

WORTH = 3 / 4  # of the rows that are computed: with as many open or fewer, a smaller cache is worth its making


class Rows:
    """Which of a batch's rows are open, and which still have keys and values in the cache. `copies` of one source
    stand together, and leave together."""

    def __init__(self, copies: int = 1):
        self.copies = copies
        self.open: Tensor | None = None  # (B,) bool; None before the first word
        self.kept: Tensor | None = None  # (K,) int64, ascending: the rows in the cache, if they are not all

    def close(self, finished: Tensor) -> None:
        """finished (B,) bool: rows whose text can't change any more."""
        self.open = ~finished if self.open is None else self.open & ~finished

    def shrink(self) -> Tensor | None:
        """Leave out what is finished, if that is worth it: which of the rows kept so far stay, (K,) int64, or None."""
        if self.open is None:
            return None
        groups = self.open.view(-1, self.copies).any(1).repeat_interleave(self.copies)
        stay = groups if self.kept is None else groups[self.kept]
        if not 0 < int(stay.sum()) <= WORTH * len(stay):
            return None
        self.kept = groups.nonzero().squeeze(1)
        return stay.nonzero().squeeze(1)

    def select(self, x: Any) -> Any:
        """Of a tensor with a row for each of the batch, those that are kept."""
        is_whole = isinstance(x, Tensor) and x.dim() and len(x) == len(self.open)
        return x.index_select(0, self.kept) if is_whole else x

    def among_kept(self, beam_idx: Tensor) -> Tensor:
        """Row numbers (B,) of the whole batch, as those of the kept rows among themselves, (K,)."""
        return beam_idx if self.kept is None else torch.searchsorted(self.kept, beam_idx[self.kept])

    def whole(self, scores: Tensor) -> Tensor:
        """(K, ...) to (B, ...), zeros for the rest."""
        return scores.new_zeros(len(self.open), *scores.shape[1:]).index_copy_(0, self.kept, scores)


class Watched(StoppingCriteriaList):
    """Criteria that tell `rows` what they find."""

    def __init__(self, criteria: StoppingCriteriaList, rows: Rows):
        super().__init__(criteria)
        self.rows = rows

    def __call__(self, input_ids, scores, **kwargs) -> Tensor:
        finished = super().__call__(input_ids, scores, **kwargs)
        self.rows.close(finished)
        return finished


_searching: ContextVar[Rows | None] = ContextVar("searching", default=None)  # of the beam search that runs


class LeavingMixin(GenerationMixin):
    """`generate` by steps that compute open rows only, where the cache has `rows`."""

    def _sample(self, *args, **kwargs):
        rows, criteria = _rows(kwargs), kwargs["stopping_criteria"]
        if rows is not None and any(hasattr(one, "eos_token_id") for one in criteria):
            kwargs["stopping_criteria"] = Watched(criteria, rows)
        return super()._sample(*args, **kwargs)

    def _beam_search(self, *args, **kwargs):
        searching = _searching.set(_rows(kwargs))
        try:
            return super()._beam_search(*args, **kwargs)
        finally:
            _searching.reset(searching)

    def _check_early_stop_heuristic(self, *args, **kwargs):  # type: ignore[override]  # a static method there
        can_improve = super()._check_early_stop_heuristic(*args, **kwargs)
        if (rows := _searching.get()) is not None:
            finished, complete = ~can_improve.squeeze(1), kwargs["is_sent_finished"]  # (B / beams,), (B / beams, beams)
            if kwargs["early_stopping"] is True:
                finished = finished | complete.all(1)
            rows.close(finished.repeat_interleave(complete.size(1)))
        return can_improve

    @wraps(GenerationMixin.prepare_inputs_for_generation)  # whose signature `generate` reads
    def prepare_inputs_for_generation(self, *args, **kwargs):  # type: ignore[override]
        inputs = super().prepare_inputs_for_generation(*args, **kwargs)
        rows = _rows(inputs)
        if rows is None:
            return inputs
        if (stay := rows.shrink()) is not None:
            for layer in _layers(inputs[CACHE]):
                layer.keep(stay)
        if rows.kept is None:
            return inputs
        if (encoded := inputs.get("encoder_outputs")) is not None:
            inputs["encoder_outputs"] = (rows.select(encoded[0]),)
        return {name: rows.select(value) for name, value in inputs.items()}

    def _update_model_kwargs_for_generation(self, outputs, *args, **kwargs):
        rows = _rows(outputs)
        if rows is not None and rows.kept is not None:
            outputs.logits = rows.whole(outputs.logits)
        return super()._update_model_kwargs_for_generation(outputs, *args, **kwargs)


def _rows(inputs) -> Rows | None:
    return getattr(inputs.get(CACHE), "rows", None)


def watch(cache: Cache) -> None:
    """Let rows leave a new cache, if all its layers know how to."""
    layers = _layers(cache)
    if layers and all(hasattr(layer, "keep") for layer in layers):
        cache.rows = Rows(getattr(cache, "copies", 1))
        for layer in layers:
            layer.rows = cache.rows


def _layers(cache: Cache) -> list:
    if isinstance(cache, EncoderDecoderCache):
        return [*cache.self_attention_cache.layers, *cache.cross_attention_cache.layers]
    return cache.layers
