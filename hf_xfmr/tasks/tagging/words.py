"""A running text as words: runs of letters and digits, single signs, and characters where no spaces are written."""

import unicodedata
from collections.abc import Collection
from functools import lru_cache

# Scripts without spaces between words: Thai to Tibetan, Burmese, Khmer, kana, Chinese characters (with the rare ones).
UNSPACED = (
    (0x0E00, 0x0FFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
SPACE, WORD, MARK, ALONE = range(4)


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> int:
    """Whether a character is white space, part of a word, a mark on the one before it, or a word of its own."""
    if character.isspace():
        return SPACE
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":
        return MARK
    if any(first <= ord(character) <= last for first, last in UNSPACED):
        return ALONE
    return WORD if category[0] in "LN" or category == "Pc" else ALONE


def is_alone(character: str) -> bool:
    """Whether a character is a word by itself."""
    return _kind(character) == ALONE


def edges(text: str, cuts: Collection[int] = ()) -> list[tuple[int, int]]:
    """The words of a text as characters [start, end), with a word's end at each place of `cuts` that stands in one."""
    found: list[tuple[int, int]] = []
    wanted, start, before = set(cuts), 0, SPACE
    for place, character in enumerate(text):
        kind = _kind(character)
        if kind == MARK and before != SPACE:
            kind = before  # it belongs to what it stands on
            new = False
        else:
            kind = ALONE if kind == MARK else kind
            new = kind == ALONE or kind != before
        if new or place in wanted:
            if before != SPACE and place > start:
                found.append((start, place))
            start = place
        before = kind
    if before != SPACE and text:
        found.append((start, len(text)))
    return found
