"""A sharded checkpoint of FSDP as one folder that stock `from_pretrained` loads."""

from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import FileSystemReader
from transformers import PreTrainedModel

from ..errors import UserError
from ..run import loading
from ..verify.subject import find_class


def consolidate(checkpoint: str | Path, like: str, out: str | Path) -> Path:
    """Read a sharded checkpoint into a model with the config of `like` (a folder or Hub name: what the run began from)
    and save it to `out`, with stock's names. No other process is needed.

    Raises `UserError` if the folder is no sharded checkpoint, or one of another model.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if not (checkpoint / ".metadata").is_file():
        raise UserError(f"{checkpoint} is no sharded checkpoint: it has no .metadata; give the folder of .distcp files")
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
    model.save_pretrained(out)
    return out
