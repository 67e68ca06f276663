"""Draw where a model looks: a translation's cross-attention, or what one word of a sentence looks at.

    python -m hf_xfmr attention MODEL "The cat sat." "Le chat est assis." --out cross.html
    python -m hf_xfmr attention MODEL "The cat is ill because it ate too much." --word it --layer 4 --head 2
    python -m hf_xfmr attention MODEL --out sinusoids.svg

MODEL is a Transformer (Marian's too), a BERT or a GPT-2. Without a target the model translates the sentence first. With
--word: self-attention, of the encoder if the word is in the sentence, else of the decoder. Without a sentence: the
Transformer's table of position signals. The command says what one sees; the picture shows it. HTML and SVG have text in
the fonts of whoever reads them, Chinese too.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a folder, sample:minilm, or a model on the Hub")
    parser.add_argument("sentence", nargs="?", help="what the model reads")
    parser.add_argument("target", nargs="?", help="its translation (default: the model's own)")
    parser.add_argument("--word", help="draw what this word looks at")
    parser.add_argument("--layer", type=int, help="layer, from 1 (default: the last)")
    parser.add_argument("--head", type=int, help="one head alone, from 1 (default: all, and their mean)")
    parser.add_argument(
        "--language", choices=("en", "zh"), default="en", help="English or Chinese (default: %(default)s)"
    )
    parser.add_argument(
        "--out", default="attention.html", help="file: .html, .svg, .png or .pdf (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..explain.attention import attention
    from ..run.console import say

    lines = attention(
        arguments.model,
        arguments.sentence,
        arguments.target,
        word=arguments.word,
        layer=arguments.layer,
        head=arguments.head,
        language=arguments.language,
        out=arguments.out,
    )
    say(*lines)
