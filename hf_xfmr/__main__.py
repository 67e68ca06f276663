"""python -m hf_xfmr COMMAND: use what a recipe made, from the command line."""

import argparse

from . import (
    adoption,
    attention,
    compare,
    consolidate,
    explain,
    export,
    fill,
    generate,
    predict,
    push,
    recipe,
    translate,
    verify,
)
from .check import command as check

COMMANDS = {
    "check": check,
    "verify": verify,
    "predict": predict,
    "fill": fill,
    "generate": generate,
    "translate": translate,
    "attention": attention,
    "explain": explain,
    "compare": compare,
    "push": push,
    "consolidate": consolidate,
    "adopt": adoption,
    "export": export,
}


def run() -> None:
    parser = argparse.ArgumentParser(prog="python -m hf_xfmr", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").strip().splitlines()[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    recipe.main(run)
