"""Powers of numbers that are not below zero, by a known exponent."""

from __future__ import annotations

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, unary
from edge_sdk.converters.lower.direct.value import Value, identity

_NAMED = {2.0: "SQUARE", 0.5: "SQRT", -0.5: "RSQRT"}


def to_power(builder: Builder, x: Value, exponent: float) -> Value:
    """``x ** exponent`` for ``x >= 0``: by name where TFLite has one, as XNNPACK takes it; else POW."""
    if exponent == 1:
        return x
    if exponent in _NAMED:
        return unary(builder, x, _NAMED[exponent])
    if exponent == -0.75:
        root = unary(builder, x, "RSQRT")
        return binary(builder, "MUL", [root, unary(builder, root, "SQRT")])
    # POW's kernel broadcasts over four axes; elements in a row need one.
    flat = Value(builder.reshaped(x.tensor, (x.tensor.size,)), identity(1))
    made = binary(builder, "POW", [flat, scalar(builder, exponent, flat)])
    return Value(builder.reshaped(made.tensor, x.tensor.shape), x.order, x.spatial)
