"""Write a model for other programs: a stock checkpoint without our code, an ONNX graph, or a CTranslate2 model.

What is written is run beside our own model, over random rows, one of all positions and the run's own texts, and is kept
only if both compute the same; a stock checkpoint only if all tensors are the same, bit for bit. With --int8 the run's
validation rows are answered in float32 and in int8: equal answers, figures, size and speed are said, and kept in
int8.md.
"""

import argparse

from ..export import FORMATS, export
from ..run.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="a run's folder, or any folder that save_pretrained of one of our classes made")
    parser.add_argument("--to", choices=FORMATS, default="stock", help="what to write (default: %(default)s)")
    parser.add_argument("--out", help="where to, a new folder (default: FOLDER-stock and so on)")
    parser.add_argument(
        "--int8", action="store_true", help="round the matrix products to 8 bits, and say what that costs (not stock)"
    )
    parser.add_argument(
        "--int8_embeddings", action="store_true", help="the word vectors too: smaller, no faster (ONNX)"
    )
    parser.add_argument(
        "--max_loss", type=float, help="with --int8: the most points that may be lost, or nothing is written"
    )
    parser.add_argument("--file", help="with --int8: rows to compare by (default: the run's validation rows)")


def run(arguments: argparse.Namespace) -> None:
    out, notes = export(
        arguments.folder,
        arguments.to,
        out=arguments.out,
        int8=arguments.int8,
        int8_embeddings=arguments.int8_embeddings,
        max_loss=arguments.max_loss,
        file=arguments.file,
    )
    say(*notes, f"written: {out}")
