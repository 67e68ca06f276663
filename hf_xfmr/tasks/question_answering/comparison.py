"""Two runs that answer questions compared: a paired bootstrap of F1, McNemar's exact test of exact match."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...report.comparison import read_lines, same_rows
from ...report.contests import right_or_wrong
from .verdict import NAME, means


def compare(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    """`rows` and `figures` of two files of answers."""
    rows = [read_lines(file) for file in files]
    keys = [[(row["id"], row["question"], row["context"], tuple(row["gold"])) for row in one] for one in rows]
    order = same_rows(files, keys, ["id", "question", "context", "gold answer"])
    both = [rows[0], [rows[1][place] for place in order]]
    f1, exact = ([np.array([row[name] for row in one], float) for one in both] for name in ("f1", "exact_match"))
    figures = [
        means(NAME, *f1)[0] | {"test": "paired bootstrap over questions"},
        right_or_wrong("exact_match", *(one > 0 for one in exact))[0] | {"test": "McNemar, exact"},
    ]
    return {"rows": len(order), "figures": figures}
