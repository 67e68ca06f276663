"""Write a finished run's report and model card anew, in English or Chinese.

Nothing is computed by the model: the report is made of what the run left in its folder. What you wrote into README.md
outside our part stays.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="a finished run's folder")
    parser.add_argument("--language", choices=("en", "zh"), help="English or Chinese (default: as the run said)")


def run(arguments: argparse.Namespace) -> None:
    from ..run.console import say
    from ..tasks.rewrite import rewrite

    say(*(f"written: {path}" for path in rewrite(arguments.folder, language=arguments.language)))
