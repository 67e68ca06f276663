"""Check a run before its first step: the data, the tokenizer, disk, memory and time; errors end with exit code 2."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="a config file of a recipe, which begins with its command")
    parser.add_argument(
        "overrides", nargs=argparse.REMAINDER, help="--strict (warnings are errors) and the recipe's own --key value"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..check.config import check_config

    check_config(arguments.config, arguments.overrides)
