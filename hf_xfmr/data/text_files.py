"""The documents of a plain text file that are less than the whole of it."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .table.reading import Reading
from .table.settings import TableSettings
from .table.stream import text_of


def lines(path: Path, table: TableSettings | None = None, reading: Reading | None = None) -> Iterator[str]:
    """The lines of a file, without what ends them, one at a time. Raises UserError as `text_of`, and for a file without
    text."""
    empty = True
    with text_of(path, table, reading, newline="\n") as file:
        for line in file:
            empty = empty and not line.strip("\ufeff \t\r\n")
            yield line.removesuffix("\n").removesuffix("\r")
    if empty:
        raise UserError(f"{path}: the file is empty; it should hold rows")


def between(
    path: Path, separator: str, table: TableSettings | None = None, reading: Reading | None = None
) -> Iterator[str]:
    """The texts between the lines that are the separator (but for white space around it), their own lines joined by a
    newline. Raises UserError if there is no such line."""
    text: list[str] = []
    separated = False
    for line in lines(path, table, reading):
        if line.strip() == separator:
            yield "\n".join(text)
            text, separated = [], True
        else:
            text.append(line)
    if not separated:
        raise UserError(f'{path}: no line is "{separator}", the separator; name the one the file has, or leave it out')
    yield "\n".join(text)
