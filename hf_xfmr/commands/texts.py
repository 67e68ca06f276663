"""The texts of a command: its arguments, or else the lines of standard input."""

import sys
from collections.abc import Iterator

from ..errors import UserError


def given(arguments: list[str]) -> Iterator[str]:
    """Raises `UserError` if there are no arguments, and standard input is a person."""
    if not arguments and sys.stdin.isatty():
        raise UserError("no texts: give them as arguments, or pipe in a file with one text a line")
    return iter(arguments) if arguments else (line.rstrip("\r\n") for line in sys.stdin)
