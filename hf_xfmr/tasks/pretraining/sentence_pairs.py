"""Sentences of documents -> pairs of texts for next-sentence prediction, or texts alone, none longer than a row."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .sentences import Tokens

NEXT, RANDOM, NOTHING = 0, 1, -100  # next_sentence_label, as BERT has it; a text without a second is not asked


class Pair(NamedTuple):
    """A stretch of a document, cut in two between sentences; `second` [2, 0] where it is one sentence."""

    document: int
    first: Tokens
    second: Tokens


def pairs(documents: Iterable[Sequence[Tokens]], room: int, generator: np.random.Generator) -> Iterator[Pair]:
    """Fill stretches of at most `room` tokens with whole sentences, and cut each in two at a random sentence.

    A sentence longer than half of the room goes on as another, so that nothing is lost. `room` is at least 2.
    """
    for number, sentences in enumerate(documents):
        for stretch in _stretches(_short(sentences, room // 2), room):
            cut = int(generator.integers(1, len(stretch))) if len(stretch) > 1 else 1
            yield Pair(number, np.concatenate(stretch[:cut], 1), _joined(stretch[cut:]))


def texts(documents: Iterable[Sequence[Tokens]], room: int) -> Iterator[Tokens]:
    """Fill stretches of at most `room` tokens with whole sentences; a longer one goes on in the next."""
    for sentences in documents:
        for stretch in _stretches(_short(sentences, room), room):
            yield np.concatenate(stretch, 1)


def _joined(parts: list[Tokens]) -> Tokens:
    return np.concatenate(parts, 1) if parts else np.zeros((2, 0), np.int32)


def _short(sentences: Iterable[Tokens], most: int) -> Iterator[Tokens]:
    for sentence in sentences:
        for start in range(0, sentence.shape[1], most):
            yield sentence[:, start : start + most]


def _stretches(sentences: Iterable[Tokens], room: int) -> Iterator[list[Tokens]]:
    stretch: list[Tokens] = []
    length = 0
    for sentence in sentences:
        if length + sentence.shape[1] > room:
            yield stretch
            stretch, length = [], 0
        stretch.append(sentence)
        length += sentence.shape[1]
    if stretch:
        yield stretch


def partners(rows: Sequence[Pair], generator: np.random.Generator) -> np.ndarray:
    """Whose second half follows each row's first, [n] int64: its own or, for half of them, one of another document.

    The halves change places among themselves, so that each is still read; between rows whose second halves are of like
    lengths, so that the sums change little. Rows without a second half, or without another document, keep their own.
    """
    result = np.arange(len(rows))
    lengths = np.array([row.second.shape[1] for row in rows])
    documents = np.array([row.document for row in rows])
    able = np.flatnonzero(lengths)
    swapped = able[generator.random(len(able)) < 0.5]
    swapped = swapped[np.lexsort((generator.random(len(swapped)), lengths[swapped]))]
    given = np.roll(swapped, 1)
    for place in np.flatnonzero(documents[swapped] == documents[given]):  # few: exchange with any that suits both
        suits = (documents[given] != documents[swapped[place]]) & (documents[swapped] != documents[given[place]])
        if suits.any():
            other = generator.choice(np.flatnonzero(suits))
            given[[place, other]] = given[[other, place]]
    result[swapped] = np.where(documents[swapped] == documents[given], swapped, given)
    return result
