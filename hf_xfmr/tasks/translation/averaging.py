"""The mean of the last checkpoints' weights (section 6.1 of the paper)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from ...errors import UserError
from ...training import checkpoints as checkpoint_files


def checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints of the run that last saved in a folder, in the order of their steps; without those that it saved
    only because it was told to stop, so that the mean of the last ones does not depend on that."""
    manifests = checkpoint_files.sealed(folder)
    last = next(reversed(manifests.values()), {"run": None})
    return [path for path, one in manifests.items() if one["run"] == last["run"] and one["scheduled"]]


def average(folders: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of each tensor of several checkpoints, computed in float64, in the tensors' own type."""
    total: dict[str, Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.safetensors")):
            for name, tensor in load_file(file).items():
                kinds[name] = tensor.dtype
                total[name] = total.get(name, 0) + tensor.double() / len(folders)
    return {name: tensor.to(kinds[name]) for name, tensor in total.items()}


def load_average(model: PreTrainedModel, folders: Sequence[Path]) -> None:
    """Give the model the mean of the checkpoints' weights. Raises `UserError` if one is not as it was saved."""
    for folder in folders:
        try:
            checkpoint_files.check(folder, only=lambda name: name.endswith(".safetensors"))
        except checkpoint_files.Damaged as reason:
            raise UserError(f"the mean of checkpoints can't be taken: {folder} is damaged ({reason})") from None
    lost = model.load_state_dict(average(folders), strict=False)
    tied = set(getattr(model, "all_tied_weights_keys", {}))
    missing = [name for name in lost.missing_keys if name not in tied and not name.endswith("embeddings.position")]
    assert not missing, missing
    assert not lost.unexpected_keys, lost.unexpected_keys
