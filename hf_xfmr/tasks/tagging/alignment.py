"""Tags of words -> labels of a tokenizer's pieces, and back.

The model reads a sentence as it will read one in use: as text, not word by word. So it is its words, joined, that are
tokenized, and a piece belongs to the word it begins in. Where words are Chinese characters, a piece may hold several of
them (as `1998`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...tokenizer.long_texts import tokens_of


@dataclass
class Aligned:
    """A sentence in pieces: their `ids`, and for each the `word` it begins in and whether it begins it (`first`)."""

    ids: list[int]
    word: list[int]
    first: list[bool]


def join(words: Sequence[str], separator: str) -> tuple[str, list[int]]:
    """The text of a sentence, and the word of each of its characters; a separator's is the word before it."""
    text, places = [], []
    for number, word in enumerate(words):
        part = word + separator if number < len(words) - 1 else word
        text.append(part)
        places += [number] * len(part)
    return "".join(text), places


def align(sentences: Sequence[Sequence[str]], tokenizer, separator: str) -> list[Aligned]:
    """Tokenize sentences without special tokens; the tokenizer is a fast one, since it has to know offsets."""
    joined = [join(words, separator) for words in sentences]
    encoded = tokens_of((text for text, _ in joined), tokenizer, offsets=True)
    aligned = []
    for (text, places), (ids, begins, ends) in zip(joined, encoded, strict=True):
        starts = [_skip_space(text, start, end) for start, end in zip(begins, ends, strict=True)]
        word = [places[start] for start in starts]
        first = [not start or places[start - 1] != places[start] for start in starts]
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
