"""hf_xfmr COMMAND, or python -m hf_xfmr COMMAND: train a recipe, and use what it made."""

import sys

from .commands import COMMANDS, listing, parser_of
from .errors import UserError
from .run import program
from .run.console import called
from .run.recipes import NAMES


def run() -> None:
    if not sys.argv[1:] or sys.argv[1] in ("-h", "--help"):
        program.show(listing())
    if sys.argv[1] in set(NAMES) - set(COMMANDS):
        raise UserError(f"{sys.argv[1]} is trained: {' '.join([*called(), 'train', *sys.argv[1:]])}")
    named = [word for word in sys.argv[1:2] if word in COMMANDS]
    arguments = parser_of(*(named or COMMANDS)).parse_args()
    arguments.run(arguments)


def main() -> None:
    """The command `hf_xfmr`."""
    program.run(run)


if __name__ == "__main__":
    main()
