"""Files with one mistake each, and the same files without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node
from tests.graphs import Graph, options

RELU6, NONE = 3, 0
SIDE, IN, OUT = 4, 4, 8


class Net(Graph):
    """A graph that grows at its end, ``last``."""

    def __init__(self, dtype: str = "int8", scale: float = 0.05, zero_point: int = 0, *, channels: int = IN) -> None:
        super().__init__()
        self.dtype = dtype
        self.first = self.last = self.value("in", (1, SIDE, SIDE, channels), scale=scale, zero_point=zero_point)

    def value(
        self, name: str, shape: Sequence[int], dtype: str | None = None, *, scale: float = 0.05, zero_point: int = 0
    ) -> int:
        """A computed tensor; scales are left out in float."""
        dtype = dtype or self.dtype
        if dtype.startswith(("float", "bool")):
            return self.tensor(name, shape, dtype)
        return self.tensor(name, shape, dtype, scale=[scale], zero_point=[zero_point])

    def grow(self, name: str, *others: int, kind: str = "", shape: Sequence[int] = (), **settings: Any) -> int:
        """One op on ``last`` and others; ``kind`` are its options."""
        extra = {key: settings.pop(key) for key in ("dtype", "scale", "zero_point") if key in settings}
        shape = shape or tuple(int(extent) for extent in self.node.tensors[self.last].shape)
        result = self.value(f"{name.lower()}{len(self.node.operators)}", shape, **extra)
        self.op(name, (self.last, *others), (result,), options(kind, **settings) if kind else None)
        self.last = result
        return result

    def conv(
        self,
        weights: npt.NDArray[Any] | None = None,
        bias: npt.NDArray[Any] | None = None,
        *,
        weight_scale: Sequence[float] = (0.01,),
        weight_point: Sequence[int] | None = None,
        bias_scale: Sequence[float] | None = None,
        data_scale: float = 0.05,
        scale: float = 0.1,
        zero_point: int = 0,
        activation: int = NONE,
    ) -> int:
        """A 1x1 CONV_2D over ``last``."""
        weights = weights_of(self.dtype) if weights is None else weights
        stored: dict[str, Any] = {}
        bias_stored: dict[str, Any] = {}
        if self.dtype != "float32":
            stored = {"scale": list(weight_scale), "zero_point": weight_point}
            bias_stored = {"scale": list(bias_scale or [data_scale * s for s in weight_scale])}
        kernel = self.constant(f"weights{len(self.node.operators)}", weights, **stored)
        bias = np.zeros(len(weights), np.float32 if self.dtype == "float32" else np.int32) if bias is None else bias
        offset = self.constant(f"bias{len(self.node.operators)}", bias, **bias_stored)
        settings = {"stride_w": 1, "stride_h": 1, "fused_activation_function": activation, "padding": 1}
        shape = (1, SIDE, SIDE, len(weights))
        kind: Any = {"kind": "Conv2DOptions", **settings}
        return self.grow("CONV_2D", kernel, offset, shape=shape, scale=scale, zero_point=zero_point, **kind)

    def done(self, *more: int, inputs: Sequence[int] = ()) -> bytes:
        """The file, with ``last`` as its output."""
        return self.finish((self.first, *inputs), (self.last, *more))


def weights_of(dtype: str = "int8", rows: int = OUT, columns: int = IN) -> npt.NDArray[Any]:
    """Weights that use all their levels in every channel."""
    values = np.random.default_rng(0).integers(-120, 121, (rows, 1, 1, columns))
    values[:, 0, 0, 0] = 127
    return values.astype(np.float32) / 100 if dtype == "float32" else values.astype(dtype)


def plain(dtype: str = "int8") -> Net:
    """in -> CONV_2D: nothing is wrong with it."""
    net = Net(dtype)
    net.conv()
    return net


def ints(net: Graph, name: str, *values: int) -> int:
    """A constant row of int32."""
    return net.constant(name, np.array(values, np.int32))


def node_options(kind: str, **fields: Any) -> Node:
    """Options of an op that is added by hand."""
    return options(kind, **fields)
