"""What a student learns of a teacher, whatever the task: softened answers, and states of the layers it was made of."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCK = re.compile(r"(.*\bblocks\.)(\d+)(\..*)")


def evenly(layers: int, wanted: int) -> list[int]:
    """Which of a teacher's layers (from 0) a student of so many has, spread evenly, the last among them (Jiao et al.,
    2020, section 3.1): of 6 for 2 the third and the sixth."""
    return [round((number + 1) * layers / wanted) - 1 for number in range(wanted)]


@torch.no_grad()
def take_layers(student: nn.Module, teacher: nn.Module, layers: Sequence[int]) -> None:
    """Copy a teacher's weights into a student that is it with these of its blocks."""
    place = {str(own): new for new, own in enumerate(layers)}
    taken = {}
    for name, tensor in teacher.state_dict().items():
        if (found := _BLOCK.fullmatch(name)) is None:
            taken[name] = tensor
        elif found[2] in place:
            taken[f"{found[1]}{place[found[2]]}{found[3]}"] = tensor
    student.load_state_dict(taken)


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Hinton et al. (2015), section 2: the Kullback-Leibler divergence of the teacher's softened probabilities from the
    student's, times T² so that its gradients do not shrink with T. Logits (..., K) each; the mean over all rows."""
    student, teacher = student.flatten(0, -2).float(), teacher.flatten(0, -2).float()
    own, wanted = (F.log_softmax(one / temperature, -1) for one in (student, teacher))
    return F.kl_div(own, wanted, reduction="batchmean", log_target=True) * temperature**2


def soft_labels_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Hinton et al. (2015), section 2, applied to each label alone: the binary cross-entropy of the student's sigmoid
    at T against the teacher's, times T²; its gradients are those of the divergence, from which it differs by the
    teacher's own entropy. Logits (B, K) each; the mean over rows and labels, as the loss of the labels themselves."""
    wanted = (teacher.float() / temperature).sigmoid()
    return F.binary_cross_entropy_with_logits(student.float() / temperature, wanted) * temperature**2


def numbers_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Ba and Caruana (2014), section 2: the mean squared difference of what both say, here ratings (B, 1), which no
    `temperature` softens."""
    return F.mse_loss(student.float(), teacher.float())


def states_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], layers: Sequence[int], mask: Any) -> Tensor:
    """Jiao et al. (2020), equation 8, without a projection, since both are as wide: the mean squared difference of the
    states after each of the student's blocks from those after the teacher's that it was made of, over real tokens.
    `student`, `teacher`: the embeddings' states, then those of each block, (B, T, E); mask (B, T), 0 at padding."""
    real = torch.ones(student[0].shape[:2], device=student[0].device) if mask is None else mask
    real = real.to(torch.float32)[..., None]  # (B, T, 1)
    count = real.sum() * student[0].size(-1)
    differences = [
        ((own.float() - teacher[layer + 1].float()) ** 2 * real).sum() / count
        for own, layer in zip(student[1:], layers, strict=True)
    ]
    return torch.stack(differences).mean()
