"""Texts from elsewhere, made harmless: for a terminal, for Markdown, and for a log without passwords."""

import json
import re
import unicodedata
from collections.abc import Iterable

MOST = 2000  # characters of one message: an error may quote a whole row
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # what moves the cursor, turns the direction of writing, or is no character
_HARMLESS = "\u200b\u200c\u200d\u00ad\ufeff"  # joiners that scripts need, and marks that only break lines
_OBEYED = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINKED = re.compile(r"://|@|(?<=www)\.", re.IGNORECASE)
_PASSWORD = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*:/{1,2})[^\s/@'\"]+@")


def printable(text: object) -> str:
    """`text` on one line, with nothing in it that a terminal obeys: each such character as Python writes it (`\\x1b`),
    a byte of a name that is not UTF-8 too. Users and passwords of addresses are left out."""
    words = re.sub(r"\s*[\r\n]+\s*", " ", str(text).strip())
    words = words if len(words) <= MOST else f"{words[: MOST // 2]} … {words[-MOST // 2 :]}"
    return without_password("".join(map(_shown, words)))


def printable_lines(text: object) -> str:
    """As `printable`, with its line breaks and tabs left as they are, and however long."""
    return without_password(harmless(str(text)))


def harmless(text: str, kept: str = "\n\t") -> str:
    """What a model wrote, in its own words, but for characters that a terminal obeys; those `kept` stay."""
    return "".join(one if one in kept else _shown(one) for one in text)


def json_line(value: object) -> str:
    """`value` as JSON on one line, in its own characters but for those that a terminal obeys."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else _OBEYED.sub(_in_json, text)


def _in_json(match: re.Match) -> str:
    return f"\\u{ord(match[0]):04x}"


def some(names: Iterable[object], most: int = 12, in_all: int | None = None) -> str:
    """`a, b, c and 1,093 more`: of many names the first, so that a message stays one. `in_all` are how many there are,
    where not all are given."""
    names = list(names)
    rest = (len(names) if in_all is None else in_all) - most
    more = f" and {rest:,} more" if rest > 0 else ""
    return ", ".join(map(str, names[:most])) + more


def one_line(error: BaseException) -> str:
    """An error's own words, or its kind if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def is_unicode(text: str) -> bool:
    """Whether every character of it is one: no lone surrogate, which UTF-8 has no bytes for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_password(text: str) -> str:
    """`text` with `user:password@` of every address as `…@`."""
    return _PASSWORD.sub(r"\1…@", text)


def _shown(character: str) -> str:
    """A character as it is, or `escaped` if a terminal would obey it."""
    return escaped(character) if obeyed(character) else character


def obeyed(character: str) -> bool:
    """Whether a terminal does something at a character instead of showing it, a line break too; or it is none."""
    if character.isprintable() or character in _HARMLESS:
        return False
    return unicodedata.category(character) in _INVISIBLE


def escaped(character: str) -> str:
    """A character as Python writes it: `\\x1b`, `\\u3000`."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a name that it can't decode
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def markdown(text: object) -> str:
    """`text` as words in Markdown: no character of it is a mark, a tag, a link or a table's bar; no address in it
    is one that a page links."""
    words = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    words = re.sub(r"([\\`*\[\]|~#!$]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", words)  # f1_macro has no mark in it
    return _LINKED.sub(lambda match: f"&#{ord(match[0][0])};{match[0][1:]}", words)


def code(text: object) -> str:
    """`text` as code in Markdown, in more backticks than it holds itself; in a table too."""
    words = printable(text).replace("|", "\\|").replace("<!--", "<! --")  # no mark of a part of the page
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    space = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{space}{words}{space}{fence}"
