"""Products with what follows them in one op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar
from edge_sdk.converters.lower.direct.ops.moving.shape import transpose
from edge_sdk.converters.lower.direct.ops.products.matmul import matmul
from edge_sdk.converters.lower.direct.ops.runtime.standard import standard
from edge_sdk.converters.lower.direct.value import Value

# The names of an activation's numbers, in the order in which `activation_params` has them.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "": (),
    "Clip": ("min", "max"),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
}


def _fused_conv(builder: Builder, node: Node) -> Value:
    """A convolution, perhaps a summand, and an activation."""
    own = {name: value for name, value in node.attributes.items() if not name.startswith("activation")}
    operands = [node.input(0), node.input(1), node.input(2) if node.given(2) else None]
    made = standard(builder, node, "Conv", operands, **own)
    if node.given(3):
        made = binary(builder, "ADD", [made, node.input(3)])
    numbers = [float(number) for number in node.attribute("activation_params", [])]
    return _activated(builder, node, made, numbers)


def _fused_gemm(builder: Builder, node: Node) -> Value:
    own = {name: value for name, value in node.attributes.items() if not name.startswith("activation")}
    made = standard(builder, node, "Gemm", node.inputs, **own)
    names = _NUMBERS.get(node.attribute("activation", ""), ())
    return _activated(builder, node, made, [float(node.attribute(f"activation_{name}", 0.0)) for name in names])


def _activated(builder: Builder, node: Node, x: Value, numbers: list[float]) -> Value:
    kind = node.attribute("activation", "")
    if kind not in _NUMBERS:
        raise NoFormError(f"an activation `{kind}`, which no version of ONNX Runtime seen here fuses")
    if not kind:
        return x
    if kind == "Clip":
        return standard(builder, node, kind, [x, *(builder.fixed(np.float32(number)) for number in numbers)])
    return standard(builder, node, kind, [x], **dict(zip(_NUMBERS[kind], numbers, strict=False)))


def _fused_matmul(builder: Builder, node: Node) -> Value:
    """A factor, and matrices that are turned first."""
    sides = []
    for place, side in enumerate("AB"):
        x = node.input(place)
        if node.attribute(f"transBatch{side}", 0):
            x = transpose(x, [*range(1, x.rank - 1), 0, x.rank - 1])
        if node.attribute(f"trans{side}", 0) and x.rank > 1:
            x = transpose(x, [*range(x.rank - 2), x.rank - 1, x.rank - 2])
        sides.append(x)
    factor = float(node.attribute("alpha", 1.0))
    if factor != 1.0:
        sides[0] = binary(builder, "MUL", [sides[0], scalar(builder, factor, sides[0])])
    return matmul(builder, *sides)


OPS: dict[str, Callable[..., Any]] = {
    "FusedConv": _fused_conv,
    "FusedGemm": _fused_gemm,
    "FusedMatMul": _fused_matmul,
    "TransposeMatMul": _fused_matmul,
}
