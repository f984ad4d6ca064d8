"""Powers, of reals and of integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import (
    Form,
    binary,
    number_of,
    reciprocal_of,
    scalar,
    select,
    unary,
)
from edge_sdk.converters.lower.direct.value import Value


def _power(builder: Builder, node: Node) -> Value:
    """Squares, roots and the like by name: POW is slow, and knows no negative base."""
    x, exponent = node.input(0), node.input(1)
    number = number_of(exponent)
    if x.dtype != "float32":
        return power_of_integer(builder, x, exponent)
    if number in _POWERS:
        return _POWERS[number](builder, x)
    return binary(builder, "POW", [x, builder.as_dtype(exponent, x.dtype)])


_POWERS: dict[float | None, Callable[[Builder, Value], Value]] = {
    0.5: partial(unary, kind="SQRT"),
    1.0: lambda builder, x: x,
    2.0: partial(unary, kind="SQUARE"),
    3.0: lambda builder, x: binary(builder, "MUL", [unary(builder, x, "SQUARE"), x]),
    -0.5: partial(unary, kind="RSQRT"),
    -1.0: reciprocal_of,
}


def power_of_integer(builder: Builder, x: Value, exponent: Value) -> Value:
    """By squaring, wrapping round as integers do; a real exponent is computed in reals."""
    number = number_of(exponent)
    if number is not None and number >= 0 and number == int(number):
        return _raised(builder, x, int(number))
    if exponent.dtype == "float32":
        real = binary(builder, "POW", [builder.as_dtype(x, "float32"), exponent])
        return builder.as_dtype(real, x.dtype)
    return _by_bits(builder, x, exponent)


def _raised(builder: Builder, x: Value, exponent: int) -> Value:
    made: Value | None = None
    square = x
    while exponent:
        if exponent & 1:
            made = square if made is None else binary(builder, "MUL", [made, square])
        exponent >>= 1
        square = binary(builder, "MUL", [square, square]) if exponent else square
    return builder.fixed(np.ones(x.shape, x.dtype)) if made is None else made


def _by_bits(builder: Builder, x: Value, exponent: Value) -> Value:
    """A product of the squares that the exponent's bits name.

    Above 63 only 0, 1 and -1 have powers that do not wrap round, and those ask only for parity.
    """
    bits = _small_exponent(builder, exponent)
    made = square = x
    for bit in range(_BITS):
        odd = binary(builder, "FLOOR_MOD", [bits, scalar(builder, 2, bits)])
        chosen = binary(builder, "GREATER", [odd, scalar(builder, 0, odd)], "bool")
        factor = select(builder, chosen, square, scalar(builder, 1, square))
        made = factor if bit == 0 else binary(builder, "MUL", [made, factor])
        if bit < _BITS - 1:
            bits = binary(builder, "RIGHT_SHIFT", [bits, scalar(builder, 1, bits)])
            square = binary(builder, "MUL", [square, square])
    return made


_BITS = 7


def _small_exponent(builder: Builder, exponent: Value) -> Value:
    """Below 128, as int32, with the parity it had."""
    if builder.bounds.of(exponent.tensor)[1] < 2**_BITS and builder.bounds.of(exponent.tensor)[0] >= 0:
        return builder.as_dtype(exponent, "int32")
    odd = binary(builder, "FLOOR_MOD", [exponent, scalar(builder, 2, exponent)])
    capped = binary(builder, "MINIMUM", [exponent, binary(builder, "ADD", [odd, scalar(builder, 64, odd)])])
    return builder.as_dtype(binary(builder, "MAXIMUM", [capped, scalar(builder, 0, capped)]), "int32")


OPS: dict[str, Form] = {"Pow": _power}
