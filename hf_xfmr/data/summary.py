"""The lines that every recipe prints about its data."""

from collections.abc import Mapping, Sequence

from datasets import Dataset

from ..plain import some


def splits_line(splits: Mapping[str, Dataset], source: Mapping[str, str], *, unused: Sequence[str]) -> str:
    """`splits: train 8,056, validation 1,007 (carved from train by a hash of the text), test 1,007 (...)`."""
    parts = [
        f"{split} {len(rows):,}"
        + ("" if source[split] == split else f" (carved from {source[split]} by a hash of the text)")
        for split, rows in splits.items()
    ]
    return f"splits: {', '.join(parts)}" + (f"; not used: {some(unused)}" if unused else "")
