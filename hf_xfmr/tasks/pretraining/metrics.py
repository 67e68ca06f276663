"""How well a BERT fills in masked words and tells whether a sentence follows: losses, perplexity, shares right."""

import math

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ...errors import UserError
from ...models.losses import IGNORE
from ...training.many_processes import in_parts

FIGURES = ("loss", "mlm_loss", "perplexity", "mlm_accuracy", "masked")
NSP_FIGURES = ("nsp_loss", "nsp_accuracy", "pairs")  # where next sentences are asked for


@torch.no_grad()
def evaluate(model, rows, collate, *, batch_size: int = 32) -> dict[str, float]:
    """Score every masked word and every pair once, without dropout; the figures do not depend on `batch_size`.

    Returns `loss` (of both tasks), `mlm_loss` (mean negative log-likelihood of a masked token, nats), `perplexity` (its
    exponential), `mlm_accuracy`, `masked` (tokens asked); with next sentences `nsp_loss`, `nsp_accuracy` and `pairs`.
    """
    sums = dict.fromkeys(("mlm", "right", "masked", "nsp", "nsp_right", "pairs"), 0.0)
    was_training = model.training
    model.eval()
    for batch in DataLoader(rows, batch_size=batch_size, collate_fn=collate):
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        with in_parts(model):
            _score(model, batch, sums)
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
    return figures


def _score(model, batch: dict[str, torch.Tensor], sums: dict) -> None:
    labels, follows = batch.pop("labels"), batch.pop("next_sentence_label", None)
    out = model.bert(**batch)
    asked = labels != IGNORE  # (B, T)
    _add(sums, "mlm", "right", "masked", model.mlm_head(out.last_hidden_state[asked]), labels[asked])
    if follows is not None:
        asked = follows != IGNORE  # (B,)
        _add(sums, "nsp", "nsp_right", "pairs", model.nsp_head(out.pooler_output[asked]), follows[asked])


def _add(sums: dict, loss: str, right: str, count: str, logits: torch.Tensor, labels: torch.Tensor) -> None:
    sums[loss] += float(F.cross_entropy(logits.float(), labels, reduction="sum"))
    sums[right] += int((logits.argmax(-1) == labels).sum())
    sums[count] += len(labels)
