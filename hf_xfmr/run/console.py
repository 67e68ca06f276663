"""What a run says to its user."""

import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

from ..plain import printable_lines
from ..processes import is_main


def say(*lines: str) -> None:
    """Print for the user, once, whatever the number of processes; nothing in the lines is obeyed by a terminal."""
    if is_main():
        print(*map(printable_lines, lines), sep="\n", flush=True)


def called() -> list[str]:
    """What the user typed for this program."""
    return ["hf_xfmr"] if Path("".join(sys.argv[:1])).stem == "hf_xfmr" else ["python", "-m", "hf_xfmr"]


def this_program() -> list[str]:
    """The words that begin a command of this very installation, to be pasted: `hf_xfmr` if that is on the PATH, else
    the interpreter and `-m hf_xfmr`."""
    found = shutil.which("hf_xfmr")
    if found is not None and Path(found).resolve().parent in _scripts():
        return ["hf_xfmr"]
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return [str(python), "-m", "hf_xfmr"]


def _scripts() -> set[Path]:
    """Where this interpreter's commands are installed, its user's own among them."""
    schemes = ["", sysconfig.get_preferred_scheme("user")]
    found = [sysconfig.get_path("scripts", scheme) if scheme else sysconfig.get_path("scripts") for scheme in schemes]
    return {Path(one).resolve() for one in found if one}


def say_how_to_try(command: str, *words: str) -> None:
    """Print a command that can be pasted as it stands."""
    say(f"try it: {shlex.join([*this_program(), command, *words])}")
