"""A row to predict, and what its columns may be called."""

from typing import NamedTuple

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
