"""A sharded checkpoint of FSDP as one folder that stock `from_pretrained` loads."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import FileSystemReader
from transformers import PreTrainedModel

from ..errors import UserError
from ..run import loading
from ..training import checkpoints
from ..verify.subject import find_class
from ..writing import place


class _Metadata(pickle.Unpickler):
    """Reads what torch writes there, and nothing that does anything."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and (name == "Size" or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        if (module, name) in _PLAIN or module == "torch.distributed.checkpoint.metadata":
            found = super().find_class(module, name)
            if isinstance(found, type) or (module, name) in _PLAIN:
                return found
        raise pickle.UnpicklingError(f"{module}.{name}")


_PLAIN = {
    *(("collections", "OrderedDict"), ("pathlib", "PosixPath"), ("pathlib", "PurePosixPath"), ("builtins", "set")),
    *(("torch.distributed.checkpoint.filesystem", "_StorageInfo"), ("torch.serialization", "_get_layout")),
    ("torch.distributed.checkpoint.filesystem", "_StoragePrefix"),
}


def _check_metadata(path: Path) -> None:
    """torch reads this file with pickle, which would run what it says."""
    try:
        with path.open("rb") as file:
            _Metadata(file).load()
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} holds code ({error}), which was not run: it is not what torch writes there") from None
    except Exception as error:
        raise UserError(f"{path} can't be read ({type(error).__name__}): copy the checkpoint again") from None


def consolidate(checkpoint: str | Path, like: str, out: str | Path) -> Path:
    """Read a sharded checkpoint into a model with the config of `like` (a folder or Hub name: what the run began from)
    and save it to `out`, with stock's names. No other process is needed.

    Raises `UserError` if the folder is no sharded checkpoint, or one of another model.
    """
    checkpoint, out = Path(checkpoint), place(out, "--out")
    if not os.path.isfile(checkpoint / ".metadata"):
        raise UserError(f"{checkpoint} is no sharded checkpoint: it has no .metadata; give the folder of .distcp files")
    _check_metadata(checkpoint / ".metadata")
    model: PreTrainedModel = loading.to_train(find_class(like), like)
    saved: dict[str, Any] = FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    prefix = "model." if all(name.startswith("model.") for name in saved) else ""
    own = {name: tensor for name, tensor in model.state_dict().items() if prefix + name in saved}
    lacking = [name for name, _ in model.named_parameters() if name not in own]
    shapes = [name for name, one in own.items() if one.shape != saved[prefix + name].size]
    if lacking or shapes:
        raise UserError(f"{checkpoint} is not of the model {like}: {(lacking + shapes)[0]} is not in it as it is there")
    dcp.load({prefix + name: tensor for name, tensor in own.items()}, checkpoint_id=checkpoint, no_dist=True)
    model.load_state_dict(own, strict=False)
    with checkpoints.model_folder(out) as aside:
        model.save_pretrained(aside)
    return out
