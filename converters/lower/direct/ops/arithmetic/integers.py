"""Bits of integers, by what TFLite has of them: exclusive or, shifts to the right, and arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, select
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]


def _exclusive_or(builder: Builder, node: Node) -> Value:
    return binary(builder, "BITWISE_XOR", [node.input(0), node.input(1)])


def _not(builder: Builder, node: Node) -> Value:
    """All bits turned over: ``-1 - x``."""
    x = node.input()
    if x.dtype.startswith("uint"):
        return binary(builder, "SUB", [scalar(builder, np.iinfo(x.dtype).max, x), x])
    return binary(builder, "SUB", [scalar(builder, -1, x), x])


def _and(builder: Builder, node: Node) -> Value:
    return _in_words(builder, node, _and_of_words)


def _or(builder: Builder, node: Node) -> Value:
    """Bits of one operand alone, and those of both."""
    return _in_words(
        builder, node, lambda b, x, y: binary(b, "ADD", [binary(b, "BITWISE_XOR", [x, y]), _and_of_words(b, x, y)])
    )


def _in_words(builder: Builder, node: Node, compute: Callable[[Builder, Value, Value], Value]) -> Value:
    """In int32: narrower integers as numbers, 64 bits as two words."""
    values = [node.input(0), node.input(1)]
    dtype = values[0].dtype
    if not dtype.endswith("64") or builder.bounds.fits_int32(*(value.tensor for value in values)):
        made = compute(builder, *(builder.as_dtype(value, "int32") for value in values))
        return builder.as_dtype(made, dtype)
    words = [_words(builder, plain(builder.arranged(value))) for value in values]
    made = compute(builder, *words)
    return plain(builder.emit("BITCAST", [made.tensor], made.shape[:-1], dtype))


def _words(builder: Builder, x: Value) -> Value:
    if x.is_constant:
        return builder.fixed(np.ascontiguousarray(x.data[..., None]).view(np.int32))
    return plain(builder.emit("BITCAST", [x.tensor], (*x.shape, 2), "int32"))


def _and_of_words(builder: Builder, x: Value, y: Value) -> Value:
    """``x + y`` counts the bits of both twice, ``x ^ y`` those of one once: half the difference is ``x & y``.

    Halves first, so that nothing leaves 32 bits, and the lowest bits by themselves.
    """
    one = scalar(builder, 1, x)
    halves = [binary(builder, "RIGHT_SHIFT", [value, one]) for value in (x, y)]
    total = binary(builder, "ADD", halves)
    both = binary(builder, "SUB", [total, binary(builder, "BITWISE_XOR", halves)])
    low = [
        binary(builder, "SUB", [value, binary(builder, "ADD", [half, half])])
        for value, half in zip((x, y), halves, strict=True)
    ]
    return binary(builder, "ADD", [both, binary(builder, "MUL", low)])


def _shift(builder: Builder, node: Node) -> Value:
    x, count = node.input(0), node.input(1)
    if node.attribute("direction") == "LEFT":
        return _shifted_left(builder, x, count)
    return _shifted_right(builder, x, count)


def _shifted_left(builder: Builder, x: Value, count: Value) -> Value:
    """Times a power of two, whose bits above the dtype are cut off."""
    bits = np.iinfo(x.dtype).bits
    powers = np.array([1 << i for i in range(bits)] + [0], np.uint64).astype(x.dtype)
    return binary(builder, "MUL", [x, _of_table(builder, powers, count, bits)])


def _of_table(
    builder: Builder, table: np.ndarray[tuple[int, ...], np.dtype[np.generic]], count: Value, bits: int
) -> Value:
    """The entry for each count; all beyond the last are the last."""
    if count.is_constant:
        return builder.fixed(table[np.minimum(count.data, bits).astype(np.int64)])
    capped = builder.as_dtype(binary(builder, "MINIMUM", [count, scalar(builder, bits, count)]), "int32")
    made = builder.emit(
        "GATHER", [builder.constant(table), capped.tensor], capped.tensor.shape, table.dtype.name, axis=0, batch_dims=0
    )
    return Value(made, capped.order, capped.spatial)


def _shifted_right(builder: Builder, x: Value, count: Value) -> Value:
    """RIGHT_SHIFT up to 32 bits; counts beyond the dtype leave nothing."""
    if x.dtype == "uint64":
        return _long_shifted_right(builder, x, count)
    bits = np.iinfo(x.dtype).bits
    most = scalar(builder, bits - 1, count)
    made = binary(builder, "RIGHT_SHIFT", [x, builder.as_dtype(binary(builder, "MINIMUM", [count, most]), x.dtype)])
    if builder.bounds.of(count.tensor)[1] < bits:
        return made
    return select(builder, binary(builder, "GREATER", [count, most], "bool"), scalar(builder, 0, made), made)


def _long_shifted_right(builder: Builder, x: Value, count: Value) -> Value:
    """By halves: each count up to 32, the bits that leave the upper word coming into the lower."""
    x, count = plain(builder.arranged(x)), plain(builder.arranged(count))
    words = _words(builder, x)
    low, high = (
        plain(
            builder.emit(
                "GATHER", [words.tensor, builder.constant(i, "int32")], x.shape, "int32", axis=x.rank, batch_dims=0
            )
        )
        for i in (0, 1)
    )
    by = builder.as_dtype(binary(builder, "MINIMUM", [count, scalar(builder, 64, count)]), "int32")
    far = binary(builder, "GREATER_EQUAL", [by, scalar(builder, 32, by)], "bool")
    near = select(builder, far, binary(builder, "SUB", [by, scalar(builder, 32, by)]), by)
    zero = scalar(builder, 0, low)
    lower, upper = select(builder, far, high, low), select(builder, far, zero, high)
    unsigned = [builder.as_dtype(part, "uint32") for part in (lower, upper)]
    shift = builder.as_dtype(near, "uint32")
    small = [_shifted_right(builder, part, shift) for part in unsigned]
    rest = binary(builder, "SUB", [scalar(builder, 32, near), near])
    carried = _shifted_left(builder, unsigned[1], builder.as_dtype(rest, "uint32"))
    joined = [binary(builder, "ADD", [small[0], carried]), small[1]]
    parts = [builder.reshaped(builder.cast(part.tensor, "int32"), (*part.shape, 1)) for part in joined]
    shape = (*joined[0].shape, 2)
    both = builder.emit("CONCATENATION", parts, shape, axis=len(shape) - 1)
    return plain(builder.emit("BITCAST", [both], shape[:-1], "uint64"))


OPS: dict[str, Form] = {
    "BitShift": _shift,
    "BitwiseAnd": _and,
    "BitwiseNot": _not,
    "BitwiseOr": _or,
    "BitwiseXor": _exclusive_or,
}
