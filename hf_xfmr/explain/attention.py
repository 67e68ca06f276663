"""Where a model looks, by the model's name: of a translation, or of one word of a sentence; or the position signals."""

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from ..drawing import files
from ..drawing.attention import (
    Drawn,
    cross,
    pair_weights,
    places_of,
    read,
    self_attention,
    signals,
)
from ..drawing.style import fonts_for
from ..drawing.words import WORDS
from ..errors import UserError
from ..models.transformer import XfmrConfig, position_table
from ..registration import config_classes
from ..run import finite, loading
from ..tasks.translation.translator import load_translator
from ..writing import place

POSITIONS = 128  # rows of the table of position signals that are drawn: beyond, the picture's lines blur


def attention(
    model: str,
    sentence: str | None = None,
    target: str | None = None,
    *,
    word: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    language: str = "en",
    out: str | Path = "attention.html",
) -> list[str]:
    """Write the picture that `draw` makes to `out` (.html, .svg, .png or .pdf). Returns what is to be said of it: what
    one sees, tokens that stand as numbers in a picture of pixels for want of a font, and its path. Raises `UserError`
    as `draw`, and for a path that can't be written."""
    out = place(out, "--out")
    if out.suffix.lower() not in files.KINDS:
        raise UserError(f"{out}: a picture's name ends in {', '.join(files.KINDS)}; give --out such a name")
    if out.suffix.lower() in files.PIXELS and fonts_for(WORDS[language].values()) is None:
        language = "en"  # pixels of boxes would say nothing; the lines below tell where Chinese can be read
    drawn = draw(model, sentence, target, word=word, layer=layer, head=head, language=language)
    try:
        return [*files.write(drawn, out), str(out)]
    except UserError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(
            f"{out} can't be written ({error}); give --out a file name ending in {', '.join(files.KINDS)}"
        ) from None


def draw(
    name: str,
    sentence: str | None,
    target: str | None = None,
    *,
    word: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    language: str = "en",
) -> Drawn:
    """What the command draws, with what it says of it in a language (en, zh). Raises `UserError` for what can't be
    drawn."""
    how: dict[str, Any] = {"word": word, "layer": layer, "head": head, "words": WORDS[language]}
    kind = loading.from_pretrained(AutoConfig, name).model_type
    family = next((one for one in config_classes() if kind in (one.model_type, one.stock_model_type)), None)
    if family is None:
        raise UserError(f"{name} is a {kind}; attention is drawn of a Transformer (Marian's too), a BERT or a GPT-2")
    if family.is_encoder_decoder:
        return _draw_transformer(name, sentence, target, **how)
    if sentence is None:
        raise UserError(f"a sentence is missing: the position signals that are drawn without one are not a {kind}'s")
    if target is not None:
        raise UserError(f"{name} is a {kind} and has no target: give one sentence")
    tokenizer = loading.from_pretrained(AutoTokenizer, name)
    model_class = getattr(sys.modules[family.__module__], family.auto_classes["AutoModel"].split(".")[-1])
    model = loading.to_use(model_class, name, unused="pooler")
    tokens, layers = read(model, tokenizer, sentence)
    finite.check(name, f'"{sentence[:40]}"', *map(torch.as_tensor, layers))
    return self_attention(layers, tokens, causal=family.stock_model_type == "gpt2", **how)


def _draw_transformer(name: str, sentence: str | None, target: str | None, *, word, layer, head, words) -> Drawn:
    if sentence is None:
        return signals(position_table(loading.from_pretrained(XfmrConfig, name))[:POSITIONS].numpy(), words)
    translator = load_translator(name)
    model, tokenizers = translator.engine.model, translator.tokenizers
    target = translator([sentence])[0] if target is None else target
    sources, targets, weights = pair_weights(model, tokenizers, sentence, target)
    finite.check(name, f'"{sentence[:40]}"', *(torch.as_tensor(one) for layers in weights.values() for one in layers))
    how = {"layer": layer, "head": head, "words": words}
    if word is None:
        return cross(weights["cross"], sources, targets, **how)
    if places_of(word, sources):
        return self_attention(weights["encoder"], sources, word, kind="encoder", **how)
    reads = ["(start)", *targets[:-1]]  # what the decoder reads
    return self_attention(weights["decoder"], reads, word, kind="decoder", causal=True, **how)
