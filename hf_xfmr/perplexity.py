"""How well a causal language model predicts texts: loss, perplexity, bits per byte and per character."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from .data.pack import end_of_text
from .errors import UserError

IGNORE = -100


class Window(NamedTuple):
    """Tokens a model reads at once, [n], and what each is followed by, [n]: -100 where another window predicts it."""

    ids: torch.Tensor
    targets: torch.Tensor


def evaluate(
    model,
    tokenizer,
    documents: Iterable[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> dict[str, float]:
    """Score every token of every document but its first, and the end-of-text after it, each exactly once and within its
    own document. The figures do not depend on `batch_size`, nor on how training packed the documents.

    A document is cut into windows of `window` tokens (default: the model's positions), each of which begins with the
    last token of the one before, so that the first tokens of a window are predicted from little. With a `stride`,
    windows that begin so many tokens apart are scored as well: all tokens but those of the first window are then
    predicted from at least window - stride tokens. The last token of a window is only predicted: what a model makes of
    it there, training on blocks of that length has not taught it.

    Returns:
        `loss` (mean negative log-likelihood of a token, in nats), `perplexity` (its exponential), `bits_per_byte` and
        `bits_per_character` (the sum over the UTF-8 bytes or the characters of what was predicted; the end of a text
        costs bits and has no characters), `tokens` (predicted); with a stride, the first four for it too, as
        `strided_loss` and so on.

    Raises:
        UserError: a window or stride that can't be, a tokenizer without end-of-text token or without offsets (one that
            is not of the `tokenizers` library), or no token to predict.
    """
    positions = model.config.max_position_embeddings
    window = positions if window is None else window
    if not 2 <= window <= positions:
        raise UserError(f"window is {window}; it is at least 2 and at most the model's {positions} positions")
    if stride is not None and not 1 <= stride < window:
        raise UserError(f"stride is {stride}; it is at least 1 and less than the window's {window} tokens")
    if not tokenizer.is_fast:
        raise UserError(f"{type(tokenizer).__name__} has no offsets; save it with a tokenizer.json")
    figures = _score(model, tokenizer, documents, window, window - 1, batch_size)
    if stride is not None:
        strided = _score(model, tokenizer, documents, window, stride, batch_size)
        figures |= {f"strided_{name}": value for name, value in strided.items() if name != "tokens"}
    return figures


@torch.no_grad()
def _score(model, tokenizer, documents, window: int, stride: int, batch_size: int) -> dict[str, float]:
    size = {"characters": 0, "bytes": 0}
    windows = (each for ids in _read(tokenizer, documents, size) for each in _windows(ids, window, stride))
    total, tokens = torch.zeros((), dtype=torch.float64, device=model.device), 0
    was_training = model.training
    model.eval()
    while batch := list(islice(windows, batch_size)):
        ids = pad_sequence([each.ids for each in batch], batch_first=True).to(model.device)
        targets = pad_sequence([each.targets for each in batch], batch_first=True, padding_value=IGNORE).to(
            model.device
        )
        mask = pad_sequence([torch.ones_like(each.ids) for each in batch], batch_first=True).to(model.device)
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits  # (B, T, vocab)
        scored = targets != IGNORE
        total += F.cross_entropy(logits[scored].float(), targets[scored], reduction="none").double().sum()
        tokens += int(scored.sum())
    model.train(was_training)
    if not tokens:
        raise UserError("there is no token to predict: every text is empty")
    loss, bits = float(total) / tokens, float(total) / math.log(2)
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700)),
        "bits_per_byte": bits / max(size["bytes"], 1),
        "bits_per_character": bits / max(size["characters"], 1),
        "tokens": tokens,
    }


def _read(tokenizer, documents: Iterable[str], size: dict[str, int]) -> Iterator[torch.Tensor]:
    """The ids of each document, [n], its end included; `size` grows by the text after its first token."""
    end, documents = end_of_text(tokenizer), iter(documents)
    while texts := list(islice(documents, 256)):
        encoded = tokenizer(
            texts, add_special_tokens=False, return_attention_mask=False, return_offsets_mapping=True, verbose=False
        )
        for text, ids, offsets in zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True):
            predicted = text[offsets[0][1] :] if offsets else ""
            size["characters"] += len(predicted)
            size["bytes"] += len(predicted.encode())
            yield torch.from_numpy(np.array([*ids, end]))


def _windows(ids: torch.Tensor, window: int, stride: int) -> Iterator[Window]:
    """Windows that begin `stride` tokens apart and predict each token after the first once."""
    last, done = len(ids) - 1, 0
    for start in range(0, last, stride):
        stop = min(start + window - 1, last)
        targets = ids[start + 1 : stop + 1].clone()
        targets[: done - start] = IGNORE
        yield Window(ids[start:stop], targets)
        done = stop
        if stop == last:
            return
