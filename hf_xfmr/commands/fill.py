"""Fill in masked words with a BERT: one JSON line for each text, with the likeliest tokens of each [MASK].

Texts are the arguments, or else the lines of standard input. A [MASK] is one token, in Chinese most often a character:
a word of two characters takes two. Several are filled each on its own, as in training, and not to suit one another.
"""

import argparse

from ..engines import ENGINES
from ..plain import json_line
from .texts import given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, one that export wrote, or a model on the Hub")
    parser.add_argument("texts", nargs="*", help="texts with [MASK] in them; none: the lines of standard input")
    parser.add_argument("--top_k", type=int, default=5, help="tokens to show for each mask (default: %(default)s)")
    parser.add_argument(
        "--engine", choices=ENGINES, help="what computes (default: what the folder is for, a run's: torch)"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..tasks.pretraining.filler import fill

    for answer in fill(arguments.model, given(arguments.texts), top_k=arguments.top_k, engine=arguments.engine):
        print(json_line(answer), flush=True)
