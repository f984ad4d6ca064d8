"""Constants of a file: what they stand for, and changed in place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.dtypes import packed
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Tensor
from edge_sdk.artifact.schema import enum_value, schema

Array = npt.NDArray[Any]


def real_values(tensor: Tensor) -> npt.NDArray[np.float32]:
    """What a constant stands for: integers by their scale, floats as they are."""
    quantization = tensor.quantization
    if quantization is None or tensor.dtype == "float32":
        return np.asarray(tensor.values(), np.float32)
    shape = [1] * max(1, len(tensor.shape))
    shape[quantization.axis] = -1
    values = tensor.values().astype(np.float32)
    if not quantization.per_channel:
        shape = []
    scale = np.array(quantization.scale, np.float32).reshape(shape)
    zero_point = np.array(quantization.zero_point, np.float32).reshape(shape)
    return np.asarray((values - zero_point) * scale, np.float32)


class ConstantEdit:
    """Changes tensors of the main subgraph; a buffer that several tensors share is not changed but replaced."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._tensors = root.subgraphs[0].tensors
        self._operators = root.subgraphs[0].operators
        self._uses = Counter(t.buffer for graph in root.subgraphs for t in graph.tensors)

    def set_scale(self, tensor: int, scale: Array) -> None:
        """Other scales, float32; more or fewer than there were are along the first axis, with zero points of 0."""
        own = self._tensors[tensor].quantization
        if len(scale) != len(own.scale):
            own.zero_point, own.quantized_dimension = np.zeros(len(scale), np.int64), 0
        own.scale = np.asarray(scale, np.float32)
        # Ranges beside scales are for tools that quantize; they would contradict the scale.
        own.min = own.max = None

    def own(self, operator: int, place: int) -> int:
        """The tensor of an op's operand; a copy of its own where other ops read it too."""
        inputs = self._operators[operator].inputs
        index = int(inputs[place])
        if sum(int(one) == index for op in self._operators for one in op.inputs) == 1:
            return index
        old = self._tensors[index]
        fields = {name: getattr(old, name) for name in ("shape", "shape_signature", "type", "has_rank", "buffer")}
        if old.quantization is not None:
            fields["quantization"] = _copied(old.quantization)
        self._uses[old.buffer] += 1
        self._tensors.append(new_node(schema(), "Tensor", name=f"{old.name}_{operator}", **fields))
        changed = np.array(inputs, np.int32)
        changed[place] = len(self._tensors) - 1
        self._operators[operator].inputs = changed
        return len(self._tensors) - 1

    def set_type(self, tensor: int, dtype: str) -> None:
        """Another type; values and scale are to be set after it."""
        self._tensors[tensor].type = enum_value("TensorType", dtype.upper())

    def set_values(self, tensor: int, values: Array) -> None:
        """Other values, of the tensor's type and shape; those of int4 as int8."""
        node = self._tensors[tensor]
        if node.type == enum_value("TensorType", "INT4"):
            values = packed(values)
        raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        if self._uses[node.buffer] > 1:
            self._uses[node.buffer] -= 1
            self._root.buffers.append(new_node(schema(), "Buffer", data=raw))
            node.buffer = len(self._root.buffers) - 1
        else:
            self._root.buffers[node.buffer].data = raw


def _copied(quantization: Node) -> Node:
    fields = {name: value for name, value in vars(quantization).items() if name != "kind"}
    return new_node(schema(), "QuantizationParameters", **fields)
