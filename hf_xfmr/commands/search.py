"""Search for better settings: trials on validation rows, then the best trained with several seeds, beside your own.

    python -m hf_xfmr search movie-reviews --trials 20
    python -m hf_xfmr search classify --dataset mine.csv --model sample:minilm --minutes 20

Tried are learning rate, epochs, batch size, warm-up, layer decay, dropout and max_length, in ranges that fit the task
and the model; trials that fall behind are given up. The test split is measured once, after the search. Several
processes with the same command share the trials; after a kill the same command goes on. What else stands on the line
is a flag of the recipe, as of train.
"""

import argparse

from ..run import program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="a config file, the name of a ready one, or classify, tag, gpt2, … with flags")
    _add_options(parser, None)
    parser.add_argument("words", nargs=argparse.REMAINDER, help="the recipe's own --key value")


def _add_options(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("--trials", type=int, default=default, help="how many, those of before included (default: 20)")
    parser.add_argument("--minutes", type=float, default=default, help="after which no further trial begins")
    parser.add_argument("--over", nargs="+", metavar="NAME", default=default, help="try these settings only")
    parser.add_argument(
        "--range",
        action="append",
        dest="ranges",
        metavar="NAME=LOW:HIGH",
        default=default,
        help="another range, or NAME=A,B,C",
    )
    parser.add_argument("--figure", default=default, help="judge by it (default: as the task's verdict)")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=default, metavar="N", help="of the last trainings (default: 1 2 3)"
    )
    parser.add_argument(
        "--no_refit", action="store_true", default=default, help="end after the trials; test stays unread"
    )
    parser.add_argument("--output_dir", default=default, help="the search's folder (default: runs/search-NAME)")
    parser.add_argument("--language", choices=("en", "zh"), default=default, help="of the page (default: en)")


def run(arguments: argparse.Namespace) -> None:
    told, words = program.around(arguments, _add_options)

    from ..search import asked

    asked.check(**told)  # before what takes seconds to import

    from ..search import search

    search(arguments.config, words, **told)
