"""Cross-entropy over labelled rows only. A loss here is a sum over the labelled rows divided by their number.

Under gradient accumulation or on several processes the number is that of the whole optimizer step, which `Trainer`
passes as `num_items_in_batch`; so a step's gradient does not depend on how its batch was cut.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORE = -100  # the label of a row that is not to be predicted, everywhere in torch and transformers


def mean_loss(total: Tensor, count: Tensor | int, num_items_in_batch: Tensor | int | None) -> Tensor:
    """`total`, a sum over `count` rows, as this batch's share of the step's mean."""
    count = count if num_items_in_batch is None else num_items_in_batch
    count = torch.as_tensor(count, dtype=total.dtype, device=total.device)
    return total / count.masked_fill(count == 0, 1)  # no labelled row: 0, not NaN


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    num_items_in_batch: Tensor | int | None = None,
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean cross-entropy, float32. logits [..., C], labels [...] int64; rows labelled `IGNORE` do not count.

    `class_weights` [C] multiply each row's loss; the sum is divided by the number of rows, not by the sum of their
    weights, so that the loss of a row does not depend on its neighbours. `label_smoothing`, 0 to 1, is the share of a
    row's target that is spread evenly over all classes.
    """
    labels = labels.to(logits.device).flatten()
    weight = None if class_weights is None else class_weights.to(logits.device, torch.float32)
    total = F.cross_entropy(
        logits.flatten(0, -2).float(),
        labels,
        weight=weight,
        ignore_index=IGNORE,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
    return mean_loss(total, (labels != IGNORE).sum(), num_items_in_batch)


def sequence_classification_loss(
    logits: Tensor, labels: Tensor, config, num_items_in_batch: Tensor | int | None = None
) -> Tensor:
    """The loss of `config.problem_type`, which, if unset, is found from the labels as stock classes find it.

    logits [B, C]. Single label: labels [B] int64. Multi-label: labels [B, C] float, one binary cross-entropy each.
    Regression: labels [B] or [B, C] float, squared error.
    """
    if config.problem_type is None:
        if config.num_labels == 1:
            config.problem_type = "regression"
        elif labels.dtype in (torch.int64, torch.int32):
            config.problem_type = "single_label_classification"
        else:
            config.problem_type = "multi_label_classification"
    labels = labels.to(logits.device)
    if config.problem_type == "single_label_classification":
        weights = getattr(config, "class_weights", None)
        class_weights = None if weights is None else torch.tensor(weights)
        return cross_entropy(logits, labels, num_items_in_batch, class_weights=class_weights)
    logits, labels = logits.float(), labels.float()
    if config.problem_type == "regression":
        error = F.mse_loss(logits.flatten(), labels.flatten(), reduction="sum")
        return mean_loss(error, labels.numel(), num_items_in_batch)
    if config.problem_type == "multi_label_classification":
        error = F.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
        return mean_loss(error, labels.numel(), num_items_in_batch)
    raise ValueError(
        f"config.problem_type is {config.problem_type!r}; it must be one of 'regression', "
        "'single_label_classification', 'multi_label_classification'"
    )


def has_one_label(config) -> bool:
    """Whether a config's rows are of one label each, as far as it says: not of several, nor of a number."""
    return getattr(config, "problem_type", None) in (None, "single_label_classification")


def next_tokens(labels: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """What each position of a causal model is to predict: labels [B, T] int64, shifted left by one.

    The last position of a row predicts nothing; nor does, with an attention_mask [B, T] (0 at padding), padding or the
    position before it. So a row's loss does not depend on the side it is padded on.
    """
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORE)
    if attention_mask is None or attention_mask.dim() != 2:
        return targets
    real = attention_mask[:, -labels.size(1) :] != 0
    return targets.masked_fill(~(real & real.roll(-1, dims=1)), IGNORE)
