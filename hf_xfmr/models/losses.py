"""Cross-entropy over labelled rows only. A loss here is a sum over the labelled rows divided by their number.

Under gradient accumulation or on several processes the number is that of the whole optimizer step, which `Trainer`
passes as `num_items_in_batch`; so a step's gradient does not depend on how its batch was cut.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .linear import is_plain

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


def vocabulary_loss(
    hidden: Tensor,
    labels: Tensor,
    head: nn.Linear,
    num_items_in_batch: Tensor | int | None = None,
    *,
    bias: Tensor | None = None,
    before: Callable[[Tensor], Tensor] | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean cross-entropy of `head` on the labelled rows, float32, without ever holding all their scores.

    hidden [B, T, E], labels [B, T] int64; `before` is applied to the labelled rows [N, E] first, `bias` [vocab] or
    [1, vocab] is added to the scores. The other arguments are those of `cross_entropy`.
    """
    labels = labels.to(hidden.device)
    labelled = labels != IGNORE  # (B, T)
    rows, labels = hidden[labelled], labels[labelled]
    rows = rows if before is None else before(rows)
    if torch.compiler.is_compiling() or not is_plain(head):  # an adapter on it, or hooks that gather its weights
        scores = head(rows) if bias is None else head(rows) + bias
        return cross_entropy(scores, labels, num_items_in_batch, label_smoothing=label_smoothing)
    bias = head.bias if bias is None else bias.flatten()
    kind = rows.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else head.weight.dtype
    share = mean_loss(torch.ones((), device=rows.device), len(labels), num_items_in_batch)
    return _ChunkedCrossEntropy.apply(rows, head.weight, bias, labels, share, label_smoothing, dtype)


CHUNK = 2**26  # scores held at a time, 128 MiB in bfloat16: each further chunk adds to a gradient [vocab, E]
PART = 2**13  # of the vocabulary: so many rows of its gradient are held twice, as a product and as what it is added to
BLOCK = 2**18  # of these, the scores turned into probabilities at a time: 1 MiB in float32, which a core's cache holds


class _ChunkedCrossEntropy(torch.autograd.Function):
    """`share` times the summed cross-entropy of hidden [N, E] @ weight [V, E]^T + bias [V], some rows at a time.

    A chunk's scores are known once, in the forward pass, so its part of the gradients is computed there too: of [N, V]
    nothing is kept. Products are computed in `dtype`, softmax and sums at least in float32.
    """

    @staticmethod
    def forward(ctx, hidden, weight, bias, labels, share, smoothing, dtype):
        given = hidden, weight, bias, labels, share
        ctx.save_for_backward(*given)
        ctx.options = smoothing, dtype
        loss, ctx.gradients = _loss_and_gradients(given, ctx.options, ctx.needs_input_grad)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # a second time through the same graph
            gradients = _loss_and_gradients(ctx.saved_tensors, ctx.options, ctx.needs_input_grad)[1]
        if upstream.device.type != "cpu" or upstream != 1:
            gradients = [None if gradient is None else gradient.mul_(upstream) for gradient in gradients]
        return *gradients, None, None, None, None


def _loss_and_gradients(given, options, needed):
    (hidden, weight, bias, labels, share), (smoothing, dtype) = given, options
    exact = torch.promote_types(weight.dtype, torch.float32)
    with torch.autocast(hidden.device.type, enabled=False):
        loss = torch.zeros((), dtype=exact, device=hidden.device)
        of_hidden = torch.empty_like(hidden) if needed[0] else None
        of_weight = torch.zeros_like(weight, dtype=exact) if needed[1] and not len(labels) else None
        of_bias = torch.zeros_like(bias, dtype=exact) if bias is not None and needed[2] else None
        rows = max(1, CHUNK // len(weight))
        for start in range(0, len(labels), rows):
            x, label = hidden[start : start + rows].to(dtype), labels[start : start + rows].unsqueeze(1)
            matrix = weight.to(dtype)
            scores = x @ matrix.t()  # (chunk, V), turned block by block into d, the loss's derivative by them
            few = max(1, BLOCK // len(weight)) if x.device.type == "cpu" else len(x)
            for block, target in zip(scores.split(few), label.split(few), strict=True):
                d = block.to(exact)  # the very block, if it is of this type
                if bias is not None:
                    d += bias
                top = d.amax(1, keepdim=True)
                loss -= (1 - smoothing) * (d.gather(1, target) - top).sum()
                d -= top
                if smoothing:
                    loss -= smoothing / len(weight) * d.sum()
                total = d.exp_().sum(1, keepdim=True)
                loss += total.log().sum()
                d *= share / total
                if smoothing:
                    d -= share * (smoothing / len(weight))
                d.scatter_add_(1, target, ((smoothing - 1) * share).to(exact).expand(target.shape))
                if of_bias is not None:
                    of_bias += d.sum(0)
                if d.dtype != dtype:
                    block.copy_(d)
            if of_hidden is not None:
                of_hidden[start : start + rows] = scores @ matrix
            del matrix  # before what is twice as large is made
            if needed[1]:
                of_weight = torch.empty_like(weight, dtype=exact) if start == 0 else of_weight
                for part, of_part in zip(scores.split(PART, 1), of_weight.split(PART), strict=True):
                    if dtype == exact:
                        of_part.addmm_(part.t(), x, beta=min(start, 1))
                    elif start == 0:
                        of_part.copy_(part.t() @ x)
                    else:
                        of_part.add_(part.t() @ x)
        of_weight = None if of_weight is None else of_weight.to(weight.dtype)
        of_bias = None if of_bias is None else of_bias.to(bias.dtype)
        return loss * share, [of_hidden, of_weight, of_bias]
