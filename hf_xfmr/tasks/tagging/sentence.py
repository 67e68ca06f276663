"""A sentence as it was read, before its tags are understood."""

from dataclasses import dataclass


@dataclass
class Sentence:
    """`words` with `tags` as the file writes them, and the `row` of its split it stands in, from 0.

    Where the text itself is known `text` is it, and `starts` are the characters of it that the words begin at.
    """

    words: list[str]
    tags: list[str]
    id: str
    row: int
    text: str | None = None
    starts: list[int] | None = None
