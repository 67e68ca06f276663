"""Rows of different lengths as one array, the same for every engine."""

from collections.abc import Iterator, Sequence, Sized

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


def by_length(rows: Sequence[Sized], batch_size: int) -> Iterator[list[int]]:
    """The places of the rows, `batch_size` at a time, the longest first."""
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def in_parts(rows: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """The places of rows of like lengths, the longest first: as many together as are `most` tokens with their
    padding."""
    parts: list[list[int]] = []
    for row in sorted(range(len(rows)), key=lambda row: -len(rows[row])):
        if parts and (len(parts[-1]) + 1) * len(rows[parts[-1][0]]) <= most:
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def joined(found: Sequence[np.ndarray], parts: Sequence[Sequence[int]]) -> np.ndarray:
    """What was computed of each of the parts, [B, C] or [B, T, C], as one array in the order of the rows, zeros behind
    a shorter part's last token."""
    shape = (sum(map(len, parts)), *found[0].shape[1:])  # the first part is the longest
    whole = np.zeros(shape, found[0].dtype)
    for rows, one in zip(parts, found, strict=True):
        if one.ndim == 3:
            whole[rows, : one.shape[1]] = one
        else:
            whole[rows] = one
    return whole
