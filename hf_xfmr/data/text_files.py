"""The documents of a plain text file that are less than the whole of it."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .files import read_text
from .regular import check_regular


def lines(path: Path, *, streaming: bool = False) -> Iterator[str]:
    """The lines of a file, without what ends them; with `streaming` one at a time. Raises UserError as `read_text`."""
    if not streaming:
        yield from (line.removesuffix("\r") for line in read_text(path).split("\n"))
        return
    check_regular(path, "file")
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from (line.removesuffix("\n") for line in file)
    except UnicodeDecodeError:
        read_text(path)  # the same error, with the line it is in


def between(path: Path, separator: str, *, streaming: bool = False) -> Iterator[str]:
    """The texts between the lines that are the separator (but for white space around it), their own lines joined by a
    newline. Raises UserError if there is no such line."""
    text: list[str] = []
    separated = False
    for line in lines(path, streaming=streaming):
        if line.strip() == separator:
            yield "\n".join(text)
            text, separated = [], True
        else:
            text.append(line)
    if not separated:
        raise UserError(f'{path}: no line is "{separator}", the separator; name the one the file has, or leave it out')
    yield "\n".join(text)
