"""Translate texts with a translation model: one line for each, in the order they came.

Texts are the arguments, or else the lines of standard input; an empty line stays empty.
"""

import argparse
import sys
from itertools import islice

import torch

from .. import recipe
from ..errors import UserError
from ..models.transformer import XfmrForConditionalGeneration
from ..tasks.tokenizer_pair import TokenizerPair
from ..tasks.translator import Translator

CHUNK = 8  # batches read before the first is written: so many lines are put in order of length


def load(name: str, **options) -> Translator:
    """A translator from a run's folder or from a Marian checkpoint. `options` are those of `from_pretrained`."""
    model = recipe.from_pretrained(XfmrForConditionalGeneration, name, **options).eval()
    tokenizers = recipe.from_pretrained(TokenizerPair, name, config=model.config)
    return Translator(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizers)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, or a Marian model (opus-mt) on the Hub")
    parser.add_argument("texts", nargs="*", help="texts to translate; none: the lines of standard input")
    parser.add_argument("--batch_size", type=int, default=32, help="texts computed at a time (default: %(default)s)")
    parser.add_argument("--num_beams", type=int, help="beams of the search (default: the model's own)")


def run(arguments: argparse.Namespace) -> None:
    if not arguments.texts and sys.stdin.isatty():
        raise UserError("no texts: give them as arguments, or pipe in a file with one text a line")
    translator = load(arguments.model)
    options = {} if arguments.num_beams is None else {"num_beams": arguments.num_beams}
    lines = iter(arguments.texts or (line.rstrip("\r\n") for line in sys.stdin))
    while texts := list(islice(lines, CHUNK * arguments.batch_size)):
        print(*translator(texts, batch_size=arguments.batch_size, **options), sep="\n", flush=True)
