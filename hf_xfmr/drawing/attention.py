"""Where a loaded model looks: the weights of its attention, with their tokens, and pictures of them."""

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from ..errors import UserError
from . import maps


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
    longest = model.config.max_position_embeddings
    if len(ids) > longest:
        raise UserError(f"{text[:40]!r}… has {len(ids)} tokens, more than the model's {longest}: give a shorter one")


def cross(model, tokenizers: Any, source: str, target: str, *, layer: int | None = None) -> Figure:
    """Cross-attention of a layer (from 1; None: the last), the mean of its heads and each by itself."""
    across, down, weights = pair_weights(model, tokenizers, source, target)
    number, chosen = _layer(weights["cross"], layer)
    return maps.attention_maps(chosen, down, across, title=f"cross-attention, layer {number}")


def _layer(layers: list[np.ndarray], number: int | None) -> tuple[int, np.ndarray]:
    number = len(layers) if number is None else number
    if not 1 <= number <= len(layers):
        raise UserError(f"--layer is {number}, but the model has the layers 1 to {len(layers)}")
    return number, layers[number - 1]


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
    layers: list[np.ndarray], tokens: Sequence[str], word: str | None, *, part: str, layer: int | None
) -> Figure:
    """Self-attention of one word (the mean of its tokens' rows), or of every token if `word` is None."""
    number, weights = _layer(layers, layer)
    title = f"{part}self-attention, layer {number}"
    if word is None:
        return maps.attention_maps(weights, tokens, tokens, title=title)
    at = places_of(word, tokens)
    if not at:
        raise UserError(f'--word "{word}" is not among the tokens {" ".join(tokens)}')
    return maps.one_word(weights[:, at].mean(1), tokens, at, title=title)
