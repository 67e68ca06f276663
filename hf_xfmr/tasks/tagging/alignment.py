"""Tags of words -> labels of a tokenizer's pieces, and back.

The model reads a sentence as it will read one in use: as text, not word by word. So it is the text as it stands, or its
words joined where it is not known, that is tokenized, and a piece belongs to the word it begins in. Where words are
Chinese characters, a piece may hold several of them (as `1998`).
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ...tokenizer.long_texts import Tokens, tokens_of


@dataclass
class Aligned:
    """A sentence in pieces: their `ids`, and for each the `word` it begins in and whether it begins it (`first`)."""

    ids: list[int]
    word: list[int]
    first: list[bool]


def join(words: Sequence[str], separator: str) -> tuple[str, list[int]]:
    """The text of a sentence, and the characters that its words begin at."""
    starts, place = [], 0
    for word in words:
        starts.append(place)
        place += len(word) + len(separator)
    return separator.join(words), starts


def align(
    texts: Sequence[str], starts: Sequence[Sequence[int]], tokenizer, tokens: Iterator[Tokens] | None = None
) -> list[Aligned]:
    """Tokenize texts without special tokens; `starts` are the characters that their words begin at, and what stands
    between two is the first one's. The tokenizer is a fast one, since it has to know offsets. `tokens`, where they are
    known, begin with those of these texts."""
    encoded = tokens_of(texts, tokenizer, offsets=True) if tokens is None else islice(tokens, len(texts))
    aligned = []
    for text, begins, (ids, firsts, lasts) in zip(texts, starts, encoded, strict=True):
        places = [_skip_space(text, start, end) for start, end in zip(firsts, lasts, strict=True)]
        word = [max(bisect(begins, place) - 1, 0) for place in places]
        first = [begins[number] == place for number, place in zip(word, places, strict=True)]
        for number in range(len(first) - 1, 0, -1):  # a character may be several pieces, of its bytes
            first[number] &= word[number] != word[number - 1]
        aligned.append(Aligned(list(ids), word, first))
    return aligned


def _skip_space(text: str, start: int, end: int) -> int:
    """A piece's first character that is not white space, which some tokenizers count to the piece after it."""
    while start < end - 1 and text[start].isspace():
        start += 1
    return min(start, len(text) - 1)


def piece_labels(aligned: Aligned, tags: Sequence[str], labels: dict[str, int]) -> list[int]:
    """The label of each piece: its word's BIO tag, but I- for B- on a piece that does not begin the word."""
    return [
        labels[tags[word] if first else tags[word].replace("B-", "I-", 1)]
        for word, first in zip(aligned.word, aligned.first, strict=True)
    ]


def word_tags(word: Sequence[int], predicted: Sequence[str], length: int) -> list[str]:
    """The BIO tags of `length` words from those of the pieces, each with its `word`: a word takes the tag of the first
    piece in it; one that lies inside a piece goes on with that piece's tag; one that became no piece and is at a
    sentence's beginning is O."""
    tags: list[str] = []
    by_word: dict[int, str] = {}
    for number, tag in zip(word, predicted, strict=True):
        by_word.setdefault(number, tag)
    for number in range(length):
        before = tags[-1].replace("B-", "I-", 1) if tags else "O"
        tags.append(by_word.get(number, before))
    return tags
