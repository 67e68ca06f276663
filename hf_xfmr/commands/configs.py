"""List the ready configurations, or copy one beside your data, to be changed there.

    python -m hf_xfmr configs
    python -m hf_xfmr configs copy movie-reviews

Each is trained by its name: train classify --config movie-reviews.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("list", "copy"), default="list", help="default: %(default)s")
    parser.add_argument("named", nargs="?", metavar="NAME", help="of which recipe to list, or which to copy")
    parser.add_argument("--out", dest="to", help="copy: the file or folder to write (default: here)")


def run(arguments: argparse.Namespace) -> None:
    from ..run.configs import answer

    print(answer(arguments.what, arguments.named, arguments.to))
