"""A recipe or a command as a program: its errors are one line, its exit code says how it ended."""

import _thread
import argparse
import difflib
import os
import re
import select
import signal
import sys
import textwrap
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NoReturn

from ..errors import UserError
from ..plain import printable
from ..processes import check_launched, keep_quiet, let_main_speak_first
from . import beginnings

TRACEBACK = "--traceback"
TRACEBACK_HELP = "print where in the code an error arose, beside its one line"
STOPPED, PIPE_CLOSED = 128 + 2, 128 + 13  # as a shell counts SIGINT and SIGPIPE
_NO_NUMBER = re.compile(r"argument (?P<option>\S+): invalid (?P<kind>int|float) value: (?P<value>.*)", re.DOTALL)
_NO_CHOICE = re.compile(
    r"argument (?P<option>\S+): invalid choice: (?P<value>.*) \(choose from (?P<known>[^()]*)\)", re.DOTALL
)
_REQUIRED = re.compile(r"the following arguments are required: (?P<names>.+)")
GONE_ON = "stopped; the same command goes on: training from its last checkpoint, predict --out with the next row"
CHOICES = 12  # that an error lists
OPTION = re.compile(r"-h|--[^\W\d_][\w-]*(=.*)?", re.DOTALL)  # what is written as an option, there or not
_shows_traceback: ContextVar[bool] = ContextVar("shows_traceback", default=False)


class OneLine:
    """What makes a parser of arguments err as every program here does: a full disk under its help, too."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        if wrong := _NO_NUMBER.match(message):
            kind = "a whole number" if wrong["kind"] == "int" else "a number"
            raise UserError(
                f"{wrong['option'].split('/')[0]}: {wrong['value']} must be {kind} (--help lists the arguments)"
            )
        if chosen := _NO_CHOICE.match(message):
            raise UserError(
                f"{chosen['option'].split('/')[0]}: {chosen['value']} {_choices(chosen)} (--help lists the arguments)"
            )
        if lacking := _REQUIRED.match(message):  # argparse names those too that may be none
            may_lack = {one.metavar or one.dest for one in self._actions if one.nargs in ("*", "...")}  # type: ignore[attr-defined]
            names = [one for one in lacking["names"].split(", ") if one not in may_lack]
            message = f"the following arguments are required: {', '.join(names)}"
        unknown = message.startswith("unrecognized arguments: -")
        hint = "; a text that begins with dashes stands behind --, or as --option=TEXT" if unknown else ""
        raise UserError(f"{message} (--help lists the arguments{hint})")

    def _parse_optional(self, arg_string: str):
        """None, which is a value: `---`, `-1st` and `- one` are values too, which argparse would take for options."""
        if not OPTION.fullmatch(arg_string):
            return None
        return super()._parse_optional(arg_string)  # type: ignore[misc]

    def print_help(self, file=None) -> None:
        print(self.format_help(), end="", file=file)  # type: ignore[attr-defined]  # argparse's own drops errors


def show(text: str) -> NoReturn:
    """Print a help, and end."""
    print(text, flush=True)
    sys.exit(0)


def _choices(chosen: re.Match) -> str:
    known = [one.strip(" '") for one in chosen["known"].split(",")]
    near = difflib.get_close_matches(chosen["value"].strip("'"), known, n=1)
    if near:
        return f"is none of its {len(known)} choices; did you mean '{near[0]}'?"
    more = f" and {len(known) - CHOICES} more" if len(known) > CHOICES else ""
    return f"is none of its choices, {', '.join(known[:CHOICES])}{more}"


class Paragraphs(argparse.HelpFormatter):
    """A help whose description keeps its paragraphs: these are wrapped, and lines that are indented stay as they are,
    commands to be pasted."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = [
            part.rstrip()
            if part.startswith(" ")
            else textwrap.fill(" ".join(part.split()), width, break_long_words=False, break_on_hyphens=False)
            for part in text.strip("\n").split("\n\n")
        ]
        return "\n\n".join(paragraphs)


class Parser(OneLine, argparse.ArgumentParser):
    """A parser of arguments."""


def around(
    arguments: argparse.Namespace, add_options: Callable[[argparse.ArgumentParser, object], None]
) -> tuple[dict[str, Any], list[str]]:
    """What was said to a command whose own options may stand before and behind a recipe's (`arguments.words`), without
    what was not said; and the recipe's words. `add_options` adds them, each with the default it is given."""
    own, behind = Parser(add_help=False), Parser(add_help=False)
    add_options(own, None)
    add_options(behind, argparse.SUPPRESS)
    later, words = behind.parse_known_args(arguments.words)
    told = {name: getattr(arguments, name) for name in vars(own.parse_args([]))}
    return {name: value for name, value in told.items() if value is not None} | vars(later), words


def run(program: Callable[[], Any]) -> None:
    """Run it. What goes wrong is one line on stderr and exit code 2, whatever it is; `--traceback` among the arguments
    shows where in the code it did."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # a name's byte that is no character is written as \udc80
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    shows = _shows_traceback.set(_take_traceback() or _shows_traceback.get())  # `check` runs a recipe within
    _without_bars()
    # of a setting that is then checked under its old name
    warnings.filterwarnings("ignore", message=".*checkpointing.* is deprecated", category=FutureWarning)
    warnings.filterwarnings("ignore", message="Detected pickle protocol")  # of a file that is then refused by name
    interrupted: list[int] = []
    before = _noting(interrupted)
    try:
        check_launched()
        keep_quiet()
        try:
            program()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:
        # a library that is being imported makes another error of Ctrl-C
        if interrupted or isinstance(error, KeyboardInterrupt):
            beginnings.undo()
            _say(GONE_ON)
            sys.exit(STOPPED)
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes as Python ends
            sys.exit(PIPE_CLOSED)
        let_main_speak_first()
        beginnings.undo()
        from . import faults

        if _shows_traceback.get():
            _say(faults.traceback_of(error).rstrip(), whole=True)
        _say(f"error: {printable(faults.sentence(error, told=_shows_traceback.get()))}")
        sys.exit(2)
    finally:
        _shows_traceback.reset(shows)
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _told_of_absent(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """For a recipe that can't be imported, before `run`: a package that hf_xfmr needs is absent."""
    frames = traceback.walk_tb(trace)
    ours = any(str(frame.f_globals.get("__name__", "")).startswith("hf_xfmr.") for frame, _ in frames)
    if not (ours and issubclass(kind, ModuleNotFoundError)) or TRACEBACK in sys.argv:
        sys.__excepthook__(kind, error, trace)
        return
    from . import faults

    _say(f"error: {printable(faults.sentence(error))}")
    os._exit(2)  # after this hook Python itself would end with 1


sys.excepthook = _told_of_absent


FORGETTING = ("<frozen importlib._bootstrap>", "cb")  # where Python forgets the lock of an import that is done


def _noting(interrupted: list[int]):
    """Have Ctrl-C noted before it is raised; the handler that stood before, None if another than Python's did."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        return None

    def note(number, frame) -> None:
        if frame is not None and (frame.f_code.co_filename, frame.f_code.co_name) == FORGETTING:
            threading.Timer(0.01, _thread.interrupt_main).start()  # here it would be printed and lost
            return
        interrupted.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    return before


def _without_bars() -> None:
    """No progress bars of loading and saving files; training keeps its own. What is not imported yet is not imported
    for that."""
    if sys.stderr is None or not sys.stderr.isatty():  # in a log a bar is a line that never ends
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if "transformers" in sys.modules:
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    else:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _take_traceback() -> bool:
    """Whether `--traceback` stands among the program's arguments, from which it is taken; a script that `adopt` runs
    keeps its own."""
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    if words[:1] == ["adopt"]:
        end = min(end, next((place for place, word in enumerate(words) if place and word != TRACEBACK), end))
    if TRACEBACK not in words[:end]:
        return False
    sys.argv[1:] = [word for word in words[:end] if word != TRACEBACK] + words[end:]
    return True


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose other end is closed, as that of `predict … | head` is."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (AttributeError, ValueError, OSError):  # no poll on this system, or no file behind stdout
        return True


def _say(line: str, *, whole: bool = False) -> None:
    with suppress(OSError, ValueError):  # stderr may be closed: the exit code says it then
        print(line if whole else printable(line), file=sys.stderr, flush=True)
