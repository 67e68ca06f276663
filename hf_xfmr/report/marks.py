"""Texts with parts of them marked, as HTML."""

import itertools
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from .language import say

SHOWN = 0.15  # of the strongest mark: weaker ones are left out


def marked(text: str, spans: Sequence[Sequence[Any]], first: int = 0, last: int | None = None) -> Markup:
    """`text`, from its character `first` up to `last`, with the characters [start, end) of each span marked, whose
    third item is how much it counts: the parts that made a decision. Weak ones stay as they are."""
    most = max((float(weight) for _, _, weight in spans), default=0.0)
    strong = [
        (start - first, end - first, "decided")
        for start, end, weight in spans
        if most > 0 and float(weight) >= SHOWN * most
    ]
    return _marked(text[first:last], strong)


def entities(row: dict[str, Any]) -> Markup:
    """A sentence with the entities that were missed, and those wrongly found, marked: {"text", "missed", "wrong"}."""
    spans = [(*one["at"], kind) for kind in ("missed", "wrong") for one in row.get(kind) or [] if one.get("at")]
    return _marked(row["text"], spans)


def _marked(text: str, spans: Sequence[tuple[int, int, str]]) -> Markup:
    """Spans may overlap: a stretch bears the classes of all that cover it."""
    edges = sorted({0, len(text), *(max(0, min(len(text), edge)) for span in spans for edge in span[:2])})
    parts = []
    for start, end in itertools.pairwise(edges):
        kinds = [kind for kind in ("missed", "wrong", "decided") if _covers(spans, start, end, kind)]
        words = escape(text[start:end])
        title = ", ".join(say({"wrong": "wrongly found"}.get(kind, kind)) for kind in kinds)
        parts.append(
            Markup('<mark class="{}" title="{}">{}</mark>').format(" ".join(kinds), title, words) if kinds else words
        )
    return Markup("").join(parts)


def _covers(spans: Sequence[tuple[int, int, str]], start: int, end: int, kind: str) -> bool:
    return any(a <= start and end <= b for a, b, one in spans if one == kind)
