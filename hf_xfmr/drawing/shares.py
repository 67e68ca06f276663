"""What attention weights say beside an even spread, as numbers and in a sentence. Nothing is drawn here.

A weight of 0.2 is much among 40 tokens and little among 3, and the first row of a causal map is 1 because it has no
choice. So all here is told in even shares: 1 is what each token would get if all that may be seen were seen alike.
"""

from collections.abc import Sequence

import numpy as np

from .words import Words

EVEN = 1.5  # below this many even shares nothing stands out


def visible(shape: tuple[int, int], causal: bool) -> np.ndarray:
    """Which of S tokens each of T may see, bool [T, S]: all, or none that comes later."""
    return np.tri(*shape, dtype=bool) if causal else np.ones(shape, dtype=bool)


def in_shares(weights: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Weights [..., T, S] as multiples of an even share among what each row may see (`seen`, bool [T, S])."""
    return weights * seen.sum(-1, keepdims=True)


def habit(weights: np.ndarray, seen: np.ndarray, tokens: Sequence[str], words: Words) -> tuple[str, float, float]:
    """Where a head [T, S] mostly looks: (its name, its share of the weight, what an even spread would give it).

    A square map is asked for each token itself, the one before and the one after; every map for each single token. Rows
    that have no choice don't count.
    """
    free = seen.sum(-1) > 1
    even = seen / seen.sum(-1, keepdims=True)
    options = [(f"“{token}”", np.s_[free, place]) for place, token in enumerate(tokens)]
    found = [(name, float(weights[at].mean()), float(even[at].mean())) for name, at in options if free.any()]
    if weights.shape[0] == weights.shape[1]:
        for name, offset in (("itself", 0), ("before", -1), ("after", 1)):
            shares = [
                float(np.diagonal(one, offset)[np.diagonal(free[:, None] & seen, offset)].sum() / max(free.sum(), 1))
                for one in (weights, even)
            ]
            found.append((words[name], shares[0], shares[1]))
    return max(found, key=lambda one: one[1], default=("–", 0.0, 0.0))


def of_map(weights: np.ndarray, seen: np.ndarray, tokens: Sequence[str], words: Words) -> str:
    """A sentence or two about the heads [H, T, S] of a layer: where they look, and which is the most pointed."""
    most = float(in_shares(weights, seen).max(initial=0))
    if most < EVEN:
        return words["says_even"].format(most=most)
    what, share, even = habit(weights.mean(0), seen, tokens, words)
    said = words["says_habit"].format(what=what, share=share, even=even)
    if len(weights) == 1:
        return said
    each = [habit(one, seen, tokens, words) for one in weights]
    head = max(range(len(each)), key=lambda one: each[one][1])
    pointed = words["says_pointed"].format(head=head + 1, share=each[head][1], what=each[head][0])
    return said + ("" if said[-1] == "。" else " ") + pointed


def of_word(weights: np.ndarray, tokens: Sequence[str], at: Sequence[int], seen: int, words: Words) -> str:
    """A sentence or two about what a word at the places `at` looks at: weights [H, S], of which it may see `seen`."""
    word = spelled(tokens[place] for place in at)
    if float(weights.max()) * seen < EVEN:
        return words["says_word_even"].format(word=word, most=float(weights.max()) * seen)
    mean = weights.mean(0)
    place = int(mean.argmax())
    said = words["says_word"].format(word=word, token=tokens[place], share=float(mean[place]), even=1 / seen)
    if len(weights) == 1:
        return said
    head, place = divmod(int(weights.argmax()), weights.shape[1])
    hardest = words["says_word_head"].format(head=head + 1, token=tokens[place], share=float(weights[head, place]))
    return said + ("" if said[-1] == "。" else " ") + hardest


def spelled(tokens) -> str:
    """The pieces of a word as the word."""
    return "".join(token.removeprefix("##").removeprefix("▁") for token in tokens)
