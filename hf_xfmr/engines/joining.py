"""Texts that are written together in PyTorch, token by token, where others may join and leave between two tokens.

`generate` takes a batch and returns when its last text has ended; whoever comes meanwhile waits. Here the batch is one
cache: a prompt that joins is read by itself, and its keys and values are put beside those of the others; a text that
ends takes its own along. Rows are padded on the left, by as much as the longest of those present is longer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.cache_utils import DynamicCache

from ..models.decoding import GrowingLayer
from ..models.steps import stepping
from ..models.versions import CACHE
from .batches import inputs
from .drawing import Drawing

AHEAD = 64  # tokens for which a cache that is put together has room
KNOWN = {  # what a generation config may say, and is done here: the rest is for `generate`
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("do_sample", "temperature", "top_k", "top_p", "num_beams", "num_return_sequences"),
    *("max_length", "max_new_tokens", "use_cache", "transformers_version", "_from_model_config"),
}


class Running:
    """The texts that are being written by a model for causal language modeling; nothing is kept of those that left.

    Rows are numbered as they stand in the batch: those that `join` stand behind the others, and with `leave` the later
    ones move up.
    """

    def __init__(self, model: Any):
        self.model = model
        self.ends = ends_of(model)
        self.drawings: list[Drawing] = []
        self.mask = torch.zeros(0, 0, dtype=torch.int64, device=model.device)  # (B, T): 0 at padding
        self.cache: Any = None
        self.logits: Tensor | None = None  # (B, V) float32: of each row's next token

    def __len__(self) -> int:
        return len(self.drawings)

    @torch.inference_mode()
    def join(self, prompts: Sequence[Sequence[int]], drawings: Sequence[Drawing]) -> None:
        """Read prompts, none empty, whose next tokens are drawn from here on."""
        given = inputs(prompts, None, self.model.config.pad_token_id or 0, left=True)  # it is masked
        ids, mask = (torch.from_numpy(given[name]).to(self.model.device) for name in ("input_ids", "attention_mask"))
        cache: Any = DynamicCache(config=self.model.config)
        cache.layers = [GrowingLayer() for _ in cache.layers]
        places = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self._read(ids, mask, places, cache)
        self.drawings += drawings
        if self.cache is None or not len(self.mask):
            self.mask, self.cache, self.logits = mask, cache, logits
            return
        assert self.logits is not None
        width = max(self.mask.size(1), mask.size(1))
        self.mask = torch.cat([_widened(one, width, 1) for one in (self.mask, mask)])
        self.logits = torch.cat([self.logits, logits])
        for here, new in zip(self.cache.layers, cache.layers, strict=True):
            _put(
                here,
                torch.cat([_widened(one, width, 2) for one in (here.keys, new.keys)]),
                torch.cat([_widened(one, width, 2) for one in (here.values, new.values)]),
            )

    @torch.inference_mode()
    def draw(self) -> list[int | None]:
        """The next token of each row; None where the model's numbers are not finite."""
        assert self.logits is not None
        scores = self.logits
        finite = torch.isfinite(scores).all(1)
        scores = torch.where(finite[:, None], scores, 0.0)
        found = scores.argmax(1)
        alike: dict[tuple, list[int]] = {}
        for row, one in enumerate(self.drawings):
            if one.temperature:
                alike.setdefault(one.options, []).append(row)
        for options, rows in alike.items():
            shares = _warped(options)(None, scores[rows]).softmax(-1, dtype=torch.float64)  # type: ignore[arg-type]
            sums = shares.cumsum(-1)
            at = torch.tensor([self.drawings[row].next() for row in rows], dtype=torch.float64, device=sums.device)
            tokens = torch.searchsorted(sums, (at * sums[:, -1])[:, None], right=True).squeeze(1)
            found[rows] = tokens.clamp(max=scores.size(1) - 1)
        return [token if fine else None for token, fine in zip(found.tolist(), finite.tolist(), strict=True)]

    @torch.inference_mode()
    def go_on(self, tokens: Sequence[int]) -> None:
        """Read a token for each row."""
        ids = torch.tensor(tokens, device=self.mask.device)[:, None]
        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        with stepping(self.model):
            self.logits = self._read(ids, self.mask, self.mask.sum(1, keepdim=True) - 1, self.cache)

    @torch.inference_mode()
    def leave(self, rows: Sequence[int]) -> None:
        """Forget these rows, and the columns in which the others have padding alone."""
        gone = set(rows)
        kept = [row for row in range(len(self)) if row not in gone]
        self.drawings = [self.drawings[row] for row in kept]
        if not kept:
            self.mask, self.cache, self.logits = self.mask[:0], None, None
            return
        assert self.logits is not None
        stay = torch.tensor(kept, device=self.mask.device)
        mask = self.mask.index_select(0, stay)
        cut = mask.size(1) - int(mask.sum(1).max())
        self.mask, self.logits = mask[:, cut:], self.logits.index_select(0, stay)
        for layer in self.cache.layers:
            _put(layer, *(one[:, :, cut:].index_select(0, stay) for one in (layer.keys, layer.values)))

    def _read(self, ids: Tensor, mask: Tensor, places: Tensor, cache: Any) -> Tensor:
        given = {"attention_mask": mask, "position_ids": places, CACHE: cache, "use_cache": True, "logits_to_keep": 1}
        return self.model(ids, **given).logits[:, -1].float()


def can_run(model: Any) -> bool:
    """Whether a model's texts can be written so: nothing in its generation config asks for more than is done here."""
    asked: GenerationConfig = model.generation_config
    told = {name for name, value in asked.to_diff_dict().items() if value is not None and value is not False}
    return told <= KNOWN and (asked.num_beams or 1) == 1


def ends_of(model: Any) -> set[int]:
    """The tokens with which a text ends."""
    ids = model.generation_config.eos_token_id
    return set() if ids is None else set(ids) if isinstance(ids, list) else {ids}


def _put(layer: GrowingLayer, keys: Tensor, values: Tensor) -> None:
    """Let these [B, H, T, D] be what a layer has, with room behind them."""
    shape = (*keys.shape[:2], keys.size(2) + AHEAD, keys.size(3))
    layer.room = keys.new_empty(shape), values.new_empty(shape)
    for room, states in zip(layer.room, (keys, values), strict=True):
        room[:, :, : keys.size(2)] = states
    layer.keys, layer.values = (room[:, :, : keys.size(2)] for room in layer.room)


def _widened(states: Tensor, width: int, dim: int) -> Tensor:
    """With zeros before, up to `width` along `dim`."""
    missing = width - states.size(dim)
    return torch.nn.functional.pad(states, (0, 0) * (states.dim() - 1 - dim) + (missing, 0)) if missing else states


def _warped(options: tuple[float, int, float]) -> LogitsProcessorList:
    """In the order in which `generate` does it."""
    temperature, top_k, top_p = options
    found = LogitsProcessorList()
    if temperature != 1.0:
        found.append(TemperatureLogitsWarper(temperature))
    if top_k:
        found.append(TopKLogitsWarper(top_k))
    if top_p < 1.0:
        found.append(TopPLogitsWarper(top_p))
    return found
