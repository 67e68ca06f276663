"""How well a BERT fills in masked words and tells whether a sentence follows: losses, perplexity, shares right."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ...errors import UserError
from ...models.losses import IGNORE
from ...training.many_processes import in_parts
from .sentence_pairs import NEXT

FIGURES = ("loss", "mlm_loss", "perplexity", "mlm_accuracy", "masked")
NSP_FIGURES = ("nsp_loss", "nsp_accuracy", "pairs")  # where next sentences are asked for


def evaluate(model, rows, collate, *, batch_size: int = 32) -> dict[str, float]:
    """The figures of `evaluate_in_detail`, without what they are made of."""
    return evaluate_in_detail(model, rows, collate, batch_size=batch_size)[0]


class Detail(NamedTuple):
    """Of each row the nats that its masked tokens cost the model, those that they cost by a `surprise` of their own,
    and how many they are, [N, 3]; and of how many pairs the second sentence follows."""

    rows: np.ndarray
    following: int


@torch.no_grad()
def evaluate_in_detail(
    model, rows, collate, *, batch_size: int = 32, surprise: torch.Tensor | None = None
) -> tuple[dict[str, float], Detail]:
    """Score every masked word and every pair once, without dropout; the figures do not depend on `batch_size`.

    Returns `loss` (of both tasks), `mlm_loss` (mean negative log-likelihood of a masked token, nats), `perplexity` (its
    exponential), `mlm_accuracy`, `masked` (tokens asked); with next sentences `nsp_loss`, `nsp_accuracy` and `pairs`.
    And the detail; `surprise` [V] is -log p of each token, read or not.
    """
    sums = dict.fromkeys(("mlm", "right", "masked", "nsp", "nsp_right", "pairs", "following"), 0.0)
    by_row: list[torch.Tensor] = []
    was_training = model.training
    model.eval()
    for batch in DataLoader(rows, batch_size=batch_size, collate_fn=collate):
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        with in_parts(model):
            by_row.append(_score(model, batch, sums, surprise))
    model.train(was_training)
    if not sums["masked"]:
        raise UserError("no token of the evaluation texts is masked: there are too few")
    loss = sums["mlm"] / sums["masked"]
    figures = {
        "loss": loss,
        "mlm_loss": loss,
        "perplexity": math.exp(min(loss, 700)),
        "mlm_accuracy": sums["right"] / sums["masked"],
        "masked": int(sums["masked"]),
    }
    if sums["pairs"]:
        figures |= {
            "loss": loss + sums["nsp"] / sums["pairs"],
            "nsp_loss": sums["nsp"] / sums["pairs"],
            "nsp_accuracy": sums["nsp_right"] / sums["pairs"],
            "pairs": int(sums["pairs"]),
        }
    return figures, Detail(torch.cat(by_row).numpy(), int(sums["following"]))


def _score(model, batch: dict[str, torch.Tensor], sums: dict, surprise: torch.Tensor | None) -> torch.Tensor:
    """Adds to the sums; the rows of `Detail`."""
    labels, follows = batch.pop("labels"), batch.pop("next_sentence_label", None)
    out = model.base_model(**batch)
    asked = labels != IGNORE  # (B, T)
    nats = _add(sums, "mlm", "right", "masked", model.mlm_head(out.last_hidden_state[asked]), labels[asked])
    unread = torch.zeros_like(nats) if surprise is None else surprise.to(nats)[labels[asked]]
    by_row = torch.zeros(len(labels), 3, dtype=torch.float64, device=nats.device)
    by_row.index_add_(0, asked.nonzero()[:, 0], torch.stack([nats, unread, torch.ones_like(nats)], 1))
    if follows is not None:
        asked = follows != IGNORE  # (B,)
        _add(sums, "nsp", "nsp_right", "pairs", model.nsp_head(out.pooler_output[asked]), follows[asked])
        sums["following"] += int((follows[asked] == NEXT).sum())
    return by_row.cpu()


def _add(sums: dict, loss: str, right: str, count: str, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Adds up, and gives the loss of each label, [n] float64."""
    nats = F.cross_entropy(logits.float(), labels, reduction="none").double()
    sums[loss] += float(nats.sum())
    sums[right] += int((logits.argmax(-1) == labels).sum())
    sums[count] += len(labels)
    return nats
