"""An ONNX graph of a model, for onnxruntime: any number of rows of any length."""

import importlib.util
import logging
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from ..errors import UserError
from ..hub import dual
from . import parity, stock

SHAPES = ((2, 7), (1, 1), (5, 40))  # rows and tokens the graph is run with; the first is the one it is traced with
_MOST_ROWS = 2**16


class _Graph(nn.Module):
    """A model as a function of tensors, in the order of `names`."""

    def __init__(self, model, names: list[str]):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *given):
        return tuple(parity.outputs(self.model, dict(zip(self.names, given, strict=True))).values())


def write(folder: Path, out: Path) -> list[str]:
    """`model.onnx` with the outputs of the stock class under their names, float32, beside config and tokenizer."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"ONNX needs the package {package}: pip install 'hf_xfmr[export]'")
    kind = dual.kind(folder)
    model = parity.load(kind, folder)
    given = parity.inputs(model, *SHAPES[0])
    expected = parity.outputs(model, given)
    longest = model.config.max_position_embeddings
    rows, length = Dim("batch", min=1, max=_MOST_ROWS), Dim("length", min=1, max=longest)
    target = Dim("target_length", min=1, max=longest)

    def sizes(name: str) -> dict:
        dimensions = given[name].dim()
        choices = {1: Dim("choices", min=1, max=_MOST_ROWS)} if dimensions == 3 else {}
        return {0: rows, **choices, dimensions - 1: target if name == "decoder_input_ids" else length}

    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Graph(model, list(given)).eval(),
            tuple(given.values()),
            dynamo=True,
            input_names=list(given),
            output_names=list(expected),
            dynamic_shapes=(tuple(map(sizes, given)),),
            verbose=False,
        )
        assert program is not None
        program.save(out / "model.onnx")
    stock.lay_out_beside(kind, folder, out)
    apart = _check(out / "model.onnx", model)
    bytes_ = sum(path.stat().st_size for path in out.glob("model.onnx*"))
    return [
        f"model.onnx: {bytes_ / 2**20:,.1f} MiB; inputs {', '.join(given)}; outputs {', '.join(expected)}",
        f"onnxruntime computes what {kind.own_class} does, to {apart:.1g}, with any number of rows and up to "
        f"{longest:,} tokens",
        *stock.left_to_users(model.config),
    ]


def _check(path: Path, model) -> float:
    """The largest difference between the graph under onnxruntime and the model, over SHAPES."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names, apart = [output.name for output in session.get_outputs()], 0.0
    for seed, (rows, length) in enumerate(SHAPES):
        given = parity.inputs(model, rows, min(length, model.config.max_position_embeddings - 1), seed=seed)
        found = session.run(names, {name: tensor.numpy() for name, tensor in given.items()})
        theirs = dict(zip(names, found, strict=True))
        apart = max(apart, parity.difference("onnxruntime", theirs, parity.outputs(model, given), given))
    return apart


class _quiet:
    """A logger that says errors only, for a while."""

    def __init__(self, name: str):
        self.logger = logging.getLogger(name)

    def __enter__(self):
        self.level = self.logger.level
        self.logger.setLevel(logging.ERROR)

    def __exit__(self, *_):
        self.logger.setLevel(self.level)
