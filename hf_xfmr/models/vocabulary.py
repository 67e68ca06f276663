"""The loss over a vocabulary: of all words' scores only some rows are ever held."""

from collections.abc import Callable
from threading import local

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .linear import is_plain
from .losses import IGNORE, cross_entropy, mean_loss
from .sizes import filler, is_to_fill
from .tied import scoring


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
    plain = not torch.compiler.is_compiling() and is_plain(head)
    if plain and is_to_fill(rows.device, head.weight.dtype):
        rows = F.pad(rows, (0, 0, 0, filler(len(rows))))
    rows = rows if before is None else before(rows)
    if not plain:  # an adapter on it, or hooks that gather its weights
        scores = head(rows) if bias is None else head(rows) + bias
        return cross_entropy(scores, labels, num_items_in_batch, label_smoothing=label_smoothing)
    bias = head.bias if bias is None else bias.flatten()
    kind = rows.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else head.weight.dtype
    share = mean_loss(torch.ones((), device=rows.device), len(labels), num_items_in_batch)
    return _ChunkedCrossEntropy.apply(rows, scoring(head.weight), bias, labels, share, label_smoothing, dtype)


CHUNK = 2**26  # scores held at a time, 128 MiB in bfloat16: each further chunk adds to a gradient [vocab, E]
PART = 2**13  # of the vocabulary: so many rows of its gradient are held twice, as a product and as what it is added to
BLOCK = 2**18  # of these, the scores turned into probabilities at a time: 1 MiB in float32, which a core's cache holds


COLUMNS = 64  # a CPU's kernels want a multiple of it: 50,257 words are filled up to 50,304 with scores of nothing


class _ChunkedCrossEntropy(torch.autograd.Function):
    """`share` times the summed cross-entropy of hidden [N, E] @ weight [V, E]^T + bias [V], some rows at a time. Rows
    beyond the labels count for nothing (`sizes.py`).

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
        kept = _in_columns(weight, dtype) if _has_room(weight) else None  # in memory that stays
        for start in range(0, len(hidden), rows):
            x, label = hidden[start : start + rows].to(dtype), labels[start : start + rows].unsqueeze(1)
            matrix = weight.to(dtype) if kept is None else kept
            # (chunk, V, and what the columns were filled up with), turned block by block into d, the loss's derivative
            whole = _scores(x, matrix)
            scores = whole[:, : len(weight)]
            whole[len(label) :] = 0
            few = max(1, BLOCK // len(weight)) if x.device.type == "cpu" else len(x)
            for block, target in zip(scores[: len(label)].split(few), label.split(few), strict=True):
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
                of_hidden[start : start + rows] = whole @ matrix
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


def _in_columns(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A CPU's weight (V, E) in `dtype`; where that is a copy, with rows of zeros up to a multiple of `COLUMNS`."""
    if weight.dtype == dtype:
        return weight
    size = len(weight)
    matrix = _room(-(-size // COLUMNS) * COLUMNS, weight.size(1), dtype, "matrix")
    matrix[:size], matrix[size:] = weight.detach(), 0
    return matrix


def _scores(x: Tensor, matrix: Tensor) -> Tensor:
    """x @ matrix^T, on a CPU in memory that the next step's will stand in too."""
    if not _has_room(x):
        return x @ matrix.t()
    return torch.mm(x, matrix.t(), out=_room(len(x), len(matrix), x.dtype, "scores"))


_rooms = local()


def _has_room(x: Tensor) -> bool:
    return x.device.type == "cpu" and type(x) in (Tensor, nn.Parameter)  # and not a tensor that only pretends


def _room(rows: int, columns: int, dtype: torch.dtype, name: str) -> Tensor:
    """Memory (rows, columns) that a thread keeps. Taken anew at each step, 100 MB of scores cost as much as half of
    the product that fills them: the system hands them out page by page, in zeros."""
    kept = getattr(_rooms, name, None)
    if kept is None or kept.dtype != dtype or len(kept) < rows * columns:
        with torch.inference_mode(False):
            kept = torch.empty(rows * columns, dtype=dtype)
        setattr(_rooms, name, kept)
    return kept[: rows * columns].view(rows, columns)


def release_memory() -> None:
    """Give back what this thread keeps for the scores of a next step."""
    _rooms.__dict__.clear()
