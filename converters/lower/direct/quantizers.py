"""ONNX models that are quantized already: quantizers told from the graph, kept as grids or taken out.

ONNX says "quantized" in two ways: QDQ (a QuantizeLinear and a DequantizeLinear around each float op) and QOperator
(QLinearConv and its like, most of them ONNX Runtime's own). Both are brought to one form here: float ops, and between
them ``EdgeGrid`` nodes that round a value to the grid of its quantizer; weights are ``EdgeWeights`` nodes. The pass
``passes/engines/integers.py`` makes integer ops of it, with those scales.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

GRID, WEIGHTS = "EdgeGrid", "EdgeWeights"
_SIX = 6.0
_QUANTIZES, _RESTORES = "QuantizeLinear", "DequantizeLinear"
# What leaves a quantized value's scale as it is.
_MOVES = frozenset(
    {"Concat", "DepthToSpace", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice", "SpaceToDepth"}
    | {"Split", "Squeeze", "Transpose", "Unsqueeze"}
)
# What makes known integers of known ones.
_KEEPS = _MOVES | {"Cast", "Clip"}
# Op of QOperator form to the float op that it stands for.
_QUANTIZED_OPS = {
    "QLinearAdd": "Add",
    "QLinearAveragePool": "AveragePool",
    "QLinearConcat": "Concat",
    "QLinearConv": "Conv",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearMatMul": "MatMul",
    "QLinearMul": "Mul",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
    "QGemm": "Gemm",
}
_REWRITTEN = frozenset({_QUANTIZES, _RESTORES, *_QUANTIZED_OPS})
# Attributes of the quantized op that its float op does not have.
_OWN_ATTRIBUTES = frozenset({"channels_last", "opset"})


def quantized_by(model: Any) -> str | None:
    """Who quantized the activations of a model, in words; None where it is a float model."""
    forms = sorted({form for node in model.graph.node if (form := _form(node)) is not None})
    if not forms:
        return None
    producer = f"{model.producer_name} {model.producer_version}".strip() or "an unknown tool"
    return f"{producer} ({' and '.join(forms)})"


def _form(node: Any) -> str | None:
    if node.op_type in _QUANTIZED_OPS:
        return "QOperator"
    return "QDQ" if node.op_type == _QUANTIZES else None


@dataclass(frozen=True)
class WideGrids:
    """How many activations a model rounds to 16 bits, and for how many of them zero is not in the middle."""

    count: int
    off_centre: int


def wide_grids(model: Any) -> WideGrids:
    """The 16-bit quantizers of activations whose zero points are written in the model."""
    import onnx

    weights = {weight.name: weight for weight in model.graph.initializer}
    middles = {onnx.TensorProto.INT16: 0, onnx.TensorProto.UINT16: 2**15}
    found = []
    for node in model.graph.node:
        zero = weights.get(_third(node)) if node.op_type == _QUANTIZES and node.input[0] not in weights else None
        if zero is not None and zero.data_type in middles:
            found.append(bool((onnx.numpy_helper.to_array(zero) != middles[zero.data_type]).any()))
    return WideGrids(len(found), sum(found))


def with_grids(model: Any, *, keep: bool) -> Any:
    """A copy in float ops; the model itself where it has no quantizers.

    Before (QDQ): ``q = QuantizeLinear(x, s, z); d = DequantizeLinear(q, s, z); y = Relu(d)``.
    Before (QOperator): ``y = QLinearConv(x, xs, xz, w, ws, wz, ys, yz, b)``.
    After: ``d = EdgeGrid(x, s, z); y = Relu(d)``, and ``Conv`` between grids. A number that something reads as the
    integer that it is keeps its QuantizeLinear.

    Args:
        model: an ``onnx.ModelProto`` without functions of its own.
        keep: False leaves the grids of activations out.
    """
    if not any(node.op_type in _REWRITTEN for node in model.graph.node):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    rewrite = _Rewrite(copy.graph, keep=keep)
    nodes = [made for node in model.graph.node for made in rewrite.step(node)]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def in_float(model: Any) -> Any:
    """A copy without the quantizers of activations, for any runtime of ONNX: weights keep their DequantizeLinear."""
    import onnx.inliner

    flat = onnx.inliner.inline_local_functions(model) if model.functions else model
    copy = with_grids(flat, keep=False)
    for node in copy.graph.node:
        # Names of nodes must differ, and several stand here for one of the source.
        node.name = ""
        if node.op_type == WEIGHTS:
            node.op_type = _RESTORES
    return copy


@dataclass(frozen=True)
class _Real:
    """The float value behind an integer one, and the names of its scale and zero point."""

    name: str
    scale: str
    zero_point: str


class _Rewrite:
    def __init__(self, graph: Any, *, keep: bool) -> None:
        self._keep = keep
        self._constants = {weight.name for weight in graph.initializer}
        self._reals: dict[str, _Real] = {}
        self._weights: dict[str, Any] = {}
        self._outputs = {value.name for value in graph.output}
        self._integers = _read_as_integers(graph)
        self._numbers = {} if keep else _numbers_of(graph)
        self._graph = graph
        self._ends: list[str] = []

    def step(self, node: Any) -> Iterator[Any]:
        """What stands in a node's place."""
        if node.op_type == "Constant" or (
            node.op_type in _KEEPS and self._constants.issuperset(filter(None, node.input))
        ):
            # Brevitas cuts the integers of weights by a Clip.
            self._constants.update(node.output)
        if node.op_type == _QUANTIZES and node.input[0] in self._constants:
            # Weights that are rounded on the way: folded, and then read as integers.
            self._constants.update(node.output)
            yield node
        elif node.op_type == _QUANTIZES:
            real = _Real(_real(node.output[0]), node.input[1], _third(node))
            yield from self._grid(node.input[0], real, node)
            self._reals[node.output[0]] = real
            if node.output[0] in self._integers:
                yield node
        elif node.op_type == _RESTORES:
            yield self._restored(node)
        elif node.op_type in _QUANTIZED_OPS:
            yield from self._in_float(node)
        elif node.op_type == "Transpose" and (weights := self._weights.get(node.input[0])) is not None:
            yield from _turned(node, weights)
        else:
            real_input = self._reals.get(node.input[0]) if node.op_type in _MOVES else None
            if real_input is not None:
                yield from self._moved(node, real_input)
            if real_input is None or any(name in self._integers for name in node.output):
                yield node

    def _grid(self, source: str, real: _Real, node: Any) -> Iterator[Any]:
        """A grid; without it what it cuts off, where that is a ReLU's work: ONNX Runtime leaves the ReLU out then."""
        kind, inputs = GRID, [source, real.scale, real.zero_point]
        if not self._keep:
            kind, inputs = self._cut(source, real)
        made = _node(kind, inputs, [real.name], node)
        made.attribute.extend(a for a in node.attribute if self._keep and a.name == "axis")
        yield made

    def _cut(self, source: str, real: _Real) -> tuple[str, list[str]]:
        scale, zero = self._numbers.get(real.scale), self._numbers.get(real.zero_point)
        if scale is None or scale.size != 1 or (zero is None and real.zero_point):
            return "Identity", [source]
        limits = np.iinfo(np.uint8 if zero is None else zero.dtype)
        if zero is not None and (zero != limits.min).any():
            return "Identity", [source]
        step = float(scale.reshape(()))
        if abs((limits.max - limits.min) * step - _SIX) > step / 2:
            return "Relu", [source]
        self._ends = self._ends or _with_numbers(self._graph, {f"{GRID}/zero": 0.0, f"{GRID}/six": _SIX})
        return "Clip", [source, *self._ends]

    def _restored(self, node: Any) -> Any:
        """A DequantizeLinear: of a known grid, of weights, or of an integer from elsewhere."""
        real = self._reals.get(node.input[0])
        if real is not None and (real.scale, real.zero_point) == (node.input[1], _third(node)):
            return _node("Identity", [real.name], list(node.output), node)
        if node.input[0] in self._constants:
            made = _node(WEIGHTS, list(node.input), list(node.output), node)
            made.attribute.extend(node.attribute)
            self._weights[node.output[0]] = made
            return made
        made = _node(_RESTORES, list(node.input), list(node.output), node)
        made.attribute.extend(node.attribute)
        return made

    def _moved(self, node: Any, real: _Real) -> Iterator[Any]:
        """The same move of the float values, beside that of the integers."""
        twin = _node(node.op_type, [self._twin(n) for n in node.input], [_real(n) for n in node.output], node)
        twin.attribute.extend(node.attribute)
        yield twin
        for name in node.output:
            self._reals[name] = _Real(_real(name), real.scale, real.zero_point)

    def _twin(self, name: str) -> str:
        real = self._reals.get(name)
        return real.name if real is not None else name

    def _in_float(self, node: Any) -> Iterator[Any]:
        """A QOperator as its float op between a DequantizeLinear for each operand and a grid."""
        operands, (scale, zero_point), bias = _operands(node)
        names = []
        for name, own_scale, own_zero in operands:
            real = self._reals.get(name)
            if real is not None:
                names.append(real.name)
                continue
            names.append(f"{node.output[0]}/{name}")
            kind = WEIGHTS if name in self._constants else _RESTORES
            made = _node(kind, [name, own_scale, own_zero], names[-1:], node)
            if kind == WEIGHTS:
                _set_axis(made, _weights_axis(node))
            yield made
        if bias:
            names.append(f"{node.output[0]}/bias")
            yield from _bias(node, bias, operands, names[-1])
        result = f"{node.output[0]}/float"
        made = _node(_QUANTIZED_OPS[node.op_type], names, [result], node)
        made.attribute.extend(a for a in node.attribute if a.name not in _OWN_ATTRIBUTES)
        yield made
        real = _Real(_real(node.output[0]), scale, zero_point)
        yield from self._grid(result, real, node)
        self._reals[node.output[0]] = real
        if node.output[0] in self._outputs:
            yield _node(_QUANTIZES, [real.name, scale, zero_point], list(node.output), node)


def _numbers_of(graph: Any) -> dict[str, Any]:
    """Scales and zero points that are written in a graph, in types that numpy has."""
    import onnx

    plain = {
        onnx.TensorProto.FLOAT,
        *(getattr(onnx.TensorProto, kind) for kind in ("INT8", "UINT8", "INT16", "UINT16")),
    }
    used = {name for node in graph.node for name in node.input}
    small = (one for one in graph.initializer if one.name in used and one.data_type in plain and not _large(one))
    return {one.name: onnx.numpy_helper.to_array(one) for one in small}


def _large(weight: Any) -> bool:
    return bool(math.prod(weight.dims) > 1 or weight.data_location != 0)


def _with_numbers(graph: Any, values: Mapping[str, float]) -> list[str]:
    """Adds numbers to a graph; returns their names."""
    import onnx

    graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(one, np.float32), name) for name, one in values.items()
    )
    return list(values)


def _read_as_integers(graph: Any) -> set[str]:
    """Names that something reads as the integers that they are: outputs, and what no quantized op or move is."""
    found = {value.name for value in graph.output}
    for node in reversed(graph.node):
        moves = node.op_type in _MOVES and not any(name in found for name in node.output)
        if not moves and node.op_type != _RESTORES and node.op_type not in _QUANTIZED_OPS:
            found.update(node.input)
    return found


def _operands(node: Any) -> tuple[list[tuple[str, str, str]], tuple[str, str], str]:
    """Of a QOperator: ``(value, scale, zero point)`` of each operand, the result's pair, and the bias' name."""
    names = list(node.input)
    if node.op_type == "QLinearConcat":
        return [_three(names, i) for i in range(2, len(names), 3)], (names[0], names[1]), ""
    if node.op_type == "QGemm":
        bias = names[6] if len(names) > 6 else ""
        return [_three(names, 0), _three(names, 3)], (names[7], names[8] if len(names) > 8 else ""), bias
    two = node.op_type in ("QLinearAdd", "QLinearConv", "QLinearMatMul", "QLinearMul")
    operands = [_three(names, 0), *([_three(names, 3)] if two else [])]
    result = names[3 * len(operands) :]
    bias = result[2] if len(result) > 2 else ""
    return operands, (result[0], result[1] if len(result) > 1 else ""), bias


def _weights_axis(node: Any) -> int:
    """Where a QOperator's weights may have a scale for each channel of the output."""
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "QLinearConv" or transposed else 1


def _three(names: Sequence[str], begin: int) -> tuple[str, str, str]:
    return names[begin], names[begin + 1], names[begin + 2]


def _bias(node: Any, bias: str, operands: Sequence[tuple[str, str, str]], result: str) -> Iterable[Any]:
    """An int32 bias has the product of both scales for a scale."""
    scale = f"{result}/scale"
    yield _node("Mul", [operands[0][1], operands[1][1]], [scale], node)
    made = _node(_RESTORES, [bias, scale], [result], node)
    _set_axis(made, 0)
    yield made


def _turned(node: Any, weights: Any) -> Iterator[Any]:
    """A Transpose of weights (PyTorch's dense layers) as one of their integers, so that they keep their scales."""
    attributes = {attribute.name: attribute for attribute in (*weights.attribute, *node.attribute)}
    if "perm" not in attributes or "block_size" in attributes:
        yield node
        return
    order, axis = list(attributes["perm"].ints), int(attributes["axis"].i) if "axis" in attributes else 1
    turned = f"{node.output[0]}/integers"
    whole = _node("Transpose", [weights.input[0]], [turned], node)
    whole.attribute.extend(node.attribute)
    made = _node(WEIGHTS, [turned, *weights.input[1:]], list(node.output), node)
    _set_axis(made, order.index(axis % len(order)))
    yield from (whole, made)


def _set_axis(node: Any, axis: int) -> None:
    import onnx

    node.attribute.append(onnx.helper.make_attribute("axis", axis))


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], like: Any) -> Any:
    """A new node under the name, and from the line, of the one that it stands for."""
    import onnx

    made = onnx.helper.make_node(kind, [name for name in inputs if name], outputs, name=like.name)
    made.metadata_props.extend(like.metadata_props)
    return made


def _real(name: str) -> str:
    return f"{name}/real"


def _third(node: Any) -> str:
    return node.input[2] if len(node.input) > 2 else ""
