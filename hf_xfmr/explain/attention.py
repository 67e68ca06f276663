"""Where a model looks, by the model's name: of a translation, or of one word of a sentence; or the position signals."""

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure
from transformers import AutoConfig, AutoTokenizer

from ..drawing import maps, style
from ..drawing.attention import check_length, cross, eager, pair_weights, places_of, self_attention, shown
from ..errors import UserError
from ..models.transformer import XfmrConfig, position_table
from ..registration import config_classes
from ..run import finite, loading
from ..tasks.translation.translator import load_translator
from ..writing import place

PICTURES = (".png", ".svg", ".pdf")
POSITIONS = 128  # rows of the table of position signals that are drawn: beyond, the picture's lines blur


def attention(
    model: str,
    sentence: str | None = None,
    target: str | None = None,
    *,
    word: str | None = None,
    layer: int | None = None,
    out: str | Path,
) -> list[str]:
    """Write the picture that `draw` makes to `out` (.png, .svg or .pdf). Returns what is to be said of it: tokens that
    no font has, which stand as numbers in the picture, and its path. Raises `UserError` as `draw`, and for a path that
    can't be written."""
    out = place(out, "--out")
    if out.suffix.lower() not in PICTURES:
        raise UserError(f"{out}: a picture's name ends in {', '.join(PICTURES)}; give --out such a name")
    figure, tokens = draw(model, sentence, target, word=word, layer=layer)
    lines = []
    if tokens and style.fonts_for(tokens) is None:
        lines = ["no font here has all characters, so the tokens are numbered:"]
        lines += [f"{place + 1} {token}" for place, token in enumerate(tokens)]
    try:
        return [*lines, str(style.save(figure, out))]
    except UserError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(
            f"{out} can't be written ({error}); give --out a file name ending in .png, .svg or .pdf"
        ) from None


def draw(
    name: str, sentence: str | None, target: str | None = None, *, word: str | None = None, layer: int | None = None
) -> tuple[Figure, list[str]]:
    """The picture that the command draws, and the tokens in it. Raises `UserError` for what can't be drawn."""
    kind = loading.from_pretrained(AutoConfig, name).model_type
    family = next((one for one in config_classes() if kind in (one.model_type, one.stock_model_type)), None)
    if family is None:
        raise UserError(f"{name} is a {kind}; attention is drawn of a Transformer (Marian's too), a BERT or a GPT-2")
    if family.is_encoder_decoder:
        return _draw_transformer(name, sentence, target, word=word, layer=layer)
    if sentence is None:
        raise UserError(f"a sentence is missing: the position signals that are drawn without one are not a {kind}'s")
    if target is not None:
        raise UserError(f"{name} is a {kind} and has no target: give one sentence")
    tokenizer = loading.from_pretrained(AutoTokenizer, name)
    model_class = getattr(sys.modules[family.__module__], family.auto_classes["AutoModel"].split(".")[-1])
    model = loading.to_use(model_class, name, unused="pooler")
    ids = tokenizer(sentence)["input_ids"]
    check_length(sentence, ids, model)
    with eager(model):
        attentions = model(torch.tensor([ids]), output_attentions=True).attentions
    finite.check(name, f'"{sentence[:40]}"', *attentions)
    layers = [one[0].float().numpy() for one in attentions]
    tokens = shown(tokenizer, ids)
    return self_attention(layers, tokens, word, part="", layer=layer), tokens


def _draw_transformer(name: str, sentence: str | None, target: str | None, *, word, layer) -> tuple[Figure, list[str]]:
    if sentence is None:
        table = position_table(loading.from_pretrained(XfmrConfig, name))
        return maps.position_signals(table[:POSITIONS].numpy()), []
    translator = load_translator(name)
    model, tokenizers = translator.model, translator.tokenizers
    target = translator([sentence])[0] if target is None else target
    sources, targets, weights = pair_weights(model, tokenizers, sentence, target)
    finite.check(name, f'"{sentence[:40]}"', *(torch.as_tensor(one) for layers in weights.values() for one in layers))
    if word is None:
        figure = cross(model, tokenizers, sentence, target, layer=layer)
        return figure, []
    if places_of(word, sources):
        return self_attention(weights["encoder"], sources, word, part="encoder ", layer=layer), sources
    read = ["(start)", *targets[:-1]]  # what the decoder reads
    return self_attention(weights["decoder"], read, word, part="decoder ", layer=layer), read
