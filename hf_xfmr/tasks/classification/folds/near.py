"""Rows of nearly the same text, found without comparing each with each: MinHash (Broder, 1997) in bands."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ....splits import plain

LENGTH = 5  # characters of a shingle: pieces of texts in any script
BANDS, ROWS = (
    20,
    4,
)  # of texts that share four fifths of their shingles 1 - (1 - 0.8^4)^20 are compared: all but 1 in 10^5
ALIKE = 0.8  # Jaccard similarity of the shingles, from which two texts are nearly the same
_PRIME = np.uint64((1 << 61) - 1)


def groups(texts: Sequence[str], *, alike: float = ALIKE) -> list[list[int]]:
    """Places of texts that are nearly the same (up to case, width and white space): each group two at least, linked one
    to another by pairs whose shingles have a Jaccard similarity of `alike`. Texts shorter than a shingle are one."""
    pieces = [_shingles(text) for text in texts]
    above = list(range(len(texts)))

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = place = above[above[place]]
        return place

    for a, b in _candidates(pieces):
        if top(a) != top(b) and _jaccard(pieces[a], pieces[b]) >= alike:
            above[max(top(a), top(b))] = min(top(a), top(b))
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(len(texts)):
        found[top(place)].append(place)
    return [places for places in found.values() if len(places) > 1]


def _shingles(text: str) -> np.ndarray:
    """Numbers of the different pieces of a text, uint64 [n], sorted."""
    letters = np.frombuffer(plain(text).encode("utf-32-le"), np.uint32).astype(np.uint64)
    if len(letters) < LENGTH:
        letters = np.pad(letters, (0, LENGTH - len(letters)))
    windows = np.lib.stride_tricks.sliding_window_view(letters, LENGTH)
    weights = np.uint64(1_000_003) ** np.arange(LENGTH, dtype=np.uint64)
    return np.unique((windows * weights).sum(axis=1) % _PRIME)  # sums wrap around, which is as good


def _candidates(pieces: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs that agree in a band of their signatures, of each bucket every place with the one before it."""
    draw = np.random.default_rng(0)
    scale = draw.integers(1, 2**32, size=(BANDS * ROWS, 1), dtype=np.uint64) | np.uint64(1)
    shift = draw.integers(0, 2**63, size=(BANDS * ROWS, 1), dtype=np.uint64)
    signatures = np.array([((scale * one + shift) >> np.uint64(20)).min(axis=1) for one in pieces])
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for place, signature in enumerate(signatures[:, band * ROWS : (band + 1) * ROWS]):
            buckets[signature.tobytes()].append(place)
        for places in buckets.values():
            for at in range(1, len(places)):
                yield places[at - 1], places[at]
                yield places[0], places[at]


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)
