"""An ONNX graph under ONNX Runtime, on the processor; neither torch nor transformers is imported."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..plain import one_line
from ..processes import cores
from . import tokens
from .batches import in_parts, inputs, joined
from .config import read_config

GRAPH = "model.onnx"
TOGETHER = 256  # tokens computed at a time by a thread: what becomes of them stays in a core's own cache
LEAST = 64  # tokens of a part, below which it is not cut once more so that each thread has one
LONG = 128  # tokens of a row that several threads compute together where there are threads without a part


class Rows:
    """As `engines.Rows`, of a folder that `export --to onnx` wrote.

    Each thread computes rows of its own: threads that share every operation wait for one another after it, and small
    ones, as those that round to int8, gain nothing by a second thread.
    """

    engine = "onnx"

    def __init__(self, folder: str, head: str):
        self.config = read_config(Path(folder) / "config.json")
        self.tokenizer = tokens.load(folder)
        self.graph, self.threads = Path(folder) / GRAPH, threads()
        self.session = session(self.graph, 1)
        self.pool = ThreadPoolExecutor(self.threads, "onnx") if self.threads > 1 else None
        self.names = {one.name for one in self.session.get_inputs()}
        outputs = [one.name for one in self.session.get_outputs()]
        # of a pretraining model the words; of one that answers questions the two ends
        self.outputs = ["start_logits", "end_logits"] if "start_logits" in outputs else outputs[:1]

    @cached_property
    def together(self) -> Any:
        """The graph once more, computed by all threads together."""
        return session(self.graph, self.threads)

    def __call__(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        if types is None and "token_type_ids" in self.names:
            types = [[0] * len(row) for row in ids]
        parts = in_parts(ids, most_tokens(ids, self.threads))
        idle = self.threads >= 2 * len(parts) and len(ids[parts[0][0]]) >= LONG
        session = self.together if idle else self.session

        def computed(part: Sequence[int]) -> np.ndarray:
            kinds = None if types is None else [types[row] for row in part]
            given = inputs(
                [ids[row] for row in part], kinds, self.tokenizer.pad_token_id or 0, self.tokenizer.pad_token_type_id
            )
            found = session.run(self.outputs, {name: one for name, one in given.items() if name in self.names})
            return found[0] if len(found) == 1 else np.stack(found, -1)

        alone = idle or len(parts) == 1
        found = map(computed, parts) if alone or self.pool is None else self.pool.map(computed, parts)
        return joined(list(found), parts)


def most_tokens(ids: Sequence[Sequence[int]], threads: int) -> int:
    """Of each part of the rows, so that all threads have as many parts."""
    whole = sum(map(len, ids))
    rounds = -(-whole // (TOGETHER * threads))
    return max(LEAST, -(-whole // (rounds * threads)))


def session(graph: Path, threads: int) -> Any:
    """ONNX Runtime with a graph, each of whose operations so many threads compute. Raises `UserError` for a graph that
    can't be read, or where the package is missing."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            "the engine onnx needs the package onnxruntime: pip install 'hf_xfmr[export]' or onnxruntime alone"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting is not to cost others' time
    options.log_severity_level = 3  # errors, which are raised too
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, which are not public
        raise UserError(f"{graph} can't be read by ONNX Runtime ({one_line(error)[:200]}): export it again") from error


def threads() -> int:
    """As many as OMP_NUM_THREADS says, or as there are cores for this process."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else cores()
