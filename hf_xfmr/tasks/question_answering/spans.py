"""From the scores of windows to answers: the best spans of a context, and whether there is none. NumPy alone.

A span's score is that of its first token as a start plus that of its last as an end; that of no answer is the same of
[CLS], the lowest over a context's windows; an answer is given where the first is greater than the second less a
threshold (section 4.3 of Devlin et al. 2018, and Google's run_squad.py).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .windows import Window

BEST = 20  # starts, ends and spans that are looked at


class Span(NamedTuple):
    """Characters [start, end) of the context."""

    score: float
    start: int
    end: int


class Found(NamedTuple):
    """The best spans of a context, the best first (none: no token of it could be one), and the score of no answer."""

    spans: list[Span]
    null: float

    @property
    def margin(self) -> float:
        """How much higher no answer scores than the best span."""
        return self.null - self.spans[0].score if self.spans else float("inf")


class Given(NamedTuple):
    """An answer: characters [start, end) of the context and their text (None: no answer), and its probability; `shares`
    are those of the best spans `found`."""

    text: str | None
    start: int | None
    end: int | None
    probability: float
    found: Found
    shares: list[float]
    none_probability: float | None


def find(
    context: str, windows: Sequence[Window], logits: Sequence[np.ndarray], *, max_answer_length: int, most: int = BEST
) -> Found:
    """Of a context's windows and their logits [T, 2], of starts and of ends, each. Of a span in several windows the
    highest score counts; white space around it is left out."""
    best: dict[tuple[int, int], float] = {}
    null = float("inf")
    for window, one in zip(windows, logits, strict=True):
        null = min(null, float(one[0, 0] + one[0, 1]))
        own = one[window.first : window.first + len(window.starts)]
        for score, first, last in _best(own, max_answer_length):
            place = _bare(context, window.starts[first], window.ends[last])
            if place is not None and score > best.get(place, -np.inf):
                best[place] = score
    spans = sorted((Span(score, *place) for place, score in best.items()), key=lambda one: (-one.score, one.start))
    return Found(spans[:most], null)


def _best(logits: np.ndarray, longest: int) -> list[tuple[float, int, int]]:
    """The best spans of tokens, at most BEST times BEST, of at most `longest` tokens."""
    starts, ends = (np.argsort(-logits[:, side], kind="stable")[:BEST] for side in (0, 1))
    length = ends[None] - starts[:, None]
    scores = logits[starts, 0][:, None] + logits[ends, 1][None]
    rows, columns = np.nonzero((length >= 0) & (length < longest))
    order = np.argsort(-scores[rows, columns], kind="stable")[:BEST]
    return [
        (float(scores[row, column]), int(starts[row]), int(ends[column]))
        for row, column in zip(rows[order], columns[order], strict=True)
    ]


def _bare(context: str, start: int, end: int) -> tuple[int, int] | None:
    text = context[start:end]
    if not text.strip():
        return None
    return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))


def shares(found: Found, *, may_be_none: bool) -> tuple[list[float], float | None]:
    """The probabilities of the spans and of no answer (None where there always is one): a softmax over these alone, as
    run_squad.py has them."""
    scores = np.array([one.score for one in found.spans] + ([found.null] if may_be_none else []), float)
    if not len(scores):
        return [], None
    parts = np.exp(scores - scores.max())
    parts /= parts.sum()
    return parts[: len(found.spans)].tolist(), float(parts[-1]) if may_be_none else None


def given(context: str, found: Found, threshold: float | None) -> Given:
    """What is answered; `threshold` None: a span in any case, if there is one."""
    likely, none = shares(found, may_be_none=threshold is not None)
    if not found.spans or (threshold is not None and found.margin > threshold):
        return Given(None, None, None, none or 0.0, found, likely, none)
    _, start, end = found.spans[0]
    return Given(context[start:end], start, end, likely[0], found, likely, none)


def best_threshold(margins: np.ndarray, answered: np.ndarray, unanswered: np.ndarray) -> float:
    """The threshold with the highest mean figure: a question is answered where its margin [N] is not above it.
    `answered` and `unanswered` [N] are its figure either way. Half-way between two margins; of equals the one nearest
    to 0."""
    order = np.argsort(margins, kind="stable")
    ordered = margins[order]
    gains = np.concatenate([[0.0], np.cumsum((answered - unanswered)[order])])  # of answering the first so many
    cuts = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])  # not between equal margins
    finite = ordered[np.isfinite(ordered)]
    low, high = (float(finite[0]) - 1, float(finite[-1]) + 1) if len(finite) else (0.0, 0.0)
    edges = np.concatenate([[low], (ordered[1:] + ordered[:-1]) / 2, [high]])
    edges = np.where(np.isfinite(edges), edges, high)
    best = gains[cuts].max()
    candidates = edges[cuts & (gains >= best - 1e-9)]
    return float(candidates[np.argmin(np.abs(candidates))])
