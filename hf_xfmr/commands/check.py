"""Check a run before its first step (data, tokenizer, disk, memory, time), or say what a bare file is and how to train.

A config file (.yaml), or a ready one by its name, is checked as its recipe would be run. Of any other file, folder,
sample: or name on the Hub it is said how it is read, what can be learned from it, and the command that does. Errors end
with exit code 2.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", help="a config file, which begins with its command, or the name of a ready one; or a dataset"
    )
    parser.add_argument(
        "overrides",
        nargs=argparse.REMAINDER,
        help="--strict (warnings are errors) and the recipe's own --key value; of a dataset flags of its data",
    )


def run(arguments: argparse.Namespace) -> None:
    from ..check.config import check_config

    check_config(arguments.config, arguments.overrides)
