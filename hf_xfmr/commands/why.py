"""Say which words of a text decided a classifier's answer, with their shares; write them as a page, a picture, JSON.

    python -m hf_xfmr why runs/mine "a slow start, but superb"
    python -m hf_xfmr why runs/mine "a slow start, but superb" --out why.html

The shares are integrated gradients, which add up to what the words changed of the answer's probability, but for an
error that is said; or, of a folder that PyTorch does not compute, what leaving each word out would change. Chinese is
cut into words by jieba where it is installed, else into characters.
"""

import argparse

from ..engines import ENGINES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, one that export wrote, or a model on the Hub")
    parser.add_argument("text", help="the text")
    parser.add_argument("text_pair", nargs="?", help="the second text, for a model that reads pairs")
    parser.add_argument("--label", help="explain this label's probability (default: the answer's)")
    parser.add_argument(
        "--method",
        choices=("gradients", "left_out"),
        help="integrated gradients, or each word left out in turn (default: gradients where PyTorch computes)",
    )
    parser.add_argument("--engine", choices=ENGINES, help="what computes (default: what the folder is for)")
    parser.add_argument(
        "--language", choices=("en", "zh"), default="en", help="of the picture: English or Chinese (default: en)"
    )
    parser.add_argument("--out", help="file: .json, .html, .svg, .png or .pdf")


def run(arguments: argparse.Namespace) -> None:
    from ..run.console import say
    from ..why import why

    lines = why(
        arguments.model,
        arguments.text,
        arguments.text_pair,
        label=arguments.label,
        method=arguments.method,
        engine=arguments.engine,
        language=arguments.language,
        out=arguments.out,
    )
    say(*lines)
