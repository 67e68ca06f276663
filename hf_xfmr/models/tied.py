"""The matrix that looks words up and scores them too (Press and Wolf, 2017): its gradient on a CPU, in one piece.

Autograd makes of a batch's look-ups a gradient of the whole vocabulary, nearly all zeros, and adds it to the scores':
for GPT-2 three times 154 MB a step. Here the rows that were looked up are added to the scores' gradient in its place.
"""

from contextvars import ContextVar
from functools import wraps

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class _Uses:
    """Of one forward pass: the matrix `weight` that scores words, and the two views of it once words are looked up."""

    def __init__(self, weight: nn.Parameter):
        self.weight = weight
        self.views: tuple[Tensor, Tensor] | None = None  # for looking up, and for scoring

    def of_words(self) -> Tensor:
        self.views = _TwoUses.apply(self.weight) if self.views is None else self.views
        return self.views[0]


_uses: ContextVar[_Uses | None] = ContextVar("uses", default=None)


def one_matrix(forward):
    """For the forward pass of a model with a loss over a vocabulary: within, `look_up` and `scoring` take the gradient
    of a matrix that both of them use in one piece."""

    @wraps(forward)
    def in_one_piece(self, *args, **kwargs):
        if torch.compiler.is_compiling() or not (self.training and torch.is_grad_enabled()):
            return forward(self, *args, **kwargs)
        weight = getattr(self.get_output_embeddings(), "weight", None)
        plain = type(weight) is nn.Parameter and weight.device.type == "cpu" and weight.requires_grad
        token = _uses.set(_Uses(weight) if plain else None)
        try:
            return forward(self, *args, **kwargs)
        finally:
            _uses.reset(token)

    return in_one_piece


def look_up(words: nn.Embedding, ids: Tensor) -> Tensor:
    """`words(ids)`: ids (B, T) int64 to vectors (B, T, E)."""
    uses = None if torch.compiler.is_compiling() else _uses.get()
    if uses is None or words.weight is not uses.weight:
        return words(ids)
    hooks = words._forward_hooks or words._forward_pre_hooks or words._backward_hooks or words._backward_pre_hooks
    if type(words) is not nn.Embedding or hooks or words.max_norm is not None:
        return words(ids)
    return F.embedding(ids, uses.of_words(), words.padding_idx, sparse=True)


def scoring(weight: Tensor) -> Tensor:
    """The matrix by which words are scored, as a use of it that shares its gradient with `look_up`."""
    uses = None if torch.compiler.is_compiling() else _uses.get()
    if uses is None or uses.weight is not weight or uses.views is None:
        return weight
    return uses.views[1]


class _TwoUses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight):
        ctx.set_materialize_grads(False)
        return weight.detach(), weight.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx, of_words, of_scores):
        """of_words: sparse, of the rows that were looked up; of_scores: of all, which nobody else has seen."""
        if of_words is None:
            return of_scores
        if of_scores is None:
            return of_words.to_dense()
        return of_scores.index_add_(0, of_words._indices()[0], of_words._values().to(of_scores.dtype))
