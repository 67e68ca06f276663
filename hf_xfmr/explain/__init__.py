"""Explain the three architectures from their own source: one HTML page with the code, the shapes and the pictures.

    python -m hf_xfmr explain
    python -m hf_xfmr explain transformer --lang zh
    python -m hf_xfmr explain bert --bert sample:minilm --out runs/explain

In the order of the papers, in English or Chinese. The code is cut out of the installed package, and what the page shows
passed through small models that learn while it is made, in about a minute. The page needs no network.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from .. import recipe
from ..errors import UserError
from .outline import CHAPTERS

_LANGUAGES = ("en", "zh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=f"{', '.join(CHAPTERS)} (default: all)")
    parser.add_argument("--lang", choices=_LANGUAGES, default="en", help="English or Chinese (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/explain"), help="folder (default: %(default)s)")
    parser.add_argument(
        "--bert",
        help="draw the attention of this BERT, a folder, sample: or Hub name (default: sample:minilm; in Chinese a "
        "small one that learns on the spot)",
    )


def run(arguments: argparse.Namespace) -> None:
    from . import page  # imports matplotlib and the models, which `--help` does not need

    unknown = [name for name in arguments.chapters if name not in CHAPTERS]
    if unknown:
        raise UserError(f"there is no chapter '{unknown[0]}': the page has {', '.join(CHAPTERS)}")
    chapters = [name for name in CHAPTERS if name in arguments.chapters or not arguments.chapters]
    words = [*arguments.chapters, "--lang", arguments.lang, *(["--bert", arguments.bert] if arguments.bert else [])]
    began = time.perf_counter()
    html = page.render(
        chapters,
        arguments.lang,
        command=f"python -m hf_xfmr explain {shlex.join(words)}",
        bert=arguments.bert or (_default_bert(arguments.lang) if "bert" in chapters else None),
    )
    path: Path = arguments.out / f"explain-{arguments.lang}.html"
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}): give another --out") from None
    parts = sum(len(CHAPTERS[name]) for name in chapters)
    print(f"{path}: {parts} parts in {time.perf_counter() - began:.0f} seconds")


def _default_bert(language: str) -> str | None:
    """The BERT a language's page draws unless told otherwise; None, and a line that says so, if it can't be had."""
    from . import page

    name = page.texts(language)["examples"]["bert"]
    try:
        return name and recipe.checkpoint(name) and name
    except UserError as error:
        print(f"{error}; drawn instead is the attention of a small BERT that learns on the spot", file=sys.stderr)
        return None
