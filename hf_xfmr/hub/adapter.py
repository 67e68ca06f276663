"""An adapter alone on the Hub: what of its folder is pushed, and whether it loads there with stock and PEFT."""

import json
from pathlib import Path
from typing import Any

import torch

import hf_xfmr

from ..errors import UserError
from . import dual
from .adapter_card import base_of, hub_base
from .folder import ADAPTER

_PUSHED = ("adapter_model*.safetensors", "config.json", "generation_config.json", "README.md")


def is_adapter(folder: Path) -> bool:
    return (folder / ADAPTER).exists()


def base_on_hub(folder: Path, told: str | None) -> str:
    """The name of the base model on the Hub. Raises `UserError` where only a folder of this machine is known."""
    if base := told or hub_base(folder):
        return base
    raise UserError(
        f"{folder} is an adapter of {base_of(folder) or 'a model that it does not name'}, which nobody else has: push "
        "that model first, and give its name with --base_model OWNER/NAME"
    )


def stage(folder: Path, into: Path, base: str) -> list[str]:
    """Lay out in `into` what a push of an adapter uploads. Returns what stays behind, as names in `folder`."""
    into.mkdir(parents=True, exist_ok=True)
    files = [path for path in folder.iterdir() if path.is_file() and path.name != ADAPTER]
    pushed = [path for path in files if any(path.match(pattern) for pattern in (*_PUSHED, *dual.TOKENIZER))]
    if not any(path.suffix == ".safetensors" for path in pushed):
        raise UserError(f"{folder} holds no adapter_model.safetensors: give the adapter/ of a run, whole")
    for path in pushed:
        dual.link(path, into / path.name)
    fields = json.loads((folder / ADAPTER).read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
    (into / ADAPTER).write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return sorted(path.name for path in files if path not in pushed)


def load(folder: Path, kind: dual.Kind) -> Any:
    """The adapter on its base model as they lie here, with our class. Raises `UserError` if the base can't be had."""
    import peft

    own = getattr(hf_xfmr, kind.own_class)
    config, base = own.config_class.from_pretrained(folder), base_of(folder)
    try:
        model = own.from_pretrained(base, config=config, dtype=torch.float32, ignore_mismatched_sizes=True)
    except OSError:
        raise UserError(
            f"{folder} is an adapter of {base}, which is not here, so that what is pushed could not be compared with "
            f"it: put it there, or write where it is as base_model_name_or_path into {folder / ADAPTER}"
        ) from None
    return peft.PeftModel.from_pretrained(model, str(folder)).eval()
