"""From 8 to 64 labelled rows a label: an encoder that learns from pairs of rows, and a head that is fitted.

Of n rows there are some n²/2 pairs, alike or not, which is what SetFit (Tunstall et al., 2022) makes of few rows. Here
a batch's pairs are compared all at once by the supervised contrastive loss (Khosla et al., 2020, equation 2), each row
twice with other dropout, so that even the only row of its label in a batch has one like it (Gao et al., 2021, section
3). The head is the logistic regression of the finished vectors: nothing of it depends on a seed or a learning rate.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ...errors import UserError
from ...models.bert import mean_by_row
from ...run.console import say
from ...training import XfmrTrainer
from . import averaging
from .data import ClassificationData
from .many_labels import ManyLabels

FEW = 64  # rows of a label, up to which this is better than fine-tuning
TEMPERATURE = 0.1  # of the loss, as in the paper
PASSES = 30  # over the rows: of 32 a label 20 steps were too few to beat fine-tuning, 60 were not
DEFAULTS: dict[str, Any] = {  # what is not said of Trainer's arguments
    "num_train_epochs": PASSES,
    "learning_rate": 5e-5,
    "warmup_steps": 0.1,
    "eval_strategy": "no",
    "save_strategy": "steps",
    "save_steps": 10,
}
REFUSED = {
    "gradient_accumulation_steps": "its pairs are those of one batch: give --per_device_train_batch_size instead",
    "label_smoothing_factor": "its loss is of pairs, not of labels",
}


@dataclass(kw_only=True)
class FewLabelsSettings:
    """Whether there are so few rows."""

    few_labels: bool = field(
        default=False,
        metadata={"help": "For 8 to 64 rows a label (one a row): the encoder learns from pairs, the head is fitted"},
    )

    @staticmethod
    def settle(values: dict[str, Any]) -> list[str]:
        return settle(values)


def settle(values: dict[str, Any]) -> list[str]:
    """Add to the `values` that a user gave what few rows need, where `few_labels` are; what was decided, a line each.
    Raises `UserError` for what can't go with them."""
    if values.get("few_labels") is not True:
        return []
    for name in ("freeze_encoder", "lora_rank"):
        if values.get(name):
            raise UserError(f"few_labels and {name} exclude one another: leave one of them out")
    if values.get("model") is None:
        raise UserError(
            "few_labels needs a checkpoint, as --model sample:minilm: so few rows teach an encoder from scratch nothing"
        )
    if str(values.get("eval_strategy", "no")) != "no" or values.get("load_best_model_at_end"):
        raise UserError(
            "few_labels fits its head when the encoder has learned, so that no evaluation comes before: leave "
            f"{'eval_strategy' if values.get('eval_strategy') else 'load_best_model_at_end'} out"
        )
    if values.get("early_stopping_patience") is not None:
        raise UserError(
            "few_labels fits its head when the encoder has learned, so that there is nothing to stop early by: leave "
            "early_stopping_patience out"
        )
    for name, reason in REFUSED.items():
        if values.get(name) not in (None, 0, 0.0, 1):
            raise UserError(f"few_labels and {name} exclude one another: {reason}")
    own = dict(DEFAULTS)
    if values.get("max_steps") is not None:
        del own["num_train_epochs"]
    if values.get("save_strategy") is not None:
        del own["save_steps"]
    for name, value in own.items():
        if values.get(name) is None:
            values[name] = value
    values["load_best_model_at_end"] = False
    return []


def prepare(settings: Any, model: Any, corpus: ClassificationData) -> type[XfmrTrainer] | None:
    """With `few_labels` the trainer for them, after the mean of the tokens was put above the encoder; None: another's,
    which few rows have say what is made for them. Raises `UserError` for what is not one label a row."""
    if not settings.few_labels:
        say(*suggestion(settings, corpus))
        return None
    if corpus.problem.problem_type != "single_label_classification":
        kind = corpus.problem.problem_type.replace("_", " ")
        raise UserError(f"few_labels is for one label a row, and this is {kind}: leave few_labels out")
    if isinstance(corpus.problem, ManyLabels):
        raise UserError("few_labels is for 100 labels at most: leave few_labels out")
    if np.ptp(corpus.splits["train"]["labels"][:]) == 0:
        raise UserError("few_labels needs rows of two labels or more to train on: give rows of another label")
    averaging.add(model)
    say(
        f"few labels: the encoder learns from pairs of {len(corpus.splits['train']):,} rows; a block more, "
        f"{model.config.num_hidden_layers} in all, takes the mean of a text's tokens, which the head reads"
    )
    return FewLabelsTrainer


def suggestion(settings: Any, corpus: ClassificationData) -> list[str]:
    """A line where few rows suggest this and it was not asked for; nothing elsewhere."""
    if settings.few_labels or not settings.model or settings.lora_rank is not None or settings.freeze_encoder:
        return []
    if corpus.problem.problem_type != "single_label_classification" or isinstance(corpus.problem, ManyLabels):
        return []
    counts = np.bincount(corpus.splits["train"]["labels"][:], minlength=len(corpus.problem.label_names))
    middle = int(np.median(counts))
    if middle > FEW:
        return []
    return [f"few rows: {middle} of a label (median) to train on; --few_labels true is for so few"]


def contrastive_loss(vectors: Tensor, labels: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Khosla et al. (2020), L_out of equation 2: vectors (N, E) and their labels (N,) int64 to the mean over the rows
    that have another of their label. Rows are compared by the cosine of their vectors, over the temperature."""
    vectors = F.normalize(vectors.float(), dim=1)
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    alike = (labels[:, None] == labels) & ~itself  # (N, N)
    likeness = (vectors @ vectors.T / temperature).masked_fill(itself, float("-inf")).log_softmax(1)
    count = alike.sum(1)
    each = -likeness.masked_fill(~alike, 0.0).sum(1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)


class FewLabelsTrainer(XfmrTrainer):
    """Trains a classifier's encoder by the contrastive loss, and fits its last layer when that is done."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inputs = self._prepare_inputs(inputs)
        labels = inputs["labels"]
        twice = [_vectors(model, inputs) for _ in range(2)]  # other dropout each time
        loss = contrastive_loss(torch.cat(twice), labels.repeat(2))
        return (loss, None) if return_outputs else loss

    def train(self, *args, **kwargs):
        outcome = super().train(*args, **kwargs)
        self.fit_head()
        return outcome

    @torch.no_grad()
    def fit_head(self) -> None:
        """Fit the last layer to the train rows' vectors, by logistic regression with scikit-learn's ridge (C = 1 for
        vectors of a mean length of 1). A label without train rows gets a logit below all others."""
        from sklearn.linear_model import LogisticRegression

        model: Any = self.accelerator.unwrap_model(self.model)
        was = model.training
        model.eval()
        rows: Any = self.train_dataset
        found = [
            (_vectors(model, batch).float().cpu().double(), batch["labels"].cpu())
            for batch in map(self._prepare_inputs, DataLoader(rows, batch_size=64, collate_fn=self.data_collator))
        ]
        vectors = torch.cat([one for one, _ in found]).numpy()
        labels = torch.cat([one for _, one in found]).numpy()
        model.train(was)
        middle = vectors.mean(0)
        length = float(np.linalg.norm(vectors - middle, axis=1).mean()) or 1.0
        weights = model.config.class_weights
        fitted = LogisticRegression(max_iter=1000).fit(
            (vectors - middle) / length, labels, None if weights is None else np.asarray(weights)[labels]
        )
        slopes, begins = fitted.coef_ / length, fitted.intercept_
        if len(fitted.classes_) == 2:  # one row of numbers, the log-odds of the second
            slopes, begins = np.concatenate([-slopes, slopes]) / 2, np.concatenate([-begins, begins]) / 2
        begins = begins - slopes @ middle
        layer = averaging.last_layer(model)
        layer.weight.zero_()
        layer.bias.fill_(float((vectors @ slopes.T + begins).min()) - 1.0)
        seen = torch.as_tensor(fitted.classes_, device=layer.weight.device)
        layer.weight[seen] = torch.as_tensor(slopes, dtype=layer.weight.dtype, device=layer.weight.device)
        layer.bias[seen] = torch.as_tensor(begins, dtype=layer.bias.dtype, device=layer.bias.device)


def _vectors(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """What a classifier's last layer reads of each row of a batch: (B, E); of a row in windows the mean of theirs."""
    read: list[Tensor] = []
    last = averaging.last_layer(getattr(model, "module", model))
    given = {name: value for name, value in batch.items() if name not in ("labels", "window_row")}
    with last.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0])):
        model(**given)
    (vectors,) = read
    return vectors if "window_row" not in batch else mean_by_row(vectors, batch["window_row"])
