"""Rows of different lengths as one array, the same for every engine."""

from collections.abc import Sequence

import numpy as np


def padded(rows: Sequence[Sequence[int]], value: int) -> np.ndarray:
    """The rows, int64 [B, T], filled up on the right; T is the longest one's length."""
    width = max(map(len, rows))
    whole = np.full((len(rows), width), value, np.int64)
    for place, row in enumerate(rows):
        whole[place, : len(row)] = row
    return whole


def inputs(
    ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None, padding: int, padding_type: int = 0
) -> dict[str, np.ndarray]:
    """What a model reads, int64 [B, T] each: `input_ids`, `attention_mask` (0 at padding) and, where there are `types`,
    `token_type_ids`."""
    given = {"input_ids": padded(ids, padding), "attention_mask": padded([[1] * len(row) for row in ids], 0)}
    return given if types is None else {**given, "token_type_ids": padded(types, padding_type)}
