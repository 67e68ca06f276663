"""Another program's checkpoint, read: what is written of it, and what its own side computes from it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

Outputs = Callable[[dict[str, Tensor]], dict[str, Tensor]]  # of a model's inputs, what the other side returns for them


def nothing(folder: Path) -> None:
    """Nothing lies beside the model."""


@dataclass
class Foreign:
    """`config` and `tensors` as stock names and lays them out; `sides` what computes from the
    tensors as they lie in the file, by what each is called, the first of them the nearest to the other program.
    `write_beside` writes the tokenizer. `notes` are what is to be said of it, what it is first."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    sides: dict[str, Outputs]
    write_beside: Callable[[Path], None] = nothing
    notes: list[str] = field(default_factory=list)


def write_config(folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
