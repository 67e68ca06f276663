"""What a run says to its user."""

import shlex
import sys
from pathlib import Path

from ..plain import printable_lines
from ..processes import is_main


def say(*lines: str) -> None:
    """Print for the user, once, whatever the number of processes; nothing in the lines is obeyed by a terminal."""
    if is_main():
        print(*map(printable_lines, lines), sep="\n", flush=True)


def say_how_to_try(command: str, *words: str) -> None:
    """Print a command of `python -m hf_xfmr` that can be pasted as it stands: with this very interpreter."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    say(f"try it: {shlex.join([str(python), '-m', 'hf_xfmr', command, *words])}")
