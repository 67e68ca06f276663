"""The sizes in a model's config, whichever of the papers it is of: which there are, and what a model of them takes."""

from collections.abc import Iterator, Mapping
from typing import Any

WIDTHS = ("hidden_size", "n_embd", "d_model", "dim")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers")
INNER = ("intermediate_size", "n_inner", "hidden_dim", "encoder_ffn_dim", "decoder_ffn_dim")
HEADS = {  # and the width that each number of heads has to divide
    "num_attention_heads": "hidden_size",
    "n_head": "n_embd",
    "n_heads": "dim",
    "encoder_attention_heads": "d_model",
    "decoder_attention_heads": "d_model",
}
ROWS = ("vocab_size", "decoder_vocab_size", "max_position_embeddings", "n_positions", "type_vocab_size")
ALL = (*WIDTHS, *LAYERS, *INNER, *HEADS, *ROWS)


def uneven(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names of the widths that their heads do not share evenly, each with that of the heads."""
    for heads, width in HEADS.items():
        if config.get(heads) and config.get(width) and config[width] % config[heads]:
            yield width, heads


def parameters(config: Mapping[str, Any]) -> int:
    """About how many weights a model of this config has: tables of words and positions, and the blocks' matrices; not
    heads, biases and norms. What the config does not say counts as little."""

    def largest(*names: str) -> int:
        return max((config.get(name) or 0 for name in names), default=0)

    width, words = largest(*WIDTHS), largest("vocab_size", "decoder_vocab_size")
    positions = largest("max_position_embeddings", "n_positions")
    if "encoder_layers" in config or "decoder_layers" in config:
        encoder = 4 * width + 2 * (config.get("encoder_ffn_dim") or 4 * width)
        decoder = 8 * width + 2 * (config.get("decoder_ffn_dim") or 4 * width)  # which has two attentions
        blocks = largest("encoder_layers") * encoder + largest("decoder_layers") * decoder
        return width * (words + positions + blocks)  # its positions are no weights, but a table of that size
    inner = largest(*INNER[:3]) or 4 * width
    return width * (words + positions + largest(*LAYERS[:3]) * (4 * width + 2 * inner))
