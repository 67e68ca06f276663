"""Commands and flags on a page: a line ends between two words, never within one, and what is copied is exact."""

import re

from markupsafe import Markup, escape

WORD, FLAG = re.compile(r"\S*-\S*"), re.compile(r"--\w[\w-]*")  # a browser ends a line behind any hyphen


def command(text: object) -> Markup:
    """A command, or flags with their values."""
    return _whole(WORD, text)


def prose(text: object) -> Markup:
    """A sentence that names flags."""
    return _whole(FLAG, text)


def _whole(pattern: re.Pattern, text: object) -> Markup:
    shown, begin, told = Markup(""), 0, str(text)
    for found in pattern.finditer(told):
        shown += escape(told[begin : found.start()]) + Markup('<span class="unbroken">{}</span>').format(found[0])
        begin = found.end()
    return shown + escape(told[begin:])
