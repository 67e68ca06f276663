"""A tagger that teaches another: any of stock's or ours, what it says of each piece of a row, kept on disk."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ... import engines
from ...data.wording import listed
from ...engines.batches import by_length
from ...engines.pytorch import Rows
from ...errors import UserError
from ...progress import progress
from ...run.teaching import Answers, naming_teacher
from .tagger import HEAD, Tagger

CHUNK = 256  # rows of an entry on disk: what a killed run loses at most


class Teacher:
    """A trained tagger by a folder's or a Hub name, asked for its logits."""

    def __init__(self, name: str):
        self.name = name
        with naming_teacher():
            self.tagger = Tagger(name, engine="torch")
        self.engine: Any = self.tagger.engine
        self.model: Any = self.engine.model  # type: ignore[attr-defined]
        self.tokenizer: Any = self.tagger.tokenizer
        self.labels = self.tagger.labels
        self.positions = min(self.tokenizer.model_max_length, engines.positions(self.engine.config))
        self.answers = Answers(name, self.model)

    def order(self, labels: Sequence[str]) -> list[int]:
        """Where each of the data's labels stands among the teacher's. Raises `UserError` unless they are the same."""
        if sorted(self.labels) != sorted(labels):
            raise UserError(
                f"teacher: {self.name} tags with {listed(sorted(self.labels))}, and the data have "
                f"{listed(list(labels))}: give a teacher of these tags, or its tags in the data"
            )
        return [self.labels.index(name) for name in labels]

    def logits(self, rows: Sequence[Sequence[int]], labels: Sequence[str], *, bf16: bool) -> Iterator[np.ndarray]:
        """Of each row of ids, special tokens included, what is said of all but its first and last: [T - 2, K] float32
        in the order of the data's `labels`; from the disk, or computed and kept, some rows at a time, so that a killed
        run has those that it had."""
        order = self.order(labels)
        for start in progress(range(0, len(rows), CHUNK), what="the teacher's answers", unit="chunk", leave=False):
            some = [list(row) for row in rows[start : start + CHUNK]]
            lengths = [len(row) - 2 for row in some]
            shape = (sum(lengths), len(self.labels))
            read, compute = {"task": HEAD, "rows": some, "bf16": bf16}, functools.partial(self._computed, some, bf16)
            found = self.answers.of(read, len(some), shape, compute)
            yield from np.split(found[:, order], np.cumsum(lengths)[:-1])

    def _computed(self, rows: list[list[int]], bf16: bool) -> np.ndarray:
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=bf16):
            found = list(run_over(self.engine, rows))
        return np.concatenate([one[1 : len(row) - 1] for one, row in zip(found, rows, strict=True)])


def run_over(engine: Rows, rows: Sequence[Sequence[int]], batch_size: int = 64) -> list[np.ndarray]:
    """The logits of each row, [T or more, K], computed in batches of like lengths."""
    found: dict[int, np.ndarray] = {}
    for batch in by_length(rows, batch_size):
        found |= dict(zip(batch, engine([rows[place] for place in batch]), strict=True))
    return [found[place] for place in range(len(rows))]
