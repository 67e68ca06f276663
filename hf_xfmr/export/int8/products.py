"""The matrix products of an ONNX graph in int8, for ONNX Runtime.

A matrix is rounded once, to 8 bits with a scale for each of its columns. What is multiplied by it is rounded as it
comes, with a scale for each token: so there is nothing to calibrate, and no answer depends on what else is in a batch,
as it does where one scale is taken of a whole batch (ONNX Runtime's own `quantize_dynamic`). Attention, norms and the
head's small last layers stay float32.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

CONTRIB = "com.microsoft"  # ONNX Runtime's own operators
MIDDLE = 128  # the 8 bits that stand for 0, where numbers have either sign
GELU_MIDDLE, GELU_LEAST = 16, 0.17  # GELU is never below -0.17: most of the 8 bits are for what is above 0
LEAST = 1e-9  # no scale is 0
ROWS = 1000  # a table of as many vectors or more is an embedding's


def quantize(path: Path, *, embeddings: bool = False) -> int:
    """Rewrite a float32 graph in its file; returns the number of its products that are int8 now. With `embeddings` the
    tables of word vectors are 8 bits too, with a scale for each vector."""
    import onnx
    from onnx import helper

    model = onnx.load(str(path))
    graph = _Graph(model.graph)
    graph.slow_fusions_kept_away()
    nodes, count = [], 0
    for node in list(model.graph.node):
        made = list(graph.product(node)) or (list(graph.table(node)) if embeddings else [])
        count += bool(made) and node.op_type == "MatMul"
        nodes += made or [node]
    graph.write(nodes)
    if not any(one.domain == CONTRIB for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    for old in path.parent.glob(f"{path.name}*"):  # large tensors may lie beside it
        old.unlink()
    big = sum(len(one.raw_data) for one in model.graph.initializer) > 2**30  # a protobuf ends at 2 GiB
    onnx.save(model, str(path), save_as_external_data=big, location=f"{path.name}.data")
    return count


def rounded(matrix: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """A float matrix as int8 from -127 to 127 and its scales, float32, the largest number along `axis` over 127."""
    scale = (np.abs(matrix).max(axis) / 127).astype(np.float32)
    scale[scale == 0] = 1
    return np.round(matrix / np.expand_dims(scale, axis)).astype(np.int8), scale


class _Graph:
    def __init__(self, graph):
        from onnx import numpy_helper

        self.graph, self.to_array, self.from_array = graph, numpy_helper.to_array, numpy_helper.from_array
        self.constants = {one.name: one for one in graph.initializer}
        self.constants |= {
            node.output[0]: node.attribute[0].t
            for node in graph.node
            if node.op_type == "Constant" and node.attribute[0].name == "value"
        }
        self.makers = {name: node for node in graph.node for name in node.output}
        self.added: dict = {}
        self.rounded_inputs: set[str] = set()

    def slow_fusions_kept_away(self) -> None:
        """ONNX Runtime joins a sum and the norm or GELU behind it to kernels that take longer on a CPU (six times as
        long for a norm, twice for GELU) than the two by themselves; it knows sums by the name Add alone."""
        for node in self.graph.node:
            if node.op_type in ("LayerNormalization", "Gelu"):
                before = self.makers.get(node.input[0])
                if before is not None and before.op_type == "Add":
                    before.op_type = "Sum"

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        if name not in self.added:
            self.added[name] = self.from_array(np.asarray(value), name)
        return name

    def matrix(self, name: str) -> np.ndarray | None:
        found = self.constants.get(name)
        if found is None or len(found.dims) != 2:
            return None
        values = self.to_array(found)
        return values if values.dtype == np.float32 else None

    def product(self, node) -> Iterator:
        """x [..., K] times a constant matrix [K, N]: the nodes in place of `node`; none for any other node."""
        from onnx import helper

        matrix = self.matrix(node.input[1]) if node.op_type == "MatMul" else None
        if matrix is None:
            return
        x, name, out = node.input[0], node.input[1], node.output[0]
        before = self.makers.get(x)
        gelu = before is not None and before.op_type == "Gelu"
        middle = GELU_MIDDLE if gelu else MIDDLE
        if x not in self.rounded_inputs:
            self.rounded_inputs.add(x)
            yield from self._rounding(x, matrix.shape[0], middle, gelu)
        if f"{name}/int8" not in self.added:
            whole, scale = rounded(matrix, 0)
            self.constant(f"{name}/int8", whole)
            self.constant(f"{name}/scale", scale)
        one, zero = self.constant("one", np.float32(1)), self.constant(f"middle/{middle}", np.uint8(middle))
        given = [f"{x}/int8", f"{name}/int8", one, f"{name}/scale", zero]
        yield helper.make_node("MatMulIntegerToFloat", given, [f"{out}/unscaled"], domain=CONTRIB)
        yield helper.make_node("Mul", [f"{out}/unscaled", f"{x}/scale"], [out])

    def _rounding(self, x: str, width: int, middle: int, gelu: bool) -> Iterator:
        """x [..., width] to uint8 `x/int8` and the scale of each token, `x/scale` [..., 1]."""
        from onnx import TensorProto, helper

        axis = self.constant("last axis", np.array([-1]))
        above = self.constant(f"above/{middle}", np.float32(1 / (255 - middle)))
        yield helper.make_node("ReduceMax", [x, axis], [f"{x}/most"], keepdims=1)
        yield helper.make_node("Mul", [f"{x}/most", above], [f"{x}/scale above"])
        if gelu:
            least = self.constant("gelu least", np.float32(GELU_LEAST / middle))
            yield helper.make_node("Max", [f"{x}/scale above", least], [f"{x}/scale"])
        else:
            below = self.constant(f"below/{middle}", np.float32(-1 / middle))
            least = self.constant("least", np.float32(LEAST))
            yield helper.make_node("ReduceMin", [x, axis], [f"{x}/least"], keepdims=1)
            yield helper.make_node("Mul", [f"{x}/least", below], [f"{x}/scale below"])
            yield helper.make_node("Max", [f"{x}/scale above", f"{x}/scale below", least], [f"{x}/scale"])
        yield helper.make_node("Shape", [f"{x}/scale"], [f"{x}/shape"])
        value = helper.make_tensor("value", TensorProto.UINT8, [1], [middle])
        yield helper.make_node("ConstantOfShape", [f"{x}/shape"], [f"{x}/middle"], value=value)
        given = [x, f"{x}/scale", f"{x}/middle"]
        yield helper.make_node("QuantizeLinear", given, [f"{x}/int8"], axis=-1, block_size=width)

    def table(self, node) -> Iterator:
        """A look-up of vectors in a large table [V, E]: the nodes in its place."""
        from onnx import TensorProto, helper

        table = self.matrix(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table) < ROWS:
            return
        name, ids, out = node.input[0], node.input[1], node.output[0]
        if f"{name}/rows" not in self.added:
            whole, scale = rounded(table, 1)
            self.constant(f"{name}/rows", whole)
            self.constant(f"{name}/row scales", scale[:, None])
        yield helper.make_node("Gather", [f"{name}/rows", ids], [f"{out}/int8"], axis=0)
        yield helper.make_node("Gather", [f"{name}/row scales", ids], [f"{out}/scale"], axis=0)
        yield helper.make_node("Cast", [f"{out}/int8"], [f"{out}/float"], to=TensorProto.FLOAT)
        yield helper.make_node("Mul", [f"{out}/float", f"{out}/scale"], [out])

    def write(self, nodes: list) -> None:
        """These nodes in the graph, with the constants that they read and no others."""
        read = {name for node in nodes for name in node.input} | {one.name for one in self.graph.output}
        kept = [one for one in self.graph.initializer if one.name in read]
        kept += [one for name, one in self.added.items() if name in read]
        nodes = [node for node in nodes if node.op_type != "Constant" or node.output[0] in read]
        del self.graph.initializer[:], self.graph.node[:], self.graph.value_info[:]
        self.graph.initializer.extend(kept)
        self.graph.node.extend(nodes)
