"""An ONNX graph under ONNX Runtime, on the processor; neither torch nor transformers is imported."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..plain import one_line
from . import tokens
from .batches import in_parts, inputs, joined
from .config import read_config

GRAPH = "model.onnx"
TOGETHER = 256  # tokens computed at a time by each thread: what becomes of them stays in a core's own cache


class Rows:
    """As `engines.Rows`, of a folder that `export --to onnx` wrote."""

    engine = "onnx"

    def __init__(self, folder: str, head: str):
        self.config = read_config(Path(folder) / "config.json")
        self.tokenizer = tokens.load(folder)
        self.session = session(Path(folder) / GRAPH)
        self.threads = threads()
        self.names = {one.name for one in self.session.get_inputs()}
        self.output = self.session.get_outputs()[0].name  # of a pretraining model, the words

    def __call__(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        if types is None and "token_type_ids" in self.names:
            types = [[0] * len(row) for row in ids]
        parts = in_parts(ids, TOGETHER * self.threads)
        if len(parts) == 1:
            return self._computed(ids, types)
        found = [
            self._computed([ids[row] for row in part], None if types is None else [types[row] for row in part])
            for part in parts
        ]
        return joined(found, parts)

    def _computed(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None) -> np.ndarray:
        given = inputs(ids, types, self.tokenizer.pad_token_id or 0, self.tokenizer.pad_token_type_id)
        return self.session.run([self.output], {name: one for name, one in given.items() if name in self.names})[0]


def session(graph: Path):
    """ONNX Runtime with a graph, on as many threads as OMP_NUM_THREADS says, or as there are cores for this process.
    Raises `UserError` for a graph that can't be read, or where the package is missing."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            "the engine onnx needs the package onnxruntime: pip install 'hf_xfmr[export]' or onnxruntime alone"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3  # errors, which are raised too
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, which are not public
        raise UserError(f"{graph} can't be read by ONNX Runtime ({one_line(error)[:200]}): export it again") from error


def threads() -> int:
    """As many as OMP_NUM_THREADS says, or as there are cores for this process."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else len(os.sched_getaffinity(0))
