"""The words of a text, of any script, as spans of its characters: what an answer is shared out among."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ...tokenizer.chinese import cutter

MOST = 48  # spans: of a text with more words several words are one
HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"  # and Japanese and Korean: no spaces between words
IS_HAN = re.compile(f"[{HAN}]")
WORD = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+(?:['’-][^\W_{HAN}]+)*")


class Row(NamedTuple):
    """A text, with its pair where the model reads pairs."""

    text: str
    pair: str | None = None


class Span(NamedTuple):
    """Characters [start, end) of the text (`of` 0) or its pair (1)."""

    of: int
    start: int
    end: int


def spans_of(row: Row, most: int = MOST) -> list[Span]:
    """The words of a text, or runs of words where there are more than `most`."""
    words = [Span(of, *word) for of, text in enumerate(row) if text is not None for word in _words(text)]
    size = -(-len(words) // most) or 1
    runs: list[Span] = []
    for of in (0, 1):
        own = [word for word in words if word.of == of]
        runs += [Span(of, own[i].start, own[min(i + size, len(own)) - 1].end) for i in range(0, len(own), size)]
    return runs[: most + 1]


def _words(text: str) -> Iterator[tuple[int, int]]:
    for found in WORD.finditer(text):
        parts: Iterable[str] = [found[0]]
        if IS_HAN.match(found[0]):
            cut = cutter()
            parts = cut(found[0]) if cut else found[0]
        edges = [found.start()]
        for part in parts:
            edges.append(edges[-1] + len(part))
        yield from pairwise(edges)
