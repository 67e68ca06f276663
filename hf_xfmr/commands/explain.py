"""Explain the three architectures from their own source: one HTML page with the code, the shapes and the pictures.

    python -m hf_xfmr explain
    python -m hf_xfmr explain transformer --language zh
    python -m hf_xfmr explain bert --bert sample:minilm --out runs/explain

In the order of the papers, in English or Chinese. The code is cut out of the installed package, and what the page shows
passed through small models that learn while it is made, in about a minute. The page needs no network.
"""

import argparse
from pathlib import Path

from ..explain import explain
from ..explain.outline import CHAPTERS
from ..run.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=f"{', '.join(CHAPTERS)} (default: all)")
    parser.add_argument(
        "--language", choices=("en", "zh"), default="en", help="English or Chinese (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/explain"), help="folder (default: %(default)s)")
    parser.add_argument(
        "--bert",
        help="draw the attention of this BERT, a folder, sample: or Hub name (default: sample:minilm; in Chinese a "
        "small one that learns on the spot)",
    )


def run(arguments: argparse.Namespace) -> None:
    say(explain(arguments.chapters, language=arguments.language, out=arguments.out, bert=arguments.bert))
