"""The texts of a command: its arguments, or else the lines of standard input."""

import sys
from collections.abc import Iterator
from contextlib import suppress

from ..errors import UserError
from ..plain import is_unicode


def given(arguments: list[str]) -> Iterator[str]:
    """Raises `UserError` if there are no arguments, and standard input is a person or closed."""
    if not arguments and (sys.stdin is None or sys.stdin.isatty()):
        raise UserError("no texts: give them as arguments, or pipe in a file with one text a line")
    return iter(readable(arguments)) if arguments else _lines(sys.stdin)


def readable(texts: list[str]) -> list[str]:
    """The texts. Raises `UserError` for one whose bytes are not UTF-8."""
    for number, text in enumerate(texts, 1):
        if not is_unicode(text):
            raise UserError(f"text {number}, {text[:40]!r}, is not UTF-8: convert it, as with iconv")
    return texts


def _lines(file) -> Iterator[str]:
    from ..predict.rows import without_nul  # heavy

    with suppress(AttributeError):  # what a test put there
        file.reconfigure(encoding="utf-8-sig")
    empty = True
    try:
        for line in without_nul(file, "standard input"):
            empty = False
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"standard input is not UTF-8 (byte {error.object[error.start]:#04x}); convert it, for example: "
            "iconv -f GB18030 -t UTF-8"
        ) from None
    if empty:
        raise UserError("standard input: has no texts; give them as arguments, or pipe in a file with one text a line")
