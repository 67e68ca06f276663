"""A folder for transformers whose weights are pytorch_model.bin, or whose config does not say what it is of."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..data.regular import check_regular, read_json
from ..errors import UserError
from ..hub import kinds, weight_files
from . import pickles
from .foreign import Foreign

CONFIGS = ("config.json", "bert_config.json")  # the second beside weights of BERT's first ports
WEIGHTS = ("*.bin", "*.h5", "*.msgpack", "*.ot", "*.safetensors", "*.index.json", "*.ckpt*", "*.pt", "*.onnx")
CODE = ("*.py", "*.pkl")
INDEX = "pytorch_model.bin.index.json"


def is_one(source: Path) -> bool:
    return source.is_dir() and any((source / name).is_file() for name in CONFIGS)


def read(source: Path) -> Foreign:
    """Raises `UserError` for a folder that has nothing to be converted, that is damaged, or that holds code."""
    name = next(name for name in CONFIGS if (source / name).is_file())
    config = read_json(source / name, "config")
    files = _files(source)
    if kinds.is_gpt1(config):
        raise UserError(f"{source / name} {kinds.GPT1}")
    notes = []
    if not isinstance(config.get("model_type"), str):
        kind = kinds.meant(config)
        if kind is None:
            raise UserError(
                f'{source / name} has no model_type, and its fields do not tell: add "model_type": "bert", "gpt2" or '
                '"marian", whichever it is of'
            )
        config = {**config, "model_type": kind}
        notes.append(f"model_type: {kind}, by what {name} holds")
    tensors: dict[str, Tensor] = {}
    for file in files:
        held = pickles.read_tensors(file)
        if not isinstance(held, dict) or not all(isinstance(one, Tensor) for one in held.values()):
            raise UserError(f"{file} holds more than tensors by name: save model.state_dict() alone")
        tensors |= {key: one.contiguous().clone() for key, one in held.items()}  # tied ones each under its name
    if not tensors:
        raise UserError(f"{source} holds a model without tensors: copy it again")
    count = f"{len(files)} pickle{'s' * (len(files) > 1)}"
    what = f"{source}: {len(tensors):,} tensors of {count}, under their names, bit for bit"
    return Foreign(config, tensors, {}, partial(_copy, source), [what, *notes])


def _files(source: Path) -> list[Path]:
    if any(source.glob("*.safetensors")):
        raise UserError(f"{source} has its weights as safetensors: there is nothing to convert, give it as it is")
    if (source / INDEX).is_file():
        index: dict[str, Any] = read_json(source / INDEX, "index")
        weight_files.check_index(source / INDEX, index)
        return [source / name for name in sorted(set(index["weight_map"].values()))]
    whole = source / "pytorch_model.bin"
    check_regular(whole, "file of weights")
    return [whole]


def _copy(source: Path, out: Path) -> None:
    """The tokenizer and what else lies there, folders of sentence-transformers' too; no weights, and no code."""
    for path in sorted(source.rglob("*")):
        is_config = path.parent == source and path.name in CONFIGS
        if path.is_file() and not is_config and not any(path.match(pattern) for pattern in (*WEIGHTS, *CODE)):
            to = out / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
