"""Draw where a model looks: a translation's cross-attention, or what one word of a sentence looks at.

    python -m hf_xfmr attention MODEL "The cat sat." "Le chat est assis." --out cross.png
    python -m hf_xfmr attention MODEL "The cat did not cross the street because it was tired." --word it --out it.png
    python -m hf_xfmr attention MODEL --out sinusoids.png

MODEL is a Transformer (Marian's too), a BERT or a GPT-2. Without a target the model translates the sentence first. With
--word: self-attention, of the encoder if the word is in the sentence, else of the decoder. Without a sentence: the
Transformer's table of position signals.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", help="a folder, sample:minilm, or a model on the Hub")
    parser.add_argument("sentence", nargs="?", help="what the model reads")
    parser.add_argument("target", nargs="?", help="its translation (default: the model's own)")
    parser.add_argument("--word", help="draw what this word looks at")
    parser.add_argument("--layer", type=int, help="layer, from 1 (default: the last)")
    parser.add_argument("--out", required=True, help="picture file: .png, .svg or .pdf")


def run(arguments: argparse.Namespace) -> None:
    from ..explain.attention import attention
    from ..run.console import say

    lines = attention(
        arguments.model,
        arguments.sentence,
        arguments.target,
        word=arguments.word,
        layer=arguments.layer,
        out=arguments.out,
    )
    say(*lines)
