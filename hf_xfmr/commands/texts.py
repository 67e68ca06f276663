"""The texts of a command: its arguments, or else the lines of standard input."""

import sys
from collections.abc import Iterator
from contextlib import suppress

from ..data.table.columns import is_unicode
from ..errors import UserError


def given(arguments: list[str]) -> Iterator[str]:
    """Raises `UserError` if there are no arguments, and standard input is a person."""
    if not arguments and sys.stdin.isatty():
        raise UserError("no texts: give them as arguments, or pipe in a file with one text a line")
    return iter(readable(arguments)) if arguments else _lines()


def readable(texts: list[str]) -> list[str]:
    """The texts. Raises `UserError` for one whose bytes are not UTF-8."""
    for number, text in enumerate(texts, 1):
        if not is_unicode(text):
            raise UserError(f"text {number}, {text[:40]!r}, is not UTF-8: convert it, as with iconv")
    return texts


def _lines() -> Iterator[str]:
    with suppress(AttributeError):  # what a test put there
        sys.stdin.reconfigure(encoding="utf-8-sig")  # type: ignore[union-attr]
    try:
        yield from (line.rstrip("\r\n") for line in sys.stdin)
    except UnicodeDecodeError as error:
        raise UserError(
            f"standard input is not UTF-8 (byte {error.object[error.start]:#04x}); convert it, for example: "
            "iconv -f GB18030 -t UTF-8"
        ) from None
