"""Where a loaded model looks: the weights of its attention, with their tokens, and pictures of them."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from matplotlib.figure import Figure

from ..errors import UserError
from . import maps, shares
from .words import WORDS, Words


def shown(tokenizer, ids: Sequence[int]) -> list[str]:
    """Tokens as a reader knows them: without the marks of word beginnings; pieces of characters as they are."""
    texts = []
    for one in ids:
        text = tokenizer.decode([one], clean_up_tokenization_spaces=False).strip()
        name = str(tokenizer.convert_ids_to_tokens(int(one)))
        texts.append(name if not text or "\ufffd" in text or name.startswith("##") else text)
    return texts


@contextmanager
def eager(model):
    """The model in evaluation mode and with attention that keeps its weights; afterwards as it was."""
    before, was_training = model.config._attn_implementation, model.training
    model.eval()
    model.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            yield
    finally:
        model.set_attn_implementation(before)
        model.train(was_training)


def read(model, tokenizer: Any, sentence: str) -> tuple[list[str], list[np.ndarray]]:
    """The sentence's tokens, and the weights [H, T, T] of each layer of an encoder or a decoder that reads it. Raises
    `UserError` for one longer than the model's positions."""
    ids = tokenizer(sentence)["input_ids"]
    check_length(sentence, ids, model)
    with eager(model):
        layers = model(torch.tensor([ids]), output_attentions=True).attentions
    return shown(tokenizer, ids), [one[0].float().numpy() for one in layers]


def pair_weights(
    model, tokenizers: Any, source: str, target: str
) -> tuple[list[str], list[str], dict[str, list[np.ndarray]]]:
    """Tokens of source and target, and the weights of an encoder-decoder that reads the one and writes the other.

    `tokenizers` are a `TokenizerPair`. The weights of each layer are arrays [H, queries, keys] under `encoder`,
    `decoder` and `cross`. Row t of the latter two is of the step that writes the target's token t; among the keys of
    `decoder` place t is token t - 1, and place 0 the start.
    """
    ids, labels = tokenizers.source_ids([source])[0], tokenizers.target_ids([target])[0]
    for text, one in ((source, ids), (target, labels)):
        check_length(text, one, model)
    with eager(model):
        device = model.device
        decoder_ids = torch.tensor([[model.config.decoder_start_token_id, *labels[:-1]]], device=device)
        out = model(torch.tensor([ids], device=device), decoder_input_ids=decoder_ids, output_attentions=True)
    kinds = {"encoder": out.encoder_attentions, "decoder": out.decoder_attentions, "cross": out.cross_attentions}
    weights = {kind: [layer[0].float().cpu().numpy() for layer in layers] for kind, layers in kinds.items()}
    return shown(tokenizers.source, ids), shown(tokenizers.target, labels), weights


def check_length(text: str, ids: Sequence[int], model) -> None:
    longest = getattr(model.config, "longest_row", model.config.max_position_embeddings)
    if len(ids) > longest:
        raise UserError(f"{text[:40]!r}… has {len(ids)} tokens, more than the model's {longest}: give a shorter one")


@dataclass(frozen=True)
class Drawn:
    """A picture before it is one: `draw(as_text, sentence)` makes the figure, `says` tells what one sees, `how` how to
    read it, `tokens` are those in it, `words` the language's; `text` stands above it on a page, as HTML."""

    draw: Callable[[bool, str], Figure]
    says: str
    how: str
    tokens: list[str]
    words: Words
    text: Markup = field(default_factory=Markup)


def cross(
    weights: list[np.ndarray],
    across: Sequence[str],
    down: Sequence[str],
    *,
    layer: int | None = None,
    head: int | None = None,
    words: Words = WORDS["en"],
) -> Drawn:
    """Cross-attention of a layer and head (from 1; None: the last layer, all heads and their mean)."""
    return _map(weights, down, across, "cross", causal=False, layer=layer, head=head, words=words)


def _map(layers, down, across, kind: str, *, causal: bool, layer, head, words: Words) -> Drawn:
    title, weights = _chosen(layers, kind, layer, head, words)
    seen = shares.visible(weights.shape[1:], causal)

    def draw(as_text: bool, sentence: str) -> Figure:
        return maps.attention_maps(
            weights, down, across, title=title, causal=causal, words=words, as_text=as_text, sentence=sentence
        )

    says = shares.of_map(weights, seen, across, words)
    return Drawn(draw, says, words["how"], list(dict.fromkeys([*down, *across])), words)


def _chosen(layers: list[np.ndarray], kind: str, layer: int | None, head: int | None, words: Words):
    """A title, and the weights [H, T, S] of a layer, or [1, T, S] of a head."""
    number = len(layers) if layer is None else layer
    if not 1 <= number <= len(layers):
        raise UserError(f"--layer is {number}, but the model has the layers 1 to {len(layers)}")
    weights = layers[number - 1]
    if head is None:
        return words["layer"].format(words[kind], number), weights
    if not 1 <= head <= len(weights):
        raise UserError(f"--head is {head}, but a layer of the model has the heads 1 to {len(weights)}")
    return words["layer_head"].format(words[kind], number, head), weights[head - 1 : head]


def places_of(word: str, tokens: Sequence[str]) -> list[int]:
    """The tokens that make up the word where it stands first, in any letter case; [] if it is not there."""
    wanted = word.casefold().replace(" ", "")
    plain = [token.removeprefix("##").removeprefix("Ġ").removeprefix("▁").casefold() for token in tokens]
    for start in (place for place, token in enumerate(plain) if token):
        text = ""
        for stop in range(start, len(plain)):
            text += plain[stop]
            if text == wanted:
                return list(range(start, stop + 1))
            if not wanted.startswith(text):
                break
    return []


def self_attention(
    layers: list[np.ndarray],
    tokens: Sequence[str],
    word: str | None,
    *,
    kind: str = "self",
    causal: bool = False,
    layer: int | None = None,
    head: int | None = None,
    words: Words = WORDS["en"],
) -> Drawn:
    """Self-attention of one word (the mean of its tokens' rows), or of every token if `word` is None. `kind` names it:
    self, encoder or decoder."""
    if word is None:
        return _map(layers, tokens, tokens, kind, causal=causal, layer=layer, head=head, words=words)
    title, weights = _chosen(layers, kind, layer, head, words)
    at = places_of(word, tokens)
    if not at:
        raise UserError(f'--word "{word}" is not among the tokens {" ".join(tokens)}')
    row = weights[:, at].mean(1)

    def draw(as_text: bool, sentence: str) -> Figure:
        return maps.one_word(
            row, tokens, at, title=title, causal=causal, words=words, as_text=as_text, sentence=sentence
        )

    says = shares.of_word(row, tokens, at, max(at) + 1 if causal else len(tokens), words)
    return Drawn(draw, says, words["how_word"], list(tokens), words)


def signals(table: np.ndarray, words: Words) -> Drawn:
    """The table of position signals as a picture."""

    def draw(as_text: bool, sentence: str) -> Figure:
        return maps.position_signals(table, words=words, sentence=sentence)

    return Drawn(draw, words["signals"], "", [], words)
