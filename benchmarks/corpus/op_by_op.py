"""A quantized ONNX model op by op: each op of our integer file on ONNX Runtime's own operands, in steps of its result.

Over a whole network differences of one step meet and grow, in ONNX Runtime against itself too; alone, an op has but
its own. A group is what lies between two quantized values: their DequantizeLinear, float ops, and a QuantizeLinear,
or one op of QOperator form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]
_QUANTIZES, _RESTORES = "QuantizeLinear", "DequantizeLinear"


@dataclass(frozen=True)
class Group:
    """Ops between quantized values.

    Attributes:
        name: of the quantized value that it makes.
        kinds: its float ops, or its QOperator; joined by ``+``.
        model: an ``onnx.ModelProto`` from real numbers to real numbers on the source's grids.
        reads: the quantized values, by the model's inputs.
    """

    name: str
    kinds: str
    model: Any
    reads: Mapping[str, str]


@dataclass(frozen=True)
class Grid:
    """Names of a quantized value's scale and zero point, and their numbers, float32 and integers."""

    scale: str
    zero_point: str
    step: float
    zero: int

    def real(self, integers: Any) -> Any:
        """As DequantizeLinear gives it, in float32."""
        return (integers.astype(np.int32) - self.zero).astype(np.float32) * np.float32(self.step)


def grids(model: Any) -> dict[str, Grid]:
    """The grids of activations, by quantized value; those with one scale."""
    constants = {weight.name: weight for weight in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        names = _grid_names(node)
        if names is None or not set(names) <= set(constants):
            continue
        if node.op_type == _QUANTIZES and node.input[0] in constants:
            continue
        scale, zero = (_array(constants[name]) for name in names)
        if scale.size == 1 and zero.dtype.itemsize == 1:
            found[node.output[0]] = Grid(*names, float(scale.item()), int(zero.item()))
    return found


def _array(tensor: Any) -> Any:
    import onnx

    return onnx.numpy_helper.to_array(tensor)


def _grid_names(node: Any) -> tuple[str, str] | None:
    names = list(node.input)
    if node.op_type == _QUANTIZES:
        return (names[1], names[2]) if len(names) > 2 else None
    if node.op_type == "QLinearConcat":
        return names[0], names[1]
    if node.op_type == "QGemm":
        return names[7], names[8]
    if node.op_type.startswith("QLinear"):
        first = 6 if node.op_type in ("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul") else 3
        return names[first], names[first + 1]
    return None


def groups(model: Any, shapes: Mapping[str, Sequence[int]]) -> Iterator[Group]:
    """All of a model's, in its order; what only rounds an input of the graph is none.

    Args:
        model: an ``onnx.ModelProto``.
        shapes: of all that :func:`grids` names.
    """
    known = grids(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    for name in known:
        nodes, reads = _behind(name, makers, known)
        if reads:
            yield _group(model, name, nodes, reads, shapes)


def _behind(name: str, makers: Mapping[str, Any], known: Mapping[str, Grid]) -> tuple[list[Any], list[str]]:
    """What makes a value, in the order of computing, and the quantized values that it begins with."""
    nodes: list[Any] = []
    reads: dict[str, None] = {}
    left, seen = [name], set[str]()
    while left:
        value = left.pop()
        maker = makers.get(value)
        if maker is None or value in seen:
            continue
        seen.add(value)
        if value in known and value != name:
            reads[value] = None
            continue
        nodes.append(maker)
        left.extend(filter(None, maker.input))
    order = {id(node): place for place, node in enumerate(makers.values())}
    return sorted(nodes, key=lambda node: order[id(node)]), list(reads)


def _group(
    model: Any, name: str, nodes: Sequence[Any], reads: Sequence[str], shapes: Mapping[str, Sequence[int]]
) -> Group:
    from onnx import TensorProto, helper

    known = grids(model)
    inputs = {f"{read}/given": read for read in reads}
    rounds = [
        helper.make_node(_QUANTIZES, [given, known[read].scale, known[read].zero_point], [read])
        for given, read in inputs.items()
    ]
    result = helper.make_node(_RESTORES, [name, known[name].scale, known[name].zero_point], [f"{name}/result"])
    every = [*rounds, *nodes, result]
    used = {value for node in every for value in node.input}
    graph = helper.make_graph(
        every,
        "group",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shapes[read]) for given, read in inputs.items()],
        [helper.make_tensor_value_info(f"{name}/result", TensorProto.FLOAT, None)],
        [weight for weight in model.graph.initializer if weight.name in used],
    )
    kinds = [node.op_type for node in nodes if node.op_type not in (_QUANTIZES, _RESTORES)]
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return Group(name, "+".join(kinds) or "requantize", made, inputs)


def quantized_values(model: Any, names: Sequence[str], feeds: Arrays, *, optimized: bool = False) -> dict[str, Any]:
    """What ONNX Runtime computes for values of a model."""
    import onnx
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {value.name for value in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(list(names), dict(feeds)), strict=True))


@dataclass(frozen=True)
class Held:
    """A group's results on one sample, in steps: ours to ONNX Runtime's, and ONNX Runtime's optimised ones to it.

    Attributes:
        group: which.
        steps: the largest difference.
        differing: share of elements that differ by half a step or more.
        own_steps: the largest difference of ONNX Runtime to itself.
        in_float: ops of ours that compute in float.
    """

    group: Group
    steps: float
    differing: float
    own_steps: float
    in_float: int


def held(model: Any, feeds: Arrays) -> Iterator[Held]:
    """Every group of a model on the operands that ONNX Runtime has for these feeds, nothing optimised."""
    known = grids(model)
    values = quantized_values(model, list(known), feeds)
    for group in groups(model, {name: array.shape for name, array in values.items()}):
        given = {name: known[read].real(values[read]) for name, read in group.reads.items()}
        want, step = known[group.name].real(values[group.name]), known[group.name].step
        result, in_float = ours(group.model, given)
        off = np.abs(result - want) / step
        name = f"{group.name}/result"
        again = np.abs(quantized_values(group.model, [name], given, optimized=True)[name] - want) / step
        yield Held(group, float(off.max()), float((off > 0.5).mean()), float(again.max()), in_float)


def ours(model: Any, feeds: Arrays) -> tuple[Any, int]:
    """The first output of our integer file, in the source's layout, and how many of its ops compute in float."""
    from ai_edge_litert.interpreter import Interpreter

    from edge_sdk.converters.lower.direct.lowering import lower
    from edge_sdk.converters.lower.direct.writing import write
    from edge_sdk.signature import TensorSpec

    specs = [TensorSpec(name, array.shape, array.dtype.name, None) for name, array in feeds.items()]
    made = lower(model, specs, "source", grids=True)
    engine = Interpreter(model_content=write(made.graph), num_threads=1)
    engine.allocate_tensors()
    for port, array in zip(engine.get_input_details(), feeds.values(), strict=True):
        engine.set_tensor(port["index"], array)
    engine.invoke()
    moves = {"DEQUANTIZE", "RESHAPE", "TRANSPOSE"}
    in_float = sum(op.outputs[0].dtype == "float32" and op.kind not in moves for op in made.graph.ops)
    return engine.get_tensor(engine.get_output_details()[0]["index"]), in_float
