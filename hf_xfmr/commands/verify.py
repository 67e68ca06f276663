"""Check that a model computes what it should, whatever the batch: a table, and exit code 0 if every line held.

Padding, packing, accumulation, caching, saving, resuming and evaluating must change nothing. `--stock` sets the stock
class and transformers' own Trainer beside it; the exit code speaks of ours.
"""

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a checkpoint, stock or ours: a folder, a name on the Hub, or sample:minilm")
    parser.add_argument("--data", help="real texts, as finetune_gpt2 takes them; none: rows of random tokens")
    parser.add_argument("--text_column", help="column of the texts; none: found by name")
    parser.add_argument("--stock", action="store_true", help="the same checks of the stock class, beside")


def run(arguments: argparse.Namespace) -> None:
    from ..verify import verify

    held = verify(arguments.model, data=arguments.data, text_column=arguments.text_column, stock=arguments.stock)
    sys.exit(0 if held else 1)
