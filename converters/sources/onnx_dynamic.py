"""ONNX Runtime's ``quantize_dynamic``: weights of 8 bits, and activations that are rounded anew in each run.

What is rounded as it runs has no scale to keep, and the file rounds in its own way or not at all: the weights stay as
the integers that they are, products are those of floats again, as of PyTorch's ``quantize_dynamic``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.sources.onnx_ends import without_unread

_PRODUCTS = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}
_LSTM = "DynamicQuantizeLSTM"
# What ONNX Runtime's optimizer makes of such products: where their weights' scale, zero point and the bias are.
_FUSED = {"DynamicQuantizeMatMul": (2, 3, 4), "MatMulIntegerToFloat": (3, 5, 6)}
# Inputs of it behind those that LSTM has too: scale and zero point of both weights.
_OWN = 8


def rounds_as_it_runs(model: Any) -> bool:
    """Whether activations of a model are rounded by ranges of each run."""
    return any(node.op_type in ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", _LSTM) for node in model.graph.node)


def in_float_products(model: Any) -> Any:
    """A copy whose products read floats and the weights as they are rounded.

    Before: ``q, s, z = DynamicQuantizeLinear(x)``, ``y = Cast(MatMulInteger(q, w, z, zw)) * (s * sw)``, or
    ``DynamicQuantizeLSTM(x, w, r, ...)``, or ``DynamicQuantizeMatMul(x, w, sw, zw, b)``.
    After: ``y = MatMul(x, (w - zw) * sw)``, ``LSTM``. Other forms stay.

    Args:
        model: an ``onnx.ModelProto``.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _Rewrite(copy.graph).run()
    without_unread(copy, [value.name for value in copy.graph.output])
    return copy


@dataclass(frozen=True)
class _Scaled:
    """A product of integers: the node that makes reals of it, what is multiplied, and the scale of the weights."""

    last: Any
    x: str
    scale: npt.NDArray[np.float32]


class _Rewrite:
    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._graph = graph
        self._made = {value: node for node in graph.node for value in node.output if value}
        self._readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for value in node.input:
                self._readers.setdefault(value, []).append(node)
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._array = numpy_helper.to_array

    def run(self) -> None:
        for node in list(self._graph.node):
            if node.op_type == _LSTM:
                self._lstm(node)
            elif node.op_type in _PRODUCTS:
                self._product(node)
            elif node.op_type in _FUSED:
                self._fused(node)

    def _lstm(self, node: Any) -> None:
        parts = list(node.input)
        if len(parts) < _OWN + 4 or not all(name in self._stored for name in (*parts[1:3], *parts[_OWN : _OWN + 4])):
            return
        for place in (1, 2):
            scale, zero = (self._numbers(parts[_OWN + 2 * (place - 1) + i]) for i in (0, 1))
            # One for each direction, or for each of its gates' rows: weights lie as [directions, inputs, rows].
            wide = [values.reshape(len(values), 1, -1) for values in (scale, zero)]
            weights = (self._numbers(parts[place]) - wide[1]) * wide[0]
            parts[place] = self._store(f"{parts[place]}_in_float", weights.transpose(0, 2, 1))
        node.op_type, node.domain = "LSTM", ""
        del node.input[:]
        node.input.extend(parts[:_OWN])

    def _fused(self, node: Any) -> None:
        import onnx

        names = [*node.input, *[""] * 7]
        scale, zero, bias = (names[place] for place in _FUSED[node.op_type])
        x = self._real_input(node)
        if x is None or any(name not in self._stored for name in (names[1], scale, *filter(None, [zero]))):
            return
        weights = (self._numbers(names[1]) - (self._numbers(zero) if zero else np.float32(0))) * self._numbers(scale)
        product = f"{node.output[0]}_product" if bias else node.output[0]
        inputs = [x, self._store(f"{node.output[0]}_in_float", weights)]
        made = [onnx.helper.make_node("MatMul", inputs, [product], name=node.name)]
        made += (
            [onnx.helper.make_node("Add", [product, bias], [node.output[0]], name=f"{node.name}_bias")] if bias else []
        )
        place = list(self._graph.node).index(node)
        self._graph.node.remove(node)
        for offset, one in enumerate(made):
            self._graph.node.insert(place + offset, one)

    def _real_input(self, node: Any) -> str | None:
        """What a product of integers reads, before it is rounded."""
        if node.op_type == "DynamicQuantizeMatMul":
            return str(node.input[0])
        rounded = self._made.get(node.input[0])
        return str(rounded.input[0]) if rounded is not None and rounded.op_type == "DynamicQuantizeLinear" else None

    def _product(self, node: Any) -> None:
        scaled = self._scaled(node)
        if scaled is None or node.input[1] not in self._stored:
            return
        zero = self._numbers(node.input[3]) if len(node.input) > 3 and node.input[3] else np.float32(0)
        weights = (self._numbers(node.input[1]) - zero) * scaled.scale
        kind, last = _PRODUCTS[node.op_type], scaled.last
        last.op_type, last.domain = kind, ""
        del last.input[:]
        last.input.extend([scaled.x, self._store(f"{last.output[0]}_weights_in_float", weights)])
        del last.attribute[:]
        last.attribute.extend(node.attribute)

    def _scaled(self, node: Any) -> _Scaled | None:
        rounded = self._made.get(node.input[0])
        cast = self._only_reader(node.output[0], "Cast")
        last = self._only_reader(cast.output[0], "Mul") if cast is not None else None
        if rounded is None or rounded.op_type != "DynamicQuantizeLinear" or cast is None or last is None:
            return None
        (other,) = (name for name in last.input if name != cast.output[0])
        both = self._made.get(other)
        if both is None or both.op_type != "Mul" or rounded.output[1] not in both.input:
            return None
        (stored,) = (name for name in both.input if name != rounded.output[1])
        scale = self._numbers(stored) if stored in self._stored else None
        # Of a convolution a scale for each channel lies along the weights' first axis: not seen of any tool yet.
        if scale is None or (node.op_type == "ConvInteger" and scale.size > 1):
            return None
        return _Scaled(last, rounded.input[0], scale)

    def _only_reader(self, value: str, kind: str) -> Any:
        readers = self._readers.get(value, [])
        is_output = any(value == one.name for one in self._graph.output)
        return readers[0] if len(readers) == 1 and readers[0].op_type == kind and not is_output else None

    def _numbers(self, name: str) -> npt.NDArray[np.float32]:
        return np.asarray(self._array(self._stored[name]), np.float32)

    def _store(self, name: str, values: npt.NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name
