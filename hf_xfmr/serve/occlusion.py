"""Which words an answer rests on: each is left out in turn, and what that changes is its share.

Asked of any engine, since it needs answers only. It says what the answer would be without a word, not how the model
came to it: two words of which either would do both change little.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from .subjects import Text

MOST = 48  # spans that are left out: of a text with more words several words at a time
CHINESE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"  # and Japanese and Korean: a character is a span
WORD = re.compile(rf"[{CHINESE}]|[^\W_{CHINESE}]+(?:['’-][^\W_{CHINESE}]+)*")


class Span(NamedTuple):
    """Characters [start, end) of the text (`of` 0) or its pair (1)."""

    of: int
    start: int
    end: int


def spans_of(row: Text, most: int = MOST) -> list[Span]:
    """The words of a text, or runs of words where there are more than `most`."""
    words = [
        Span(of, found.start(), found.end())
        for of, text in enumerate(row)
        if text is not None
        for found in WORD.finditer(text)
    ]
    size = -(-len(words) // most) or 1
    runs: list[Span] = []
    for of in (0, 1):
        own = [word for word in words if word.of == of]
        runs += [Span(of, own[i].start, own[min(i + size, len(own)) - 1].end) for i in range(0, len(own), size)]
    return runs[: most + 1]


def without(row: Text, span: Span) -> Text:
    """The row with the characters of a span left out."""
    text = row[span.of] or ""
    left = f"{text[: span.start].rstrip(' ')}{text[span.end :]}"
    return row._replace(pair=left) if span.of else row._replace(text=left)


def changes(answer: dict, others: Sequence[dict]) -> list[float]:
    """How much lower the probability of the answer, or the rating, is in each of the other answers."""
    return [round(_figure(answer, answer) - _figure(other, answer), 6) for other in others]


def _figure(one: dict, answer: dict) -> float:
    if "value" in answer:
        return one["value"]
    shares: dict[str, Any] = answer["probabilities"]
    label = max(shares, key=lambda name: shares[name])  # of several labels the likeliest
    return one["probabilities"].get(label, 0.0)
