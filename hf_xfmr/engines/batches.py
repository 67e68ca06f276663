"""Rows of different lengths as one array, the same for every engine."""

from collections.abc import Sequence

import numpy as np


def padded(rows: Sequence[Sequence[int]], value: int, *, left: bool = False) -> np.ndarray:
    """The rows, int64 [B, T], filled up on the right, or on the `left`; T is the longest one's length."""
    width = max(map(len, rows))
    whole = np.full((len(rows), width), value, np.int64)
    for place, row in enumerate(rows):
        whole[place, width - len(row) if left else 0 : width if left else len(row)] = row
    return whole


def inputs(
    ids: Sequence[Sequence[int]],
    types: Sequence[Sequence[int]] | None,
    padding: int,
    padding_type: int = 0,
    *,
    left: bool = False,
) -> dict[str, np.ndarray]:
    """What a model reads, int64 [B, T] each: `input_ids`, `attention_mask` (0 at padding) and, where there are `types`,
    `token_type_ids`."""
    real = [[1] * len(row) for row in ids]
    given = {"input_ids": padded(ids, padding, left=left), "attention_mask": padded(real, 0, left=left)}
    return given if types is None else {**given, "token_type_ids": padded(types, padding_type, left=left)}
