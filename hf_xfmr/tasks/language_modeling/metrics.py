"""How well a causal language model predicts texts: loss, perplexity, bits per byte and per character."""

import math
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ...data.conversations import ASSISTANT
from ...errors import UserError
from .examples import Example
from .pack import end_of_text

IGNORE = -100
BEGINNING = 80  # characters by which a document is known to a reader


class Window(NamedTuple):
    """Tokens a model reads at once, [n], and what each is followed by, [n]: -100 where another window predicts it; and
    the number of their document."""

    ids: torch.Tensor
    targets: torch.Tensor
    document: int


class Document(NamedTuple):
    """What predicting a text cost: its first characters and the hash of all, the bytes, characters and tokens that were
    predicted, and -log p of these in all, in nats."""

    id: int
    text: str
    sha256: str
    bytes: int
    characters: int
    tokens: int
    nats: float


class Losses(NamedTuple):
    """Each document's, and the mean loss of the token after the first, the first two, ... tokens of a window; and of
    each window its document, nats and tokens."""

    documents: list[Document]
    by_position: list[float]
    windows: list[tuple[int, float, int]]


def evaluate(
    model,
    tokenizer,
    documents: Iterable[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> dict[str, float]:
    """The figures of `evaluate_in_detail`, without the losses they are made of."""
    return evaluate_in_detail(model, tokenizer, documents, window=window, stride=stride, batch_size=batch_size)[0]


def evaluate_in_detail(
    model,
    tokenizer,
    documents: Iterable[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> tuple[dict[str, float], Losses]:
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
        `strided_loss` and so on. And the losses (without stride) of each document and position.

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

    def by(step: int) -> Losses:
        read: list[dict] = []
        cut = (each for ids in _read(tokenizer, documents, read) for each in _windows(ids, window, step, len(read) - 1))
        return _score(model, cut, read, window, batch_size)

    losses = by(window - 1)
    figures = _figures(losses.documents)
    if stride is not None:
        strided = _figures(by(stride).documents)
        figures |= {f"strided_{name}": value for name, value in strided.items() if name != "tokens"}
    return figures, losses


def evaluate_answers(model, examples: Iterable[Example], *, window: int, batch_size: int = 8) -> tuple[dict, Losses]:
    """As `evaluate_in_detail`, of conversations of at most `window` tokens: what is learned of each is scored, from all
    that stands before it. Bytes and characters are those of the assistant's messages."""
    read: list[dict] = []

    def windows() -> Iterator[Window]:
        for example in examples:
            answers = "".join(one["content"] for one in example.conversation.messages if one["role"] == ASSISTANT)
            read.append(_facts(example.conversation, answers))
            ids, learned = torch.from_numpy(example.ids.astype(np.int64)), torch.from_numpy(example.learned)
            yield Window(ids[:-1], ids[1:].masked_fill(~learned[1:], IGNORE), len(read) - 1)

    losses = _score(model, windows(), read, window, batch_size)
    return _figures(losses.documents), losses


@torch.no_grad()
def _score(model, windows: Iterator[Window], read: list[dict], window: int, batch_size: int) -> Losses:
    """`read` has what `Document` says of each text, by the time its first window comes."""
    at = torch.zeros(
        2, window, dtype=torch.float64, device=model.device
    )  # the losses at each position, and their number
    per_document: dict[int, float] = {}
    tokens: dict[int, int] = {}
    by_window: list[tuple[int, float, int]] = []
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
        losses = torch.zeros(targets.shape, dtype=torch.float64, device=model.device)  # (B, T)
        losses[scored] = F.cross_entropy(logits[scored].float(), targets[scored], reduction="none").double()
        at[:, : targets.size(1)] += torch.stack([losses.sum(0), scored.sum(0)])
        for each, nats, number in zip(batch, losses.sum(1).tolist(), scored.sum(1).tolist(), strict=True):
            per_document[each.document] = per_document.get(each.document, 0.0) + nats
            tokens[each.document] = tokens.get(each.document, 0) + number
            by_window.append((each.document, nats, number))
    model.train(was_training)
    if not any(tokens.values()):
        raise UserError("there is no token to predict: every text is empty")
    total, number = at[:, at[1] > 0].tolist()
    return Losses(
        [
            Document(id=i, **facts, tokens=tokens.get(i, 0), nats=per_document.get(i, 0.0))
            for i, facts in enumerate(read)
        ],
        [loss / count for loss, count in zip(total, number, strict=True)],
        by_window,
    )


def _figures(documents: list[Document]) -> dict[str, float]:
    nats, tokens = sum(one.nats for one in documents), sum(one.tokens for one in documents)
    loss, bits = nats / tokens, nats / math.log(2)
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700)),
        "bits_per_byte": bits / max(sum(one.bytes for one in documents), 1),
        "bits_per_character": bits / max(sum(one.characters for one in documents), 1),
        "tokens": tokens,
    }


def _facts(text: str, predicted: str) -> dict:
    sizes = {"bytes": len(predicted.encode()), "characters": len(predicted)}
    return {"text": text[:BEGINNING], "sha256": sha256(text.encode()).hexdigest(), **sizes}


def _read(tokenizer, documents: Iterable[str], read: list[dict]) -> Iterator[torch.Tensor]:
    """The ids of each document, [n], its end included; what `Document` says of its text is appended to `read`."""
    end, documents = end_of_text(tokenizer), iter(documents)
    while texts := list(islice(documents, 256)):
        encoded = tokenizer(
            texts, add_special_tokens=False, return_attention_mask=False, return_offsets_mapping=True, verbose=False
        )
        for text, ids, offsets in zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True):
            read.append(_facts(text, text[offsets[0][1] :] if offsets else ""))
            yield torch.from_numpy(np.array([*ids, end]))


def _windows(ids: torch.Tensor, window: int, stride: int, document: int) -> Iterator[Window]:
    """Windows that begin `stride` tokens apart and predict each token after the first once."""
    last, done = len(ids) - 1, 0
    for start in range(0, last, stride):
        stop = min(start + window - 1, last)
        targets = ids[start + 1 : stop + 1].clone()
        targets[: done - start] = IGNORE
        yield Window(ids[start:stop], targets, document)
        done = stop
        if stop == last:
            return
