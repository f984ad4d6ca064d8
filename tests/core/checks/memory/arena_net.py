"""A graph builder whose ops return their result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.graphs import Graph, enum_value, options

_SAME, _VALID = 0, 1


class Net(Graph):
    """One subgraph; names are made up."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = np.random.default_rng(seed)

    def input(self, *shape: int) -> int:
        return self.tensor(f"in{len(self.node.tensors)}", shape)

    def weights(self, *shape: int, dtype: str = "float32", scales: int = 0) -> int:
        values = self._random.integers(-9, 9, shape) if dtype == "int8" else self._random.standard_normal(shape)
        quantization = {"scale": [0.01 * (i + 1) for i in range(scales)]} if scales else {}
        return self.constant(f"w{len(self.node.tensors)}", values.astype(dtype), **quantization)

    def four_bits(self, *shape: int) -> int:
        """Weights of which two share a byte."""
        index = self.weights(int(np.prod(shape)) // 2, dtype="int8", scales=1)
        self.node.tensors[index].shape, self.node.tensors[index].type = list(shape), enum_value("TensorType", "INT4")
        return index

    def ints(self, *values: int) -> int:
        return self.constant(f"i{len(self.node.tensors)}", np.array(values, np.int32))

    def add_op(self, name: str, inputs: Sequence[int], *shape: int, dtype: str = "float32", **fields: Any) -> int:
        kind = fields.pop("kind", None)
        made = self.tensor(f"t{len(self.node.tensors)}", shape, dtype)
        self.op(name, inputs, (made,), options(kind, **fields) if kind else None)
        return made

    def variable(self, *shape: int) -> int:
        made = self.tensor(f"state{len(self.node.tensors)}", shape)
        self.node.tensors[made].is_variable = True
        return made

    def shape(self, index: int) -> tuple[int, ...]:
        return tuple(int(extent) for extent in self.node.tensors[index].shape)

    def unary(self, x: int, name: str = "LOGISTIC") -> int:
        return self.add_op(name, (x,), *self.shape(x))

    def plus(self, a: int, b: int) -> int:
        return self.add_op("ADD", (a, b), *self.shape(a), kind="AddOptions")

    def reshape(self, x: int, *shape: int) -> int:
        return self.add_op("RESHAPE", (x, self.ints(*shape)), *shape, kind="ReshapeOptions")

    def softmax(self, x: int) -> int:
        return self.add_op("SOFTMAX", (x,), *self.shape(x), kind="SoftmaxOptions", beta=1.0)

    def split(self, x: int, parts: int) -> tuple[int, ...]:
        batch, width = self.shape(x)
        axis = self.constant(f"axis{len(self.node.tensors)}", np.array(1, np.int32))
        made = tuple(self.tensor(f"part{len(self.node.tensors)}_{n}", (batch, width // parts)) for n in range(parts))
        self.op("SPLIT", (axis, x), made, options("SplitOptions", num_splits=parts))
        return made

    def concat(self, *parts: int) -> int:
        width = sum(self.shape(p)[-1] for p in parts)
        return self.add_op(
            "CONCATENATION", parts, *self.shape(parts[0])[:-1], width, kind="ConcatenationOptions", axis=-1
        )

    def conv(
        self, x: int, channels: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1, weights: int = -1
    ) -> int:
        batch, height, width, depth = self.shape(x)
        w = weights if weights >= 0 else self.weights(channels, kernel, kernel, depth)
        size = (batch, -(-height // stride), -(-width // stride), channels)
        return self.add_op(
            "CONV_2D",
            (x, w, self.weights(channels)),
            *size,
            kind="Conv2DOptions",
            padding=_SAME,
            stride_w=stride,
            stride_h=stride,
            dilation_w_factor=dilation,
            dilation_h_factor=dilation,
        )

    def depthwise(self, x: int, weights: int) -> int:
        fields: dict[str, Any] = {"padding": _SAME, "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
        bias = self.weights(self.shape(x)[3])
        return self.add_op(
            "DEPTHWISE_CONV_2D", (x, weights, bias), *self.shape(x), kind="DepthwiseConv2DOptions", **fields
        )

    def pool(self, x: int, name: str) -> int:
        batch, height, width, depth = self.shape(x)
        fields: dict[str, Any] = {
            "padding": _VALID,
            "stride_w": 2,
            "stride_h": 2,
            "filter_width": 2,
            "filter_height": 2,
        }
        return self.add_op(name, (x,), batch, height // 2, width // 2, depth, kind="Pool2DOptions", **fields)

    def dense(self, x: int, units: int, weights: int = -1) -> int:
        w = weights if weights >= 0 else self.weights(units, self.shape(x)[1])
        return self.add_op(
            "FULLY_CONNECTED", (x, w, self.weights(units)), self.shape(x)[0], units, kind="FullyConnectedOptions"
        )

    def reduce(self, x: int, name: str) -> int:
        batch, _, _, depth = self.shape(x)
        return self.add_op(name, (x, self.ints(1, 2)), batch, depth, kind="ReducerOptions")
