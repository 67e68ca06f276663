"""Run a script that was written for stock BERT, GPT-2 or Marian on these models instead; no file is changed.

In its process `AutoModel…` and the names in `transformers` give our classes for stock configs. Configs stay stock's,
and so do saved folders. What cannot be served is loaded by stock, with a line saying why.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("script", help="a Python script in plain transformers style")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")


def run(arguments: argparse.Namespace) -> None:
    from ..adoption.script import run_script

    run_script(arguments.script, arguments.arguments)
