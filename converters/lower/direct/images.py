"""Which inputs are images: those that reach an op with height and width by nothing but element-wise ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What an image may pass through on its way to an op that knows height and width.
_PASSED = frozenset(
    {"Abs", "Add", "Cast", "Clip", "Concat", "Div", "Identity", "LeakyRelu", "Max", "Min", "Mul", "Neg", "PRelu"}
    | {"Pad", "Pow", "Relu", "Sigmoid", "Slice", "Sqrt", "Sub", "Tanh"}
    | {"DequantizeLinear", "EdgeGrid", "QuantizeLinear"}
)
_SPATIAL = frozenset(
    {"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DeformConv", "DepthToSpace", "FusedConv"}
    | {
        "GlobalAveragePool",
        "GlobalLpPool",
        "GlobalMaxPool",
        "GridSample",
        "GroupNormalization",
        "InstanceNormalization",
        "LRN",
        "LpPool",
    }
    | {"MaxPool", "MaxRoiPool", "MaxUnpool", "Resize", "RoiAlign", "SpaceToDepth", "Upsample"}
)


def image_inputs(graph: Any, passed: frozenset[str] = _PASSED, spatial: frozenset[str] = _SPATIAL) -> frozenset[str]:
    """Names of rank-4 inputs that are images, found in the graph's own structure.

    Args:
        graph: an ONNX GraphProto.
        passed: ops that an image may pass through.
        spatial: ops that know height and width.
    """
    constants = {initializer.name for initializer in graph.initializer}
    groups = _Groups()
    for node in graph.node:
        values = [name for name in (*node.input, *node.output) if name and name not in constants]
        if node.op_type in passed:
            groups.join(values)
        elif node.op_type in spatial:
            groups.join([_IMAGES, node.input[0], *node.output[:1]])
    rank_4 = [value.name for value in graph.input if len(value.type.tensor_type.shape.dim) == 4]
    return frozenset(name for name in rank_4 if groups.same(name, _IMAGES))


_IMAGES = "all images"


class _Groups:
    """Names in disjoint groups."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, names: Sequence[str]) -> None:
        for name in names[1:]:
            self._parent[self._root(name)] = self._root(names[0])

    def same(self, one: str, other: str) -> bool:
        return self._root(one) == self._root(other)

    def _root(self, name: str) -> str:
        while (parent := self._parent.setdefault(name, name)) != name:
            name = parent
        return name
