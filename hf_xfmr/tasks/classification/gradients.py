"""Integrated gradients (Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks"): an answer's probability,
shared out among the words that made it.

Between the row and one whose words say nothing lies a straight line of embeddings; along it the gradient is summed. The
shares add up to what the words changed of the probability, but for the error of the sum, which is told: where it is
over `ENOUGH`, the sum is taken with twice as many steps.
"""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from .answers import Rating, sigmoid, softmax
from .classifier import Classifier
from .words import Row, Span

ENOUGH = 0.005  # of a probability, 1 being sure, or of a rating's distance
STEPS = (16, 32, 64, 128, 256, 512)
TOGETHER = 4096  # tokens computed at a time


class Attribution(NamedTuple):
    """What each token adds: `tokens` are their spans, `shares` float64 [N]. `none` is the figure without words, `all`
    that of the row; `error` what the shares' sum is off."""

    tokens: list[Span]
    shares: np.ndarray
    all: float
    none: float
    steps: int

    @property
    def error(self) -> float:
        return abs(float(self.shares.sum()) - (self.all - self.none))


class _Piece(NamedTuple):
    """A sequence that the model reads of a row: ids and types [T], and of each the row's token, -1: a special one."""

    ids: list[int]
    types: list[int]
    places: list[int]


def attribution(classifier: Classifier, row: Row, label: str | None) -> Attribution:
    """The shares of a row's tokens in the probability of a label, calibrated as the answers are (None: in a rating).

    Raises `UserError` where another engine than PyTorch computes, for a tokenizer without offsets, and for figures that
    are not finite.
    """
    model = getattr(classifier.engine, "model", None)
    if model is None:
        raise UserError(f"gradients are PyTorch's; {classifier.engine.engine} has none: add --method left_out")
    tokens, pieces = _read(classifier, row)
    figure = _figure(classifier, label)
    neutral = _neutral(classifier, pieces)
    for steps in STEPS:
        shares, ends = _summed(model, pieces, len(tokens), figure, neutral, steps)
        found = Attribution(tokens, shares, ends[1], ends[0], steps)
        if not np.isfinite([*shares, *ends]).all():
            raise UserError(f"{classifier.name} gives numbers that are not finite for {row.text[:40]!r}")
        if found.error <= ENOUGH * max(1.0, abs(ends[1] - ends[0])):
            break
    return found


def _read(classifier: Classifier, row: Row) -> tuple[list[Span], list[_Piece]]:
    """The row's tokens, and the sequences that the model reads of them, as for any answer."""
    tokenizer: Any = classifier.tokenizer
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(f"{type(tokenizer).__name__} does not say where its tokens stand: add --method left_out")
    encode = classifier.encoder(row.pair is not None)
    ids: list[int] = []
    spans: list[Span] = []
    counts = []
    for of, text in enumerate(row):
        read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False) if text else {}
        ids += read.get("input_ids", [])
        spans += [Span(of, start, end) for start, end in read.get("offset_mapping", [])]
        counts.append(len(ids))
    first, second = range(counts[0]), range(counts[0], counts[1])
    before, between, after = ([-1] * len(part) for part in encode.frame)
    pieces = [
        _Piece(
            encode.sequence([ids[place] for place in a], [ids[place] for place in b]),
            encode.types(a, b),
            [*before, *a, *between, *b, *after],
        )
        for a, b in encode.pieces(first, second)[0]
    ]
    return spans, pieces if len(encode.columns) > 1 else [piece._replace(types=[]) for piece in pieces]


def _figure(classifier: Classifier, label: str | None) -> Callable[[Tensor], Tensor]:
    """From logits [S, C], float64, to what is shared out, [S]."""
    if label is None:
        return lambda logits: logits[:, 0]
    place, divisor = classifier.names.index(label), classifier.divisor
    if classifier.answers.several:
        return lambda logits: torch.sigmoid(logits[:, place] / divisor)
    return lambda logits: torch.softmax(logits / divisor, -1)[:, place]


def _neutral(classifier: Classifier, pieces: Sequence[_Piece]) -> Tensor:
    """The embedding [E] of a word that says nothing: of the mask, the unknown word, padding and the mean of all words
    that one, put in place of every word, of which the model is least sure. No one is neutral for every model: a mask
    that no fine-tuning has seen may be taken for any label. For ratings the mask, or else the mean."""
    tokenizer: Any = classifier.tokenizer
    model: Any = classifier.engine.model  # type: ignore[attr-defined]
    table = model.get_input_embeddings().weight.detach()
    ids = [tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id]
    candidates = [*(table[one] for one in dict.fromkeys(ids) if one is not None), table.mean(0)]
    if isinstance(classifier.answers, Rating):
        return candidates[0] if tokenizer.mask_token_id is not None else candidates[-1]
    sure = []
    for one in candidates:
        with torch.no_grad():
            ends = [_logits(model, piece, one, torch.zeros(1, dtype=torch.float64))[0] for piece in pieces]
        logits = torch.cat(ends).mean(0).numpy() / classifier.divisor
        shares = sigmoid(logits) if classifier.answers.several else softmax(logits)
        sure.append(float(np.abs(shares - (0.5 if classifier.answers.several else 1 / len(shares))).max()))
    return candidates[int(np.argmin(sure))]


def _summed(
    model: Any, pieces: Sequence[_Piece], tokens: int, figure: Callable[[Tensor], Tensor], neutral: Tensor, steps: int
) -> tuple[np.ndarray, tuple[float, float]]:
    """Each token's share, float64 [N], by Gauss and Legendre's rule; and the figure at the line's two ends."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    line = torch.tensor([0.0, *(nodes + 1) / 2, 1.0], dtype=torch.float64)
    # The model averages the logits of a row's pieces, so that each one's gradient depends on the others' logits.
    with torch.no_grad():
        means = torch.stack([_logits(model, piece, neutral, line)[0] for piece in pieces]).mean(0)
    means = means.requires_grad_()
    figures = figure(means)
    (towards,) = torch.autograd.grad(figures.sum(), means)
    towards = towards[1:-1] * torch.from_numpy(weights / 2)[:, None] / len(pieces)
    shares = np.zeros(tokens)
    for piece in pieces:
        own = np.zeros(len(piece.ids))
        for part in torch.arange(steps).split(max(1, TOGETHER // len(piece.ids))):
            logits, given = _logits(model, piece, neutral, line[1:-1][part])
            (gradient,) = torch.autograd.grad((logits * towards[part]).sum(), given.mixed)
            own += (gradient.double().sum(0) * given.distance.double()).sum(-1).cpu().numpy()
        for place, share in zip(piece.places, own, strict=True):
            if place >= 0:
                shares[place] += share
    return shares, (figures[0].item(), figures[-1].item())


class _Given(NamedTuple):
    """What a model was given in its words' place: embeddings `mixed` [S, T, E] of S places on the line, and the whole
    line's `distance` [T, E]."""

    mixed: Tensor
    distance: Tensor


def _logits(model: Any, piece: _Piece, neutral: Tensor, line: Tensor) -> tuple[Tensor, _Given]:
    """A piece's logits, float64 [S, C], where its words are these shares [S] of the way from `neutral` to what they
    are. The ids are given too: models place, and end, a row by them."""
    ids = torch.tensor([piece.ids], device=model.device)
    says = torch.tensor(piece.places, device=model.device) >= 0
    whole = model.get_input_embeddings()(ids)[0].detach()
    distance = torch.where(says[:, None], whole - neutral, torch.zeros_like(whole))
    mixed = whole + (line.to(whole)[:, None, None] - 1) * distance
    mixed.requires_grad_(torch.is_grad_enabled())
    given = {"input_ids": ids.expand(len(line), -1), "attention_mask": torch.ones_like(ids).expand(len(line), -1)}
    if piece.types:
        given["token_type_ids"] = torch.tensor([piece.types], device=model.device).expand(len(line), -1)
    with _embedded(model, mixed):
        return model(**given).logits.double().cpu(), _Given(mixed, distance)


@contextmanager
def _embedded(model: Any, vectors: Tensor):
    """The model reads these in place of its words' embeddings; rows without padding have one order, packed or not."""
    handle = model.get_input_embeddings().register_forward_hook(lambda *seen: vectors.view_as(seen[-1]))
    try:
        yield
    finally:
        handle.remove()


def by_word(found: Attribution, words: Sequence[Span], row: Row) -> tuple[list[Span], list[float]]:
    """The tokens' shares as those of the words they are pieces of, in the text's order; what stands between words, as
    punctuation does, has spans of its own."""
    sums: dict[Span, float] = dict.fromkeys(words, 0.0)
    between: Span | None = None
    for token, share in zip(found.tokens, found.shares.tolist(), strict=True):
        text = row[token.of] or ""
        start = token.start + len(text[token.start : token.end]) - len(text[token.start : token.end].lstrip())
        held = [word for word in words if word.of == token.of and word.start < token.end and start < word.end]
        if held:
            between, at = None, held[0]
        elif between is not None and between.of == token.of and not text[between.end : start].strip():
            at = Span(between.of, between.start, token.end)
            sums[at] = sums.pop(between)
            between = at
        else:
            between = at = Span(token.of, start, token.end)
        sums[at] = sums.get(at, 0.0) + share
    order = sorted(sums)
    return order, [sums[span] for span in order]
