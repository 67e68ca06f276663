"""The pictures of the page, all drawn from tensors of real passes. Each takes the passes and the language's words."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from markupsafe import Markup
from matplotlib.figure import Figure
from torch import Tensor

from ..drawing import attention, maps
from ..drawing.attention import Drawn
from ..drawing.style import FIRST, SECOND, WIDTH, styled
from ..models.blocks import activation
from ..models.transformer import position_table
from . import diagram
from .passes import Passes

Words = Mapping[str, str]


def figure_1(passes: Passes, words: Words) -> Markup:
    """The 2017 paper's figure 1, with the names of the small Transformer's modules."""
    return diagram.draw(passes.transformer.model, words)


def sinusoids(passes: Passes, words: Words) -> Drawn:
    """The table of position signals of the small Transformer."""
    return attention.signals(position_table(passes.transformer.model.config).numpy(), words)


def encoder_heads(passes: Passes, words: Words) -> Drawn:
    """Self-attention of the encoder's first layer on the sentence."""
    tokens = passes.shown(passes.batch["input_ids"][0])
    layers = _arrays(passes.transformer_pass.out.encoder_attentions)
    return attention.self_attention(layers, tokens, None, kind="encoder", layer=1, words=words)


def cross_heads(passes: Passes, words: Words) -> Drawn:
    """What the decoder's last layer looks at in the source, as it writes the sentence backwards."""
    across, down = (passes.shown(passes.batch[name][0]) for name in ("input_ids", "labels"))
    return attention.cross(_arrays(passes.transformer_pass.out.cross_attentions), across, down, words=words)


def gpt2_heads(passes: Passes, words: Words) -> Drawn:
    """Causal self-attention of GPT-2's first layer."""
    tokens = attention.shown(passes.bytes, passes.gpt2_ids[0].tolist())
    return attention.self_attention(
        _arrays(passes.gpt2_pass.out.attentions), tokens, None, causal=True, layer=1, words=words
    )


def bert_heads(passes: Passes, words: Words) -> Drawn:
    """Self-attention of the last layer of the BERT that was named."""
    tokens, layers = passes.reading
    return attention.self_attention(layers, tokens, None, words=words)


def bert_word(passes: Passes, words: Words) -> Drawn:
    """What the sentence's word looks at in that layer, in the page's own language."""
    tokens, layers = passes.reading
    word = passes.examples["word"]
    known = word if attention.places_of(word, tokens) else tokens[len(tokens) // 2]
    return attention.self_attention(layers, tokens, known, words=words)


def antecedent_first(passes: Passes, words: Words) -> Drawn:
    """What a pronoun looks at in the head that was measured to find antecedents, where it stands for the first noun."""
    return _antecedent(passes, words, "first")


def antecedent_second(passes: Passes, words: Words) -> Drawn:
    """The same where it stands for the second noun."""
    return _antecedent(passes, words, "second")


def _antecedent(passes: Passes, words: Words, kind: str) -> Drawn:
    _, model, tokenizer = passes.finder
    found, _ = passes.antecedents
    sentence, pronoun, _ = passes.examples["antecedents"][kind][0]
    tokens, layers = attention.read(model, tokenizer, sentence)
    layer, head = (found[0].layer, found[0].head) if found else (len(layers), 1)
    word = pronoun if attention.places_of(pronoun, tokens) else tokens[len(tokens) // 2]
    return attention.self_attention(layers, tokens, word, layer=layer, head=head, words=words)


def _arrays(layers) -> list[np.ndarray]:
    """The weights of the first row of the batch, [H, T, S] a layer."""
    return [one[0].float().numpy() for one in layers]


def seen(mask: Tensor | None, row: int, shape: tuple[int, int]) -> np.ndarray:
    """An attention mask as a block receives it, as 1 where a position is seen, [T, S]; no mask hides nothing."""
    if mask is None:
        return np.ones(shape)
    mask = mask.expand(max(mask.size(0), row + 1), -1, -1, -1)[row, 0]
    return (mask if mask.dtype == torch.bool else mask >= 0).numpy().astype(float)


@styled
def masks(passes: Passes, words: Words) -> Figure:
    """Four masks, taken where the blocks receive them: full, padding, causal, cross."""
    blocks = passes.transformer_pass.steps
    encoder, decoder = blocks["model.encoder.blocks.0"].named["1"], blocks["model.decoder.blocks.0"].named
    sources = [passes.shown(row) for row in passes.batch["input_ids"]]
    reads = passes.transformer.model.prepare_decoder_input_ids_from_labels(passes.batch["labels"])
    targets = [passes.shown(row) for row in reads]
    panels = [
        ("mask_full", encoder, 0, sources[0], sources[0]),
        ("mask_padding", encoder, 1, sources[1], sources[1]),
        ("mask_causal", decoder["1"], 0, targets[0], targets[0]),
        ("mask_cross", decoder["3"], 1, targets[1], sources[1]),
    ]
    return _masks([(words[name], seen(m, row, (len(d), len(a))), d, a) for name, m, row, d, a in panels], columns=2)


@styled
def three_masks(passes: Passes, words: Words) -> Figure:
    """The mask of each architecture, in a row: BERT's, GPT-2's, and both of the Transformer's decoder."""
    bert, gpt2 = passes.shown(passes.bert_row[0]), attention.shown(passes.bytes, passes.gpt2_ids[0].tolist())
    steps = passes.transformer_pass.steps["model.decoder.blocks.0"].named
    sources = passes.shown(passes.batch["input_ids"][0])
    reads = passes.transformer.model.prepare_decoder_input_ids_from_labels(passes.batch["labels"])
    targets = passes.shown(reads[0])
    one = passes.bert_pass.steps["bert.blocks.0"].named["1"]
    other = passes.gpt2_pass.steps["transformer.blocks.0"].named["1"]
    return _masks(
        [
            (words["mask_bert"], seen(one, 0, (len(bert),) * 2), bert, bert),
            (words["mask_gpt2"], seen(other, 0, (len(gpt2),) * 2), gpt2, gpt2),
            (words["mask_decoder"], seen(steps["1"], 0, (len(targets),) * 2), targets, targets),
            (words["mask_memory"], seen(steps["3"], 0, (len(targets), len(sources))), targets, sources),
        ],
        columns=2,
    )


def _masks(panels: list, columns: int) -> Figure:
    rows = -(-len(panels) // columns)
    longest = max(max(len(down), len(across)) for _, _, down, across in panels)
    side = 1.15 + 0.165 * longest
    figure = Figure(figsize=(columns * side + 0.3, rows * (side + 0.25)), layout="constrained")
    for axes, (title, mask, down, across) in zip(figure.subplots(rows, columns).flat, panels, strict=True):
        maps.heat_map(axes, 0.75 * mask, mask > 0)
        axes.set_aspect("equal")
        axes.set_yticks(range(len(down)), down)
        axes.set_xticks(range(len(across)), across, rotation=90)
        axes.tick_params(length=0)
        axes.set_title(title)
    return figure


@styled
def norms(passes: Passes, words: Words) -> Figure:
    """Spread of each token's vector: what the sublayer gave added to what it read, before and after the norm."""
    step = passes.transformer_pass.steps["model.encoder.blocks.0.attention_norm"]
    tokens = passes.shown(passes.batch["input_ids"][0])
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    axes = figure.subplots()
    for tensor, colour, name in ((step.reads[0], SECOND, "before_norm"), (step.gives[0], FIRST, "after_norm")):
        axes.plot(tensor[0].std(-1).numpy(), color=colour, marker="o", markersize=4, label=words[name])
    axes.set_xticks(range(len(tokens)), tokens, rotation=90)
    axes.set_ylim(bottom=0)
    axes.set_title(words["spread"])
    axes.legend()
    axes.grid(axis="y")
    return figure


@styled
def activations(passes: Passes, words: Words) -> Figure:
    """The functions between the two layers: the Transformer's ReLU, and the GELU of BERT and GPT-2."""
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    axes = figure.subplots()
    x = torch.linspace(-3.5, 3.5, 141)
    for name, colour in (("relu", FIRST), ("gelu", SECOND)):
        axes.plot(x.numpy(), activation(name)(x).numpy(), color=colour, label=name)
    share = float((passes.transformer_pass.steps["model.encoder.blocks.0.feed_forward.up"].gives[0] > 0).float().mean())
    axes.set_title(words["share_active"].format(share))
    axes.legend()
    axes.grid()
    return figure


@styled
def positions_alike(passes: Passes, words: Words) -> Figure:
    """How alike the vectors of two positions are (their cosine): the sinusoids' beside those that BERT learned."""
    learned = passes.reader[1].embeddings.position.weight.detach()[:64]
    table = position_table(passes.transformer.model.config)[: len(learned)]
    figure = Figure(figsize=(2 * 2.9, 3.0), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, vectors, name in ((panels[0], table, "sinusoidal"), (panels[1], learned, "learned")):
        unit = torch.nn.functional.normalize(vectors.float(), dim=-1)
        image = axes.imshow((unit @ unit.T).numpy(), cmap=maps.DIVERGING, vmin=-1, vmax=1)
        axes.set(xlabel=words["position"], title=words[name])
    panels[0].set_ylabel(words["position"])
    figure.colorbar(image, ax=list(panels), shrink=0.7)
    return figure


PICTURES: dict[str, Callable[[Passes, Words], Figure | Drawn | Markup]] = {
    draw.__name__: draw
    for draw in (
        figure_1,
        sinusoids,
        encoder_heads,
        cross_heads,
        gpt2_heads,
        bert_heads,
        bert_word,
        antecedent_first,
        antecedent_second,
        masks,
        three_masks,
        norms,
        activations,
        positions_alike,
    )
}
