"""Draw where a model looks: a translation's cross-attention, or what one word of a sentence looks at.

    python -m hf_xfmr attention MODEL "The cat sat." "Le chat est assis." --out cross.png
    python -m hf_xfmr attention MODEL "The cat did not cross the street because it was tired." --word it --out it.png
    python -m hf_xfmr attention MODEL --out sinusoids.png

MODEL is a Transformer (Marian's too), a BERT or a GPT-2. Without a target the model translates the sentence first. With
--word: self-attention, of the encoder if the word is in the sentence, else of the decoder. Without a sentence: the
Transformer's table of position signals.
"""

import argparse
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from transformers import AutoConfig, AutoTokenizer

from . import attention_plots, drawing, recipe
from .commands import translate
from .errors import UserError
from .models.bert import XfmrBertConfig, XfmrBertModel
from .models.gpt2 import XfmrGPT2Config, XfmrGPT2Model
from .models.transformer import XfmrConfig, position_table
from .tasks.tokenizer_pair import TokenizerPair

POSITIONS = 128  # rows of the table of position signals that are drawn: beyond, the picture's lines blur


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
    model, tokenizers: TokenizerPair, source: str, target: str
) -> tuple[list[str], list[str], dict[str, list[np.ndarray]]]:
    """Tokens of source and target, and the weights of an encoder-decoder that reads the one and writes the other.

    The weights of each layer are arrays [H, queries, keys] under `encoder`, `decoder` and `cross`. Row t of the latter
    two is of the step that writes the target's token t; among the keys of `decoder` place t is token t - 1, and place
    0 the start.
    """
    ids, labels = tokenizers.source_ids([source])[0], tokenizers.target_ids([target])[0]
    for text, one in ((source, ids), (target, labels)):
        _check_length(text, one, model)
    with eager(model):
        device = model.device
        decoder_ids = torch.tensor([[model.config.decoder_start_token_id, *labels[:-1]]], device=device)
        out = model(torch.tensor([ids], device=device), decoder_input_ids=decoder_ids, output_attentions=True)
    kinds = {"encoder": out.encoder_attentions, "decoder": out.decoder_attentions, "cross": out.cross_attentions}
    weights = {kind: [layer[0].float().cpu().numpy() for layer in layers] for kind, layers in kinds.items()}
    return shown(tokenizers.source, ids), shown(tokenizers.target, labels), weights


def _check_length(text: str, ids: Sequence[int], model) -> None:
    longest = model.config.max_position_embeddings
    if len(ids) > longest:
        raise UserError(f"{text[:40]!r}… has {len(ids)} tokens, more than the model's {longest}: give a shorter one")


def cross(model, tokenizers: TokenizerPair, source: str, target: str, *, layer: int | None = None) -> Figure:
    """Cross-attention of a layer (from 1; None: the last), the mean of its heads and each by itself."""
    across, down, weights = pair_weights(model, tokenizers, source, target)
    number, chosen = _layer(weights["cross"], layer)
    return attention_plots.attention_maps(chosen, down, across, title=f"cross-attention, layer {number}")


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
        return attention_plots.attention_maps(weights, tokens, tokens, title=title)
    at = places_of(word, tokens)
    if not at:
        raise UserError(f'--word "{word}" is not among the tokens {" ".join(tokens)}')
    return attention_plots.one_word(weights[:, at].mean(1), tokens, at, title=title)


def draw(
    name: str, sentence: str | None, target: str | None = None, *, word: str | None = None, layer: int | None = None
) -> tuple[Figure, list[str]]:
    """The picture that the command draws, and the tokens in it. Raises `UserError` for what can't be drawn."""
    kind = recipe.from_pretrained(AutoConfig, name).model_type
    if kind in (XfmrConfig.model_type, XfmrConfig.stock_model_type):
        return _draw_transformer(name, sentence, target, word=word, layer=layer)
    models = {
        config.model_type: model for config, model in ((XfmrBertConfig, XfmrBertModel), (XfmrGPT2Config, XfmrGPT2Model))
    } | {XfmrBertConfig.stock_model_type: XfmrBertModel, XfmrGPT2Config.stock_model_type: XfmrGPT2Model}
    if kind not in models:
        raise UserError(f"{name} is a {kind}; attention is drawn of a Transformer (Marian's too), a BERT or a GPT-2")
    if sentence is None:
        raise UserError(f"a sentence is missing: the position signals that are drawn without one are not a {kind}'s")
    if target is not None:
        raise UserError(f"{name} is a {kind} and has no target: give one sentence")
    tokenizer = recipe.from_pretrained(AutoTokenizer, name)
    model = recipe.from_pretrained(models[kind], name)
    ids = tokenizer(sentence)["input_ids"]
    _check_length(sentence, ids, model)
    with eager(model):
        attentions = model(torch.tensor([ids]), output_attentions=True).attentions
    layers = [one[0].float().numpy() for one in attentions]
    tokens = shown(tokenizer, ids)
    return self_attention(layers, tokens, word, part="", layer=layer), tokens


def _draw_transformer(name: str, sentence: str | None, target: str | None, *, word, layer) -> tuple[Figure, list[str]]:
    if sentence is None:
        table = position_table(recipe.from_pretrained(XfmrConfig, name))
        return attention_plots.position_signals(table[:POSITIONS].numpy()), []
    translator = translate.load(name)
    model, tokenizers = translator.model, translator.tokenizers
    target = translator([sentence])[0] if target is None else target
    if word is None:
        figure = cross(model, tokenizers, sentence, target, layer=layer)
        return figure, []
    sources, targets, weights = pair_weights(model, tokenizers, sentence, target)
    if places_of(word, sources):
        return self_attention(weights["encoder"], sources, word, part="encoder ", layer=layer), sources
    read = ["(start)", *targets[:-1]]  # what the decoder reads
    return self_attention(weights["decoder"], read, word, part="decoder ", layer=layer), read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", help="a folder, sample:minilm, or a model on the Hub")
    parser.add_argument("sentence", nargs="?", help="what the model reads")
    parser.add_argument("target", nargs="?", help="its translation (default: the model's own)")
    parser.add_argument("--word", help="draw what this word looks at")
    parser.add_argument("--layer", type=int, help="layer, from 1 (default: the last)")
    parser.add_argument("--out", required=True, help="picture file: .png, .svg or .pdf")


def run(arguments: argparse.Namespace) -> None:
    figure, tokens = draw(
        arguments.model, arguments.sentence, arguments.target, word=arguments.word, layer=arguments.layer
    )
    if tokens and drawing.fonts_for(tokens) is None:
        print("no font here has all characters, so the tokens are numbered:")
        print(*(f"{place + 1} {token}" for place, token in enumerate(tokens)), sep="\n")
    path = Path(arguments.out)
    try:
        print(drawing.save(figure, path))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} can't be written ({error}); give --out a file name ending in .png, .svg or .pdf"
        ) from None
