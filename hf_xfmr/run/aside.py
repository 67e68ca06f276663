"""What one of several runs says goes into a file of its own, beside what it makes: a console shows what they say
together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ..processes import is_main

LOG = "log.txt"


class _Aside:
    """In the place of a stream: what is written goes into FOLDER/log.txt once that folder is there, and, as long as it
    `is_loud`, to the stream too."""

    def __init__(self, folder: Path, stream: Any, is_loud: bool):
        self.folder, self.stream, self.is_loud = folder, stream, is_loud
        self.held: list[str] = []

    def write(self, text: str) -> int:
        if self.is_loud:
            self.stream.write(text)
        self.held.append(text)
        self.flush()
        return len(text)

    def flush(self) -> None:
        if self.is_loud:
            self.stream.flush()
        if self.held and is_main() and self.folder.is_dir():
            with (self.folder / LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write("".join(self.held))
            self.held = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_running: ContextVar[_Aside | None] = ContextVar("running_aside", default=None)


@contextmanager
def aside(folder: Path, *, is_loud: bool) -> Iterator[None]:
    """What is said within goes into FOLDER/log.txt; if it `is_loud`, all up to `hush` is said as ever, too. What a run
    that fails before it has a folder would have said is said."""
    stream = _Aside(folder, sys.stdout, is_loud)
    token = _running.set(stream)
    try:
        with redirect_stdout(stream):  # type: ignore[type-var]
            yield
    except BaseException:
        if not stream.is_loud:
            stream.stream.write("".join(stream.held))
        raise
    finally:
        _running.reset(token)


def hush() -> None:
    """From here on no run that stands aside is loud: the training begins."""
    if (stream := _running.get()) is not None:
        stream.is_loud = False
