"""Two taggers compared: a paired bootstrap of the F1 of entities over sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...report.comparison import read_lines, same_rows
from ...report.contests import f1_of_counts
from .metrics import entity_counts


def compare(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    """`rows` and `figures` of two files of tagged sentences."""
    rows = [read_lines(file) for file in files]
    keys = [[(row["id"], tuple(row["tokens"]), tuple(row["gold"])) for row in one] for one in rows]
    order = same_rows(files, keys, ["id", "text", "gold tag"])
    both = [rows[0], [rows[1][place] for place in order]]
    counts = [np.array([entity_counts(row["gold"], row["predicted"]) for row in one]) for one in both]  # [rows, 3]
    found = f1_of_counts("f1", *counts)[0] | {"test": "paired bootstrap over sentences"}
    return {"rows": len(order), "figures": [found]}
