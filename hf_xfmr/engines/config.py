"""What an engine's model says of itself in its config.json, read without transformers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.regular import read_json
from ..errors import UserError

_AFTER_PADDING = {"xfmr_roberta", "roberta", "xlm-roberta", "camembert"}  # types whose positions begin there


def read_config(path: Path) -> dict[str, Any]:
    """The config in an exported folder. Raises `UserError` for a field of another kind than belongs there."""
    config = read_json(path, "config")
    named, window, folded = (config.get(name) for name in ("id2label", "text_window", "calibration_folded"))
    fine = {
        "id2label": named is None or (isinstance(named, dict) and all(one.isdecimal() for one in named)),
        "text_window": window is None or (isinstance(window, dict) and isinstance(window.get("max_length"), int)),
        "max_position_embeddings": isinstance(config.get("max_position_embeddings") or config.get("n_positions"), int),
        "calibration_folded": folded is None or (isinstance(folded, int | float) and folded > 0),
    }
    for name, is_fine in fine.items():
        if not is_fine:
            raise UserError(f"{path}: {name} is {json.dumps(config.get(name))[:40]}: export the run again")
    return config


def labels(config: Mapping[str, Any]) -> list[str]:
    """The names of a model's labels, in the order of their ids; transformers' own where it names none."""
    named = config.get("id2label") or {}
    count = len(named) or config.get("num_labels") or 2
    by_id = {int(number): str(name) for number, name in named.items()}
    return [by_id.get(number, f"LABEL_{number}") for number in range(count)]


def positions(config: Mapping[str, Any]) -> int:
    """The most tokens that a model reads: of a RoBERTa's positions, which are counted from padding's, two less."""
    most = config.get("max_position_embeddings") or config["n_positions"]
    return most - (config["pad_token_id"] + 1 if config.get("model_type") in _AFTER_PADDING else 0)
