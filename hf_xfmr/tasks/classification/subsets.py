"""Some of the train rows, chosen otherwise than by a hash alone: nested, and with the labels' shares kept."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...splits import position
from .problem import label_key

BANDS = 10  # of ratings, from which rows are taken alike


def places(texts: Sequence[str], labels: Sequence[Any], most: int, seed: int) -> list[int]:
    """The places of `most` rows, in order: another `seed` takes others, and more rows hold the fewer of the same seed.

    Each label (each set of labels, each tenth of the ratings) has its share of them, whatever their number.
    """
    strata: dict[Any, list[int]] = defaultdict(list)
    for place, key in enumerate(_keys(labels)):
        strata[key].append(place)
    chance = [position(f"{seed} {text}") for text in texts]
    rank = np.zeros(len(texts))
    for rows in strata.values():
        for at, place in enumerate(sorted(rows, key=chance.__getitem__)):
            rank[place] = (at + 0.5) / len(rows)
    return sorted(sorted(range(len(texts)), key=lambda place: (rank[place], chance[place]))[:most])


def _keys(labels: Sequence[Any]) -> list[Any]:
    if len(labels) and isinstance(labels[0], float):
        edges = np.quantile(labels, np.linspace(0, 1, BANDS + 1)[1:-1])
        return np.searchsorted(edges, labels).tolist()
    return list(map(label_key, labels))
