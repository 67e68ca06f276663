"""Two taggers compared: a paired bootstrap of the F1 of entities over sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...report import bootstrap
from ...report.comparison import figure, read_lines, same_rows
from .metrics import entity_counts


def compare(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    """`rows` and `figures` of two files of tagged sentences."""
    rows = [read_lines(file) for file in files]
    keys = [[(row["id"], tuple(row["tokens"]), tuple(row["gold"])) for row in one] for one in rows]
    order = same_rows(files, keys, ["id", "text", "gold tag"])
    both = [rows[0], [rows[1][place] for place in order]]
    counts = [np.array([entity_counts(row["gold"], row["predicted"]) for row in one]) for one in both]  # [rows, 3]

    def f1(weights: np.ndarray, one: int) -> np.ndarray:
        right, found, there = (weights @ counts[one]).T
        return 2 * right / np.maximum(found + there, 1)

    values = [float(f1(np.ones((1, len(order))), one)[0]) for one in (0, 1)]
    drawn = bootstrap.resample(lambda w: f1(w, 1) - f1(w, 0), bootstrap.weights(len(order)))
    return {"rows": len(order), "figures": [figure("f1", values, drawn, None, "paired bootstrap over sentences")]}
