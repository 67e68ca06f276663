"""Files of weights before they are loaded: what an index names, what kind of numbers a file holds, and which are left
that Python's pickle made."""

import json
import os
import struct
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache

from ..data.regular import check_regular
from ..errors import UserError

WHOLE = ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64")  # as safetensors names whole numbers
MOST = 100 * 2**20  # bytes of the table that begins a file, as safetensors takes it


def check_index(path: Path, index: dict[str, Any]) -> None:
    """Raises `UserError` for an index of a checkpoint in several files that names none, or others than lie there."""
    files = index.get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(one, str) for one in files.values()):
        raise UserError(f"{path} has no weight_map, a file's name for each tensor: copy the checkpoint again")
    for name in sorted(set(files.values())):
        if not name or "\0" in name or name in (".", "..") or os.path.basename(name) != name:
            raise UserError(f"{path} names {name[:100]!r}, which is no file beside it: copy the checkpoint again")
        check_regular(path.with_name(name), "file of weights")


def check_floating(path: Path) -> None:
    """Raises `UserError` for weights that are whole numbers: a model would round all it has learned to them. A file
    that can't be read is left to what loads it."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            table = json.loads(file.read(length)) if length <= MOST else {}
    except (OSError, ValueError, struct.error, RecursionError):
        return
    for name, tensor in table.items() if isinstance(table, dict) else ():
        kind = tensor.get("dtype") if isinstance(tensor, dict) else None
        if kind in WHOLE and name.endswith((".weight", ".bias", ".gamma", ".beta")):
            raise UserError(
                f"{path} holds {name} as whole numbers ({kind}), and weights are fractions: save it in float32, or "
                "take the checkpoint that it was quantized from"
            )


def is_pickled(name: str) -> bool:
    """Whether a checkpoint, a folder or a name on the Hub that lies in the cache, has its weights as torch.save's
    pytorch_model.bin alone."""
    if os.path.isdir(name):
        folder = Path(name)
        return not any(folder.glob("model*.safetensors")) and any(folder.glob("pytorch_model*.bin"))

    def is_here(*files: str) -> bool:
        return any(isinstance(try_to_load_from_cache(name, file), str) for file in files)

    if os.path.lexists(name) or is_here("model.safetensors", "model.safetensors.index.json"):
        return False
    return is_here("pytorch_model.bin", "pytorch_model.bin.index.json")
