"""Train: classify, tag, answer, distill, translate, gpt2, pretrain or tokenizer, from a configuration, flags or both.

    python -m hf_xfmr train classify --dataset mine.csv --model sample:minilm
    python -m hf_xfmr train classify --config movie-reviews

The configuration is a file of your own, or a ready one by name (`configs` lists them); flags lie over it, and
`train classify --help` lists them. What runs is the script in recipes/, which can be copied and changed.
"""

import argparse

from ..run.recipes import NAMES
from ..run.train import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="WHAT", help=", ".join(NAMES))
    parser.add_argument("words", nargs=argparse.REMAINDER, help="[--config CONFIG] [--key value ...]")


def run(arguments: argparse.Namespace) -> None:
    train(arguments.name, arguments.words)
