"""Train, validation and test by a hash of the text, not by position.

A duplicate can never sit on both sides of a split, the order of the rows does not matter, and a row keeps its side when
others are added or removed.
"""

import hashlib
import unicodedata


def plain(text: str) -> str:
    """A text without differences of letter case, width and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def position(text: str) -> float:
    """Where a text falls in [0, 1): the same for texts that differ only in letter case, width or white space."""
    return int.from_bytes(hashlib.sha256(plain(text).encode()).digest()[:8], "big") / 2**64


def split_of(text: str, validation: float = 0.1, test: float = 0.1) -> str:
    """`"train"`, `"validation"` or `"test"`: the last `test` of [0, 1) is test, `validation` before it validation."""
    where = position(text)
    if where >= 1 - test:
        return "test"
    return "validation" if where >= 1 - test - validation else "train"
