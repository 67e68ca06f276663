"""A row to predict, and what its columns may be called."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..plain import is_unicode

FORMATS = ("csv", "tsv", "jsonl", "txt")  # by their endings


class Row(NamedTuple):
    """A row as it came: its id (its own, or its number from 0) and texts; `fault` says why it can't be predicted."""

    id: str
    text: str
    pair: str | None
    fault: str | None = None


class Columns(NamedTuple):
    """What the user said; None: found by its name."""

    text: str | None = None
    pair: str | None = None
    id: str | None = None


BY_NAME = Columns()


def of_texts(texts: Iterable[str]) -> Iterator[Row]:
    """Texts as rows, whose ids are their numbers."""
    return (row_of(str(number), text, None) for number, text in enumerate(texts))


def row_of(name: str, text: str, pair: str | None) -> Row:
    """A row, with a fault where its texts can't be read."""
    if not is_unicode(text + (pair or "")):
        return Row(name, text, pair, "half a character (a lone surrogate) in its text")
    return Row(name, text, pair, None if text.strip() and (pair is None or pair.strip()) else "no text")
