"""Write a model for other programs: a stock checkpoint without our code, an ONNX graph, or a CTranslate2 model.

What is written is run beside our own model, over random rows, one of all positions and the run's own texts, and is kept
only if both compute the same; a stock checkpoint only if all tensors are the same, bit for bit.
"""

import argparse

from ..export import FORMATS, export
from ..run.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="a run's folder, or any folder that save_pretrained of one of our classes made")
    parser.add_argument("--to", choices=FORMATS, default="stock", help="what to write (default: %(default)s)")
    parser.add_argument("--out", help="where to, a new folder (default: FOLDER-stock and so on)")


def run(arguments: argparse.Namespace) -> None:
    out, notes = export(arguments.folder, arguments.to, out=arguments.out)
    say(*notes, f"written: {out}")
