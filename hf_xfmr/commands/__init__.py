"""The commands of `hf_xfmr`, or `python -m hf_xfmr`, a file each: arguments in, one call, the answer out."""

import importlib
from types import ModuleType

from .. import __version__
from ..run import console, program

COMMANDS = (  # in the order in which a user meets them; a file of this folder each
    *("train", "configs", "check", "verify", "predict", "fill", "generate", "translate", "attention", "explain"),
    *("compare", "report", "push", "export", "consolidate", "adopt", "bench", "env", "completion"),
)
MODULE = "python -m hf_xfmr"  # what texts call this program; shown as it was called


def module_of(command: str) -> ModuleType:
    return importlib.import_module(f".{command}", __package__)


def parser_of(*names: str, called: str = "") -> program.Parser:
    """The parser of these commands; no other's module is imported."""
    called = called or " ".join(console.called())
    about = "Train a recipe, and use what it made, from the command line. COMMAND --help says more of each."
    parser = program.Parser(prog=called, description=about)
    parser.add_argument("--version", action="version", version=f"hf_xfmr {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        module = module_of(name)
        description = (module.__doc__ or "").strip().replace("%", "%%").replace(MODULE, called)
        command = commands.add_parser(name, help=description.splitlines()[0], description=description)
        module.add_arguments(command)
        command.add_argument(
            program.TRACEBACK, action="store_true", help=program.TRACEBACK_HELP
        )  # program.run takes it
        command.set_defaults(run=module.run)
    return parser
