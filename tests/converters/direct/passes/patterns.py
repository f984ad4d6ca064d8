"""Patterns that one op says: activations, gates, attention, slopes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from tests.converters.direct.passes.case import Case, Floats, Ops, X, binary, numbers, scalar, unary


def _gelu_tanh(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    cube = binary(builder, "MUL", unary(builder, "SQUARE", x), x)
    line = binary(builder, "ADD", x, binary(builder, "MUL", cube, scalar(builder, 0.044715)))
    curve = unary(builder, "TANH", binary(builder, "MUL", line, scalar(builder, (2 / np.pi) ** 0.5)))
    half = binary(builder, "MUL", x, scalar(builder, 0.5))
    return [binary(builder, "MUL", half, binary(builder, "ADD", curve, scalar(builder, 1)))]


def _gelu_erf(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    curve = unary(builder, "ERF", binary(builder, "DIV", x, scalar(builder, 2**0.5)))
    whole = binary(builder, "MUL", x, binary(builder, "ADD", curve, scalar(builder, 1)))
    return [binary(builder, "MUL", whole, scalar(builder, 0.5))]


def _hard_swish(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    gate = unary(builder, "RELU6", binary(builder, "ADD", x, scalar(builder, 3)))
    return [binary(builder, "MUL", x, binary(builder, "MUL", gate, scalar(builder, 1 / 6)))]


def _hard_swish_divided_last(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    gate = unary(builder, "RELU6", binary(builder, "ADD", x, scalar(builder, 3)))
    return [binary(builder, "MUL", binary(builder, "MUL", x, gate), scalar(builder, 1 / 6))]


def _square(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    return [binary(builder, "MUL", inputs[0], inputs[0])]


def _not_hard_swish(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    x, z = inputs
    gate = unary(builder, "RELU6", binary(builder, "ADD", z, scalar(builder, 3)))
    return [binary(builder, "MUL", x, binary(builder, "MUL", gate, scalar(builder, 1 / 6)))]


def _equal_ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    first, second = unary(builder, "TANH", x), unary(builder, "TANH", x)
    other = builder.emit("LEAKY_RELU", [x], x.shape, alpha=0.5)
    another = builder.emit("LEAKY_RELU", [x], x.shape, alpha=0.25)
    return [binary(builder, "ADD", binary(builder, "ADD", first, second), binary(builder, "ADD", other, another))]


def _root(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    positive = binary(builder, "ADD", unary(builder, "SQUARE", inputs[0]), scalar(builder, 1))
    return [binary(builder, "DIV", scalar(builder, 1), unary(builder, "SQRT", positive))]


def _attention(mask: Floats | None) -> Ops:
    """Scores, a mask, and PyTorch's guard against rows that are masked throughout."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        q, k = inputs
        scores = builder.emit("BATCH_MATMUL", [q, k], (2, 3, 3), adj_x=False, adj_y=True)
        masked = scores if mask is None else binary(builder, "ADD", scores, builder.constant(mask))
        soft = builder.emit("SOFTMAX", [masked], scores.shape, beta=1.0)
        nan = builder.emit("NOT_EQUAL", [soft, soft], soft.shape, "bool")
        kept = builder.emit("SELECT_V2", [nan, scalar(builder, 0), soft], soft.shape, "float32")
        return [unary(builder, "TANH", kept)]

    return ops


_CAUSAL = np.triu(np.full((1, 3, 3), -np.inf, np.float32), 1)


_NOTHING_LEFT = np.where(np.arange(3)[:, None] == 1, -np.inf, _CAUSAL).astype(np.float32)


def _sloped(*shape: int, turned: bool = True, own: bool = True) -> Ops:
    """``relu(x) - slopes * relu(-x)``, or by a minimum; ``own`` or of another value."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x, other = inputs[0], inputs[0] if own else inputs[1]
        slopes = builder.constant(numbers(*shape))
        if not turned:
            low = binary(builder, "MINIMUM", other, scalar(builder, 0))
            return [binary(builder, "ADD", binary(builder, "MUL", slopes, low), unary(builder, "RELU", x))]
        low = binary(builder, "MUL", unary(builder, "RELU", unary(builder, "NEG", other)), slopes)
        return [binary(builder, "SUB", unary(builder, "RELU", x), low)]

    return ops


def _activated_sum(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    return [unary(builder, "RELU6", binary(builder, "ADD", *inputs))]


def _dead(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    unary(builder, "TANH", inputs[0])
    return [unary(builder, "EXP", inputs[0])]


CASES = {
    "slopes of channels": Case("fuse_slopes", [X], _sloped(4), ["PRELU"]),
    "slopes of places": Case("fuse_slopes", [X], _sloped(1, 3, 4, turned=False), ["PRELU"]),
    "slopes of samples": Case("fuse_slopes", [X], _sloped(2, 3, 4), ["NEG", "RELU", "MUL", "RELU", "SUB"]),
    "one slope": Case("fuse_slopes", [X], _sloped(1), ["LEAKY_RELU"]),
    "slopes of another value": Case(
        "fuse_slopes", [X, X], _sloped(4, own=False), ["NEG", "RELU", "MUL", "RELU", "SUB"]
    ),
    "GELU by tanh": Case("fuse_patterns", [X], _gelu_tanh, ["GELU"]),
    "GELU by erf": Case("fuse_patterns", [X], _gelu_erf, ["GELU"]),
    "hard-swish": Case("fuse_patterns", [X], _hard_swish, ["HARD_SWISH"]),
    "hard-swish, divided last": Case("fuse_patterns", [X], _hard_swish_divided_last, ["HARD_SWISH"]),
    "a gate of another value": Case("fuse_patterns", [X, X], _not_hard_swish, ["ADD", "RELU6", "MUL", "MUL"]),
    "a value by itself": Case("fuse_patterns", [X], _square, ["SQUARE"]),
    "equal ops": Case("merge_equal", [X], _equal_ops, ["TANH", "LEAKY_RELU", "LEAKY_RELU", "ADD", "ADD", "ADD"]),
    "one over a root": Case("fuse_patterns", [X], _root, ["SQUARE", "ADD", "RSQRT"]),
    "attention without a mask": Case("fuse_patterns", [X, X], _attention(None), ["BATCH_MATMUL", "SOFTMAX", "TANH"]),
    "attention with a mask": Case(
        "fuse_patterns", [X, X], _attention(_CAUSAL), ["BATCH_MATMUL", "ADD", "SOFTMAX", "TANH"]
    ),
    "attention with a row that sees nothing": Case(
        "fuse_patterns",
        [X, X],
        _attention(_NOTHING_LEFT),
        ["BATCH_MATMUL", "ADD", "SOFTMAX", "NOT_EQUAL", "SELECT_V2", "TANH"],
    ),
    "an activation behind a sum": Case("fuse_activations", [X, X], _activated_sum, ["ADD"]),
    "an op that nobody reads": Case("drop_dead", [X], _dead, ["EXP"]),
}
