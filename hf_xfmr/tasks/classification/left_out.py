"""Which words an answer rests on: each is left out in turn, and what that changes is its share.

Asked of any engine, since it needs answers only. It says what the answer would be without a word, not how the model
came to it: two words of which either would do both change little. `gradients.py` counts both.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from .classifier import Classifier
from .words import Row, Span


def without(row: Row, *spans: Span) -> Row:
    """The row with the characters of these spans left out."""
    for span in sorted(spans, reverse=True):  # from the end: the places of those before stay
        text = row[span.of] or ""
        left = f"{text[: span.start].rstrip(' ')}{text[span.end :]}"
        row = row._replace(pair=left) if span.of else row._replace(text=left)
    return row


def changes(answer: dict, others: Iterable[dict], label: str | None = None) -> list[float]:
    """How much lower the probability of a label (None: of the answer, of several the likeliest), or the rating, is in
    each of the other answers; 0 where one is an error."""
    label = label or likeliest(answer)
    return [round(figure(answer, label) - figure(one, label), 6) if "error" not in one else 0.0 for one in others]


def likeliest(answer: dict) -> str | None:
    """The label an answer is asked about if nothing is said; None for a rating."""
    shares: dict[str, float] = answer.get("probabilities") or {}
    return max(shares, key=lambda name: shares[name]) if shares else None


def figure(answer: dict, label: str | None) -> float:
    """The probability of a label, or the rating."""
    return answer["value"] if label is None else answer["probabilities"].get(label, 0.0)


def shares(classifier: Classifier, row: Row, spans: Sequence[Span], label: str | None = None) -> dict[str, Any]:
    """{"answer", "shares", "all", "none"}: what leaving out each of the row's spans takes from the answer, and the
    figure of the whole row, and of the row without any."""
    rows = [row, *(without(row, span) for span in spans), without(row, *spans)]
    pairs = None if row.pair is None else [str(one.pair) for one in rows]
    answer, *others, none = classifier([one.text for one in rows], pairs)
    if "error" in answer:
        return {"answer": answer, "shares": [0.0] * len(spans), "all": 0.0, "none": 0.0}
    label = label or likeliest(answer)
    taken = changes(answer, others, label)
    left = 0.0 if "error" in none else figure(none, label)
    return {"answer": answer, "shares": taken, "all": figure(answer, label), "none": left}
