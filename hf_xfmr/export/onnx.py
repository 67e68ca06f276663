"""An ONNX graph of a model, for onnxruntime: any number of rows of any length."""

import importlib.util
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.export import Dim

from ..errors import UserError
from ..hub import dual
from ..hub.dual import read_config
from . import bits, calibrated, furnish, parity, real_rows, stock
from .int8 import Int8, products

SHAPES = (
    (2, 7),
    (1, 1),
    (3, 11),
    (17, 40),
)  # rows and tokens the graph is run with; the first is the one it is traced with
_MOST_ROWS = 2**16
OPSET = 23  # the first that knows attention, which ONNX Runtime computes in half the time that its parts take


class _Graph(nn.Module):
    """A model as a function of tensors, in the order of `names`."""

    def __init__(self, model, names: list[str]):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *given):
        return tuple(parity.outputs(self.model, dict(zip(self.names, given, strict=True))).values())


def write(folder: Path, out: Path, *, int8: Int8 | None = None) -> list[str]:
    """`model.onnx` with the outputs of the stock class under their names, float32, beside config and tokenizer. What
    `int8` asks for comes after the comparison: the numbers that are rounded are those that were compared."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"ONNX needs the package {package}: pip install 'hf_xfmr[export]'")
    kind = dual.kind(folder)
    model = parity.load(kind, folder)
    temperature = calibrated.temperature_of(folder)
    calibrated.fold(model, temperature, [parity.inputs(model, *SHAPES[0])])
    given = parity.inputs(model, *SHAPES[0])
    expected = parity.outputs(model, given)
    longest = model.config.longest_row
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
            opset_version=OPSET,
        )
        assert program is not None
        program.save(out / "model.onnx")
    stock.lay_out_beside(kind, folder, out)
    apart, tensors, over = _check(out / "model.onnx", folder, model)
    made = []
    if int8 is not None:
        count = products.quantize(out / "model.onnx", embeddings=int8.embeddings)
        also = " and the word vectors" if int8.embeddings else ""
        made.append(f"then {count} matrix products{also} were rounded to int8, for ONNX Runtime alone")
    precision = "float32" if int8 is None else "int8"
    furnish.furnish(kind, folder, out, engine="onnx", temperature=temperature, precision=precision)
    bytes_ = sum(path.stat().st_size for path in out.glob("model.onnx*"))
    return [
        f"model.onnx: {bytes_ / 2**20:,.1f} MiB; inputs {', '.join(given)}; outputs {', '.join(expected)}",
        f"onnxruntime computes what {kind.own_class} does, to {apart:.1g}, with any number of rows and up to "
        f"{longest:,} tokens; compared over {over}, and all {tensors:,} tensors of the model bit for bit",
        *made,
        *calibrated.note(temperature),
        *stock.left_to_users(read_config(out)),
    ]


def _check(path: Path, folder: Path, model) -> tuple[float, int, str]:
    """The largest difference between the graph under onnxruntime and the model, over SHAPES, a row of all positions and
    the run's own texts; the number of the model's tensors, which stand in it as they do here; and what it was run over,
    in words."""
    import onnxruntime

    tensors = bits.compare("the ONNX graph", _tensors(path), model, {})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names, apart = [output.name for output in session.get_outputs()], 0.0
    most = parity.longest(model)
    real, real_words = real_rows.inputs(folder, model)
    shapes = [*((rows, min(length, most)) for rows, length in SHAPES), (1, most)]
    every = [parity.inputs(model, rows, length, seed=seed) for seed, (rows, length) in enumerate(shapes)]
    for given in [*every, *([] if real is None else [real])]:
        found = session.run(names, {name: tensor.numpy() for name, tensor in given.items()})
        theirs = dict(zip(names, found, strict=True))
        apart = max(apart, parity.difference("onnxruntime", theirs, parity.outputs(model, given), given))
    over = f"random rows, one of all {most:,} positions" + (f", {real_words}" if real_words else "")
    return apart, tensors, over


def _tensors(path: Path) -> dict[str, np.ndarray]:
    """The constants of a graph by name, wherever in it they stand."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    found = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        for one in node.attribute:
            if node.op_type == "Constant" and one.name == "value":
                found[node.output[0]] = numpy_helper.to_array(one.t)
    return found


class _quiet:
    """A logger that says errors only, for a while."""

    def __init__(self, name: str):
        self.logger = logging.getLogger(name)

    def __enter__(self):
        self.level = self.logger.level
        self.logger.setLevel(logging.ERROR)

    def __exit__(self, *_):
        self.logger.setLevel(self.level)
