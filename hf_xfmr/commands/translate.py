"""Translate texts with a translation model: one line for each, in the order they came.

Texts are the arguments, or else the lines of standard input; an empty line stays empty.
"""

import argparse

from ..plain import harmless
from .texts import given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, or a Marian model (opus-mt) on the Hub")
    parser.add_argument("texts", nargs="*", help="texts to translate; none: the lines of standard input")
    parser.add_argument("--batch_size", type=int, default=32, help="texts computed at a time (default: %(default)s)")
    parser.add_argument("--num_beams", type=int, help="beams of the search (default: the model's own)")


def run(arguments: argparse.Namespace) -> None:
    from ..tasks.translation.translator import translate

    texts = given(arguments.texts)
    for text in translate(arguments.model, texts, batch_size=arguments.batch_size, num_beams=arguments.num_beams):
        print(harmless(text, kept="\t"), flush=True)  # a line for each
