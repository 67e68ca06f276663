"""python -m hf_xfmr COMMAND: use what a recipe made, from the command line."""

import importlib
import sys
from types import ModuleType

from .run import program

COMMANDS = (  # in the order in which a user meets them; a file of commands/ each
    *("check", "verify", "predict", "fill", "generate", "translate", "attention", "explain", "compare"),
    *("push", "export", "consolidate", "adopt", "bench", "env"),
)


def module_of(command: str) -> ModuleType:
    return importlib.import_module(f".commands.{command}", __package__)


def run() -> None:
    parser = program.Parser(prog="python -m hf_xfmr", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    named = [word for word in sys.argv[1:2] if word in COMMANDS]
    for name in named or COMMANDS:  # where a command is named, no other's module is imported
        module = module_of(name)
        description = (module.__doc__ or "").strip().replace("%", "%%")
        command = commands.add_parser(name, help=description.splitlines()[0], description=description)
        module.add_arguments(command)
        command.add_argument(
            program.TRACEBACK, action="store_true", help=program.TRACEBACK_HELP
        )  # program.run takes it
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    program.run(run)
