"""What is kept of a model's outputs where there are many labels: of each row its answer and its likeliest labels.

All logits of 15,000 rows and 100,000 labels would be 6 GB. Nothing here is larger than the batch it is made of.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...models.losses import IGNORE
from .answers import KEPT

CALIBRATED = 10_000_000  # logits on which a temperature is fitted


@dataclass(frozen=True)
class Outputs:
    """Of N rows: the ids of the likeliest labels, the likeliest first, and their probabilities, [N, KEPT] both; the
    ids answered, [N, m], filled up with `IGNORE`; and, with one label a row, the probability of the gold one, [N].

    Probabilities are NaN where a logit is NaN or infinite.
    """

    labels: np.ndarray
    shares: np.ndarray
    answers: np.ndarray
    gold_share: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def of_logits(logits: Tensor, several: bool, labels: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The fields of `Outputs` for logits [B, K]; `labels` [B] are the gold ones where a row has one."""
    logits = logits.float()
    shares = logits.sigmoid() if several else logits.softmax(-1)
    top = shares.topk(min(KEPT, logits.shape[1]), dim=-1)
    broken = ~logits.isfinite().all(-1)
    answers = ids_of(logits > 0) if several else top.indices[:, :1]  # the same one where several are likeliest
    gold = torch.full_like(shares[:, 0], torch.nan)
    if labels is not None and not several:
        gold = shares.gather(1, labels.view(-1, 1).to(shares.device))[:, 0]
    return top.indices, top.values.masked_fill(broken[:, None], torch.nan), answers, gold


def ids_of(holds: Tensor) -> Tensor:
    """Which labels hold, bool [B, K], as their ids [B, m] int64, filled up with `IGNORE`; m is 1 at least."""
    row, label = holds.nonzero(as_tuple=True)
    counts = holds.sum(-1)
    ids = torch.full((len(holds), max(1, int(counts.max()) if len(counts) else 1)), IGNORE, device=holds.device)
    place = torch.arange(len(row), device=holds.device) - (counts.cumsum(0) - counts)[row]
    ids[row, place] = label
    return ids


def of_array(logits: np.ndarray, several: bool) -> Outputs:
    """`Outputs` of logits [N, K] that are there as a whole, a block of rows at a time."""
    blocks = np.array_split(logits, max(1, logits.size // CALIBRATED))
    parts = [[one.numpy() for one in of_logits(torch.from_numpy(np.asarray(b, np.float32)), several)] for b in blocks]
    width = max(part[2].shape[1] for part in parts)
    for part in parts:
        part[2] = np.pad(part[2], ((0, 0), (0, width - part[2].shape[1])), constant_values=IGNORE)
    return Outputs(*(np.concatenate(column) for column in zip(*parts, strict=True)))
