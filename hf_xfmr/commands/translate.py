"""Translate texts with a translation model: one line for each, in the order they came.

Texts are the arguments, or else the lines of standard input; an empty line stays empty.
"""

import argparse

from ..engines import ENGINES
from ..plain import harmless
from .texts import given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, one that export wrote, or a Marian model (opus-mt) on the Hub")
    parser.add_argument("texts", nargs="*", help="texts to translate; none: the lines of standard input")
    parser.add_argument("--batch_size", type=int, default=32, help="texts computed at a time (default: %(default)s)")
    parser.add_argument("--num_beams", type=int, help="beams of the search (default: the model's own)")
    parser.add_argument(
        "--engine", choices=ENGINES, help="what computes (default: what the folder is for, a run's: torch)"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..tasks.translation.translator import translate

    texts = given(arguments.texts)
    options = {"batch_size": arguments.batch_size, "num_beams": arguments.num_beams, "engine": arguments.engine}
    for text in translate(arguments.model, texts, **options):
        print(harmless(text, kept="\t"), flush=True)  # a line for each
