"""The pictures of the page, all drawn from tensors of real passes. Each takes the passes and the language's words."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..drawing import attention, maps
from ..drawing.maps import heat_map
from ..drawing.style import FIRST, SECOND, WIDTH, styled
from ..models.blocks import activation
from ..models.transformer import position_table
from .passes import Passes

Words = Mapping[str, str]


def sinusoids(passes: Passes, words: Words) -> Figure:
    """The table of position signals of the small Transformer."""
    table = position_table(passes.transformer.model.config)
    labels = words["dimension"], words["position"], words["signals"]
    return maps.position_signals(table.numpy(), words=labels)


def encoder_heads(passes: Passes, words: Words) -> Figure:
    """Self-attention of the encoder's first layer on the sentence."""
    tokens = passes.shown(passes.batch["input_ids"][0])
    return _heads(passes.transformer_pass.out.encoder_attentions[0][0], tokens, tokens, words["encoder"], 1, words)


def cross_heads(passes: Passes, words: Words) -> Figure:
    """What the decoder's last layer looks at in the source, as it writes the sentence backwards."""
    across = passes.shown(passes.batch["input_ids"][0])
    weights = passes.transformer_pass.out.cross_attentions
    return _heads(weights[-1][0], passes.shown(passes.batch["labels"][0]), across, words["cross"], len(weights), words)


def gpt2_heads(passes: Passes, words: Words) -> Figure:
    """Causal self-attention of GPT-2's first layer."""
    tokens = passes.shown(passes.gpt2_ids[0])
    return _heads(passes.gpt2_pass.out.attentions[0][0], tokens, tokens, words["self"], 1, words)


def bert_heads(passes: Passes, words: Words) -> Figure:
    """Self-attention of the last layer of the BERT that was named."""
    tokens, layers = passes.reading
    return _heads(layers[-1], tokens, tokens, words["self"], len(layers), words)


def bert_word(passes: Passes, words: Words) -> Figure:
    """What the sentence's word looks at in that layer."""
    tokens, layers = passes.reading
    at = attention.places_of(passes.examples["word"], tokens) or [len(tokens) // 2]
    title = words["looks"].format("".join(tokens[place].removeprefix("##") for place in at), len(layers))
    return maps.one_word(
        layers[-1][:, at].mean(1), tokens, at, title=title, words=(words["mean"], words["head"].format("").strip())
    )


def _heads(weights, down: list[str], across: list[str], name: str, layer: int, words: Words) -> Figure:
    title = words["layer"].format(name, layer)
    heads = words["mean_of_heads"], words["head"]
    return maps.attention_maps(np.asarray(weights), down, across, title=title, words=heads)


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
    bert, gpt2 = passes.shown(passes.bert_row[0]), passes.shown(passes.gpt2_ids[0])
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
    side = 0.95 + 0.165 * longest
    figure = Figure(figsize=(columns * side + 0.3, rows * (side + 0.25)), layout="constrained")
    for axes, (title, mask, down, across) in zip(figure.subplots(rows, columns).flat, panels, strict=True):
        heat_map(axes, 0.75 * mask, down, across, title=title)
        axes.images[0].set_clim(0, 1)
        axes.set_xticks(np.arange(len(across) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(down) + 1) - 0.5, minor=True)
        axes.grid(which="minor", alpha=0.7)
        axes.tick_params(which="minor", length=0)
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
    labels, fonts = maps.labels_for(tokens)
    axes.set_xticks(range(len(tokens)), labels, family=fonts, rotation=90)
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


PICTURES: dict[str, Callable[[Passes, Words], Figure]] = {
    draw.__name__: draw
    for draw in (
        sinusoids,
        encoder_heads,
        cross_heads,
        gpt2_heads,
        bert_heads,
        bert_word,
        masks,
        three_masks,
        norms,
        activations,
        positions_alike,
    )
}
