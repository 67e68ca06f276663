"""How many labels are enough: train on growing parts of the rows, and say what more of them would bring.

    python -m hf_xfmr curve movie-reviews
    python -m hf_xfmr curve classify --dataset mine.csv --model sample:minilm --sizes 100 200 400 800

Each size is trained with several seeds, each with rows of its own; fewer rows are part of the more of the same seed. An
inverse power law is fitted to the figures of the test rows, and extrapolated with its uncertainty. TF-IDF's curve
stands beside it. After a kill the same command goes on. What else stands on the line is a flag of the recipe, as of
train.
"""

import argparse

from ..run import program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="a config file, the name of a ready one, or classify with flags")
    _add_options(parser, None)
    parser.add_argument("words", nargs=argparse.REMAINDER, help="the recipe's own --key value")


def _add_options(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--sizes", nargs="+", type=int, metavar="N", default=default, help="train rows (default: all, and halves of it)"
    )
    parser.add_argument("--repeats", type=int, default=default, help="seeds of each size (default: 3)")
    parser.add_argument(
        "--least_steps", type=int, default=default, help="of training, in more epochs if need be (default: 100)"
    )
    parser.add_argument("--output_dir", default=default, help="the curve's folder (default: runs/curve-NAME)")
    parser.add_argument("--language", choices=("en", "zh"), default=default, help="of the page (default: en)")


def run(arguments: argparse.Namespace) -> None:
    told, words = program.around(arguments, _add_options)

    from ..learning_curve import asked

    asked.check(**told)  # before what takes seconds to import

    from ..learning_curve import curve

    curve(arguments.config, words, **told)
