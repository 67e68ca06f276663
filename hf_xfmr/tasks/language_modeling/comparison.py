"""Two language models compared: a paired bootstrap of bits per byte over documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...report import bootstrap
from ...report.comparison import figure, read_table, same_rows

FEWEST_DOCUMENTS = 10


def compare(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    """`rows` and `figures` of two files of documents. Raises `UserError` for fewer than say something about chance."""
    rows = [read_table(file) for file in files]
    keys = [[(row["id"], row["sha256"]) for row in one] for one in rows]
    order = same_rows(files, keys, ["id", "text"])
    if len(order) < FEWEST_DOCUMENTS:
        raise UserError(
            f"{files[0]} has {len(order)} documents; fewer than {FEWEST_DOCUMENTS} say nothing about chance: take "
            "runs on more texts"
        )
    both = [rows[0], [rows[1][place] for place in order]]
    bits = [np.array([float(row["nats"]) for row in one]) / np.log(2) for one in both]
    size = [np.array([float(row["bytes"]) for row in one]) for one in both]  # tokenizers differ in their first token

    def per_byte(weights: np.ndarray, one: int) -> np.ndarray:
        return (weights @ bits[one]) / np.maximum(weights @ size[one], 1)

    values = [float(per_byte(np.ones((1, len(order))), one)[0]) for one in (0, 1)]
    drawn = bootstrap.resample(lambda w: per_byte(w, 1) - per_byte(w, 0), bootstrap.weights(len(order)))
    found = figure("bits_per_byte", values, drawn, None, "paired bootstrap over documents", "lower")
    return {"rows": len(order), "figures": [found]}
