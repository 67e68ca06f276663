"""Linear probing: a head trained on the features of a frozen encoder, which are computed once for all epochs."""

from typing import Any

import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import TrainingArguments
from transformers.modeling_outputs import SequenceClassifierOutput

from ...errors import UserError
from ...models.bert import mean_by_row
from ...models.losses import sequence_classification_loss
from ...progress import progress
from .collate import label_tensor
from .data import ClassificationData

_HEAD = ("pre_classifier", "classifier")  # what stands above the encoder; BERT has the latter alone


def head_of(model: Any) -> dict[str, nn.Module]:
    """The layers of a classifier that read the features."""
    return {name: layer for name, layer in model.named_children() if name in _HEAD}


def check(model: Any, corpus: ClassificationData) -> None:
    """Raises `UserError` where features of windows would be averaged before layers that bend."""
    is_linear = list(head_of(model)) == ["classifier"] and isinstance(model.classifier, nn.Linear)
    if corpus.text_window["over_long"] == "windows" and not is_linear:
        raise UserError(
            f"freeze_encoder and over_long: windows exclude one another for {type(model).__name__}, whose head has two "
            "layers: give --over_long head, or leave freeze_encoder out"
        )


class Probe(nn.Module):
    """The head of a classifier, alone: features [B, E] float32 to logits [B, num_labels]. No dropout."""

    def __init__(self, model: Any):
        super().__init__()
        self.config, self._head = model.config, model.eval().head
        for name, layer in head_of(model).items():
            self.add_module(name, layer)

    def train(self, mode: bool = True) -> "Probe":
        return super().train(False)  # a head may have dropout within

    def forward(self, features: Tensor, labels: Tensor | None = None, num_items_in_batch=None, **_):
        logits = self._head(features)
        loss = None
        if labels is not None:
            loss = sequence_classification_loss(logits, labels, self.config, num_items_in_batch)
        return SequenceClassifierOutput(loss=loss, logits=logits)


@torch.no_grad()
def features(
    model: Any,
    dataset: Dataset,
    collate,
    args: TrainingArguments,
    *,
    batch_size: int = 64,
) -> Dataset:
    """What the head reads of [CLS], for a dataset's rows, float32 [rows, E], dropout off, beside their labels.

    They are computed in the precision of the run whose arguments these are: bf16, fp16, or neither, float32. A row cut
    into windows gets their mean, which a linear head turns into the mean of their logits.
    """
    model.eval()
    dtype = torch.float16 if args.fp16 else torch.bfloat16
    batches = DataLoader(dataset, batch_size=batch_size, collate_fn=collate)  # type: ignore[arg-type]
    pooled = []
    for batch in progress(batches, what="features", unit="row batch", leave=False):
        batch.pop("labels", None)
        row = batch.pop("window_row", None)
        with torch.autocast(model.device.type, dtype, enabled=bool(args.fp16 or args.bf16)):
            given = {name: t.to(model.device) for name, t in batch.items()}
            out = model.base_model(**given)
            vectors = model.features(out, given.get("attention_mask")).float()
        pooled.append((vectors if row is None else mean_by_row(vectors, row.to(vectors.device))).cpu())
    return Dataset.from_dict({"features": torch.cat(pooled).numpy(), "labels": dataset["labels"][:]})


def collate_features(rows: list[dict], indicators: int | None = None) -> dict[str, Tensor]:
    """A batch of rows that `features` made: features [B, E] float32, and their labels."""
    return {
        "features": torch.tensor([row["features"] for row in rows]),
        "labels": label_tensor(rows, indicators),
    }
