"""Texts that a model wrote round in circles: the same words, or characters, again and again."""

from collections.abc import Sequence

RUN = 4  # words, or characters where there are few words
FEWEST = 12  # such runs, of which repetition says something


def in_circles(text: str) -> bool:
    """Whether fewer than half of a text's runs of four words (characters, where words are few) are different ones."""
    words = text.split()
    parts: Sequence[str] = words if len(words) >= FEWEST + RUN else "".join(words)
    runs = [tuple(parts[start : start + RUN]) for start in range(len(parts) - RUN + 1)]
    return len(runs) >= FEWEST and len(set(runs)) < len(runs) / 2


def warnings(texts: Sequence[str], what: str, *, least: float = 0.02) -> list[dict]:
    """A fact for a verdict, where at least that share of the texts goes in circles; `what` they are called."""
    found = sum(map(in_circles, texts))
    return [{"kind": "loops", "count": found, "rows": len(texts), "what": what}] if found > least * len(texts) else []
