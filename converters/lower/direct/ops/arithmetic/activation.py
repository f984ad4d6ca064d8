"""Activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import (
    Form,
    binary,
    clipped,
    emit_like,
    scalar,
    select,
    unary,
)
from edge_sdk.converters.lower.direct.value import Value, identity


def _plain(kind: str, **options: Any) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        return unary(builder, node.input(), kind, **options)

    return form


def _leaky_relu(builder: Builder, node: Node) -> Value:
    return unary(builder, node.input(), "LEAKY_RELU", alpha=float(node.attribute("alpha", 0.01)))


def _prelu(builder: Builder, node: Node) -> Value:
    """PRELU wants slopes that are the same for all samples; other forms by ops."""
    x, slope = node.input(0), node.input(1)
    if node.opset < 7 and slope.rank == 1:
        # One for each channel, before the standard had broadcasting.
        slope = Value(builder.reshaped(slope.tensor, (slope.tensor.size, *[1] * (x.rank - 2))), identity(x.rank - 1))
    if slope.tensor.size == 1 and slope.is_constant:
        return unary(builder, x, "LEAKY_RELU", alpha=float(slope.data.reshape(-1)[0]))
    if slope.is_constant and slope.rank <= x.rank:
        laid = slope.data.reshape((1,) * (x.rank - slope.rank) + slope.shape).transpose(x.order)
        if laid.shape[0] == 1:
            return emit_like(builder, "PRELU", x, builder.constant(laid[0]))
    negative = binary(builder, "MUL", [_minimum(builder, x), slope])
    return binary(builder, "ADD", [unary(builder, x, "RELU"), negative])


def _minimum(builder: Builder, x: Value) -> Value:
    return binary(builder, "MINIMUM", [x, scalar(builder, 0, x)])


def _elu(builder: Builder, node: Node) -> Value:
    x, alpha = node.input(), float(node.attribute("alpha", 1.0))
    if alpha == 1.0:
        return unary(builder, x, "ELU")
    return _exponential(builder, x, alpha, 1.0, 1.0)


def _exponential(builder: Builder, x: Value, alpha: float, gamma: float, inner: float) -> Value:
    """``gamma * (max(x, 0) + alpha * (exp(min(x, 0) / inner) - 1))``."""
    low = _minimum(builder, x)
    if inner != 1.0:
        low = binary(builder, "DIV", [low, scalar(builder, inner, x)])
    grown = binary(builder, "SUB", [unary(builder, low, "EXP"), scalar(builder, 1, x)])
    made = binary(
        builder,
        "ADD",
        [unary(builder, x, "RELU"), binary(builder, "MUL", [grown, scalar(builder, alpha, x)])],
    )
    return made if gamma == 1.0 else binary(builder, "MUL", [made, scalar(builder, gamma, x)])


def _selu(builder: Builder, node: Node) -> Value:
    alpha, gamma = (
        node.attribute("alpha", 1.67326319217681884765625),
        node.attribute("gamma", 1.05070102214813232421875),
    )
    return _exponential(builder, node.input(), float(alpha), float(gamma), 1.0)


def _celu(builder: Builder, node: Node) -> Value:
    alpha = float(node.attribute("alpha", 1.0))
    return _exponential(builder, node.input(), alpha, 1.0, alpha)


def _hard_sigmoid(builder: Builder, node: Node) -> Value:
    x = node.input()
    alpha, beta = float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5))
    return hard_sigmoid(builder, x, alpha, beta)


def hard_sigmoid(builder: Builder, x: Value, alpha: float, beta: float) -> Value:
    """``max(0, min(1, alpha * x + beta))``; the usual one as RELU6(x + 3) / 6, which every delegate takes."""
    if np.isclose(alpha, 1 / 6, rtol=1e-6) and beta == 0.5:
        lifted = unary(builder, binary(builder, "ADD", [x, scalar(builder, 3, x)]), "RELU6")
        return binary(builder, "MUL", [lifted, scalar(builder, 1 / 6, x)])
    line = binary(builder, "MUL", [x, scalar(builder, alpha, x)])
    line = binary(builder, "ADD", [line, scalar(builder, beta, x)])
    return clipped(builder, line, scalar(builder, 0, x), scalar(builder, 1, x))


def _gelu(builder: Builder, node: Node) -> Value:
    return unary(builder, node.input(), "GELU", approximate=node.attribute("approximate", "none") == "tanh")


def _softplus(builder: Builder, node: Node) -> Value:
    return softplus(builder, node.input())


def softplus(builder: Builder, x: Value) -> Value:
    """``max(x, 0) + log(1 + exp(-|x|))``: no overflow on either side."""
    size = unary(builder, unary(builder, x, "ABS"), "NEG")
    soft = unary(builder, binary(builder, "ADD", [unary(builder, size, "EXP"), scalar(builder, 1, x)]), "LOG")
    return binary(builder, "ADD", [unary(builder, x, "RELU"), soft])


def _mish(builder: Builder, node: Node) -> Value:
    x = node.input()
    return binary(builder, "MUL", [x, unary(builder, softplus(builder, x), "TANH")])


def _softsign(builder: Builder, node: Node) -> Value:
    x = node.input()
    size = binary(builder, "ADD", [unary(builder, x, "ABS"), scalar(builder, 1, x)])
    return binary(builder, "DIV", [x, size])


def _thresholded_relu(builder: Builder, node: Node) -> Value:
    x = node.input()
    above = binary(builder, "GREATER", [x, scalar(builder, float(node.attribute("alpha", 1.0)), x)], "bool")
    return select(builder, above, x, scalar(builder, 0, x))


def _shrink(builder: Builder, node: Node) -> Value:
    x = node.input()
    bias, edge = float(node.attribute("bias", 0.0)), float(node.attribute("lambd", 0.5))
    low = binary(builder, "LESS", [x, scalar(builder, -edge, x)], "bool")
    high = binary(builder, "GREATER", [x, scalar(builder, edge, x)], "bool")
    lifted = binary(builder, "ADD", [x, scalar(builder, bias, x)])
    lowered = binary(builder, "SUB", [x, scalar(builder, bias, x)])
    return select(builder, low, lifted, select(builder, high, lowered, scalar(builder, 0, x)))


def _swish(builder: Builder, node: Node) -> Value:
    x, alpha = node.input(), float(node.attribute("alpha", 1.0))
    inner = x if alpha == 1.0 else binary(builder, "MUL", [x, scalar(builder, alpha, x)])
    return binary(builder, "MUL", [x, unary(builder, inner, "LOGISTIC")])


OPS: dict[str, Form] = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain("HARD_SWISH"),
    "LeakyRelu": _leaky_relu,
    "Mish": _mish,
    "PRelu": _prelu,
    "Relu": _plain("RELU"),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": _plain("LOGISTIC"),
    "Softplus": _softplus,
    "Softsign": _softsign,
    "Swish": _swish,
    "Tanh": _plain("TANH"),
    "ThresholdedRelu": _thresholded_relu,
}
