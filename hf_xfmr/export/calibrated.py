"""The temperature that a run kept, in the weights that are exported: whoever reads them gets the probabilities that
`predict` gives, and knows of no temperature."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..hub.dual import read_config
from . import parity

HEADS = ("classifier.weight", "classifier.bias", "score.weight")  # of BERT's and GPT-2's sequence classifiers


def temperature_of(folder: Path, *, in_files: bool = False) -> float:
    """What the logits of a run's model are to be divided by; 1 where there is nothing to divide, as for ratings, or
    where it is to be done `in_files` whose numbers would be rounded once more."""
    config = read_config(folder)
    kept = config.get("calibration_temperature")
    named = config.get("problem_type") != "regression"
    head = "ForSequenceClassification" in (config.get("architectures") or [""])[0]
    if not (head and named and isinstance(kept, int | float) and kept > 0):
        return 1.0
    return float(kept) if not in_files or _is_float32(folder) else 1.0


def _is_float32(folder: Path) -> bool:
    """Whether the head's numbers are stored as they are divided."""
    found = []
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as tensors:
            found += [tensors.get_slice(name).get_dtype() for name in HEADS if name in tensors.keys()]  # noqa: SIM118
    return bool(found) and set(found) == {"F32"}


@torch.no_grad()
def fold(model: Any, temperature: float, every: Iterable[dict[str, Tensor]]) -> None:
    """Divide the head's weights. Raises `UserError` if the logits of the inputs in `every` are not those before,
    divided."""
    if temperature == 1:
        return
    every = list(every)
    before = [parity.outputs(model, given)["logits"] / temperature for given in every]
    for name, one in model.named_parameters():
        if name in HEADS:
            one.copy_(_divided(one, temperature))
    for given, expected in zip(every, before, strict=True):
        parity.difference("the calibrated head", parity.outputs(model, given), {"logits": expected}, given)


def fold_files(folder: Path, temperature: float) -> None:
    """The same in the files of weights."""
    for path in folder.glob("*.safetensors") if temperature != 1 else ():
        with safe_open(path, "pt") as file:
            metadata, names = file.metadata(), {*file.keys()}
        if names & {*HEADS}:
            tensors = load_file(path)
            for name in names & {*HEADS}:
                tensors[name] = _divided(tensors[name], temperature)
            save_file(tensors, path, metadata=metadata)


def _divided(one: Tensor, temperature: float) -> Tensor:
    return one / temperature


def say_in_config(folder: Path, temperature: float) -> None:
    """What config.json of an exported folder says: nothing is left to divide by, and what was divided by."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    folded = temperature * (config.get("calibration_folded") or 1.0)
    if temperature != 1:
        config |= {"calibration_temperature": 1.0, "calibration_folded": folded}
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def note(temperature: float) -> list[str]:
    """What is to be said of it."""
    return (
        [f"calibration: the temperature {temperature:.3g} is in the weights, so that every program gives `predict`'s "
         "probabilities"]
        if temperature != 1
        else []
    )  # fmt: skip
