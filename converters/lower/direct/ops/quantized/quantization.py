"""Quantization as the arithmetic that it is: scales, rounding, bounds, and exact sums of products of integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, number_of, scalar, unary
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced
from edge_sdk.converters.lower.direct.ops.moving.sizes import expanded
from edge_sdk.converters.lower.direct.ops.products.matmul import matmul
from edge_sdk.converters.lower.direct.ops.spatial.convolution import OPS as CONVOLUTIONS
from edge_sdk.converters.lower.direct.reading import dtype_name
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]
_RANGES = ("int8", "uint8", "int16", "uint16")
# Whole numbers up to here are exact in float32, and so are their sums.
_EXACT = 2**24


def _quantize(builder: Builder, node: Node) -> Value:
    """``clip(round(x / scale) + zero_point)``, halves to the even number."""
    x, scale = node.input(0), node.input(1)
    zero = node.input(2) if node.given(2) else None
    if zero is not None:
        dtype = zero.dtype
    else:
        named = node.attribute("output_dtype", 0)
        dtype = dtype_name(named) if named else "uint8"
    scale = _spread(builder, node, scale, x)
    zero = _spread(builder, node, zero, x) if zero is not None else None
    return quantized(builder, binary(builder, "DIV", [builder.as_dtype(x, "float32"), scale]), zero, dtype)


def quantized(builder: Builder, x: Value, zero: Value | None, dtype: str) -> Value:
    """Reals in steps of a scale as integers; the whole reals are remembered for who reads them as reals."""
    if dtype not in _RANGES:
        raise NoFormError(f"TFLite has no {dtype} for values that are computed")
    whole = unary(builder, x, "ROUND")
    if zero is not None and number_of(zero) != 0:
        whole = binary(builder, "ADD", [whole, builder.as_dtype(zero, "float32")])
    info = np.iinfo(dtype)
    whole = binary(builder, "MAXIMUM", [whole, scalar(builder, info.min, whole)])
    whole = binary(builder, "MINIMUM", [whole, scalar(builder, info.max, whole)])
    made = builder.as_dtype(whole, dtype)
    builder.reals[made.tensor] = whole.tensor
    return made


def _dequantize(builder: Builder, node: Node) -> Value:
    """``(x - zero_point) * scale``."""
    return _restored(builder, node, node.input(0))


def centred(builder: Builder, x: Value, zero: Value | None) -> Value:
    """``x - zero_point`` as whole reals."""
    if zero is not None and number_of(zero) == 0:
        zero = None
    if zero is not None and x.dtype == "int32":
        return builder.as_dtype(binary(builder, "SUB", [x, zero]), "float32")
    known = builder.reals.get(x.tensor)
    real = Value(known, x.order, x.spatial) if known is not None else builder.as_dtype(x, "float32")
    return real if zero is None else binary(builder, "SUB", [real, builder.as_dtype(zero, "float32")])


def rounded(builder: Builder, node: Node) -> Value:
    """A QuantizeLinear and the DequantizeLinear behind it, as the real numbers that they make."""
    return _restored(builder, node, _quantize(builder, node))


def _restored(builder: Builder, node: Node, x: Value) -> Value:
    zero = _spread(builder, node, node.input(2), x) if node.given(2) else None
    return binary(builder, "MUL", [centred(builder, x, zero), _spread(builder, node, node.input(1), x)])


def _spread(builder: Builder, node: Node, numbers: Value, x: Value) -> Value:
    """Scales or zero points where they broadcast: one for all, one for each of an axis, or one for each block of it."""
    if numbers.tensor.size == 1 and numbers.rank <= 1:
        return reshape(builder, numbers, ())
    axis = int(node.attribute("axis", 1)) % x.rank
    if numbers.rank == 1:
        return reshape(builder, numbers, [size if i == axis else 1 for i, size in enumerate(x.shape)])
    block = int(node.attribute("block_size", 0)) or -(-x.shape[axis] // numbers.shape[axis])
    shape = numbers.shape
    apart = reshape(builder, numbers, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    repeated = expanded(builder, apart, (*shape[: axis + 1], block, *shape[axis + 1 :]))
    long = reshape(builder, repeated, (*shape[:axis], shape[axis] * block, *shape[axis + 1 :]))
    return sliced(builder, long, {axis: range(x.shape[axis])})


# --- sums of products -------------------------------------------------------------------------------------------------


def _largest(builder: Builder, x: Value, zero: Value | None) -> int:
    """How far from zero ``x - zero_point`` can be."""
    low, high = builder.bounds.of(x.tensor)
    least, most = (0, 0) if zero is None else builder.bounds.of(zero.tensor)
    return max(abs(low - most), abs(high - least), 1)


def _optional(node: Node, place: int) -> Value | None:
    return node.input(place) if node.given(place) else None


def _rows(builder: Builder, numbers: Value | None) -> Value | None:
    """One number for each row of the left matrix."""
    if numbers is None or numbers.rank != 1 or numbers.tensor.size == 1:
        return numbers
    return reshape(builder, numbers, (numbers.shape[0], 1))


def _sum_of_products(builder: Builder, a: Value, a_zero: Value | None, b: Value, b_zero: Value | None) -> Value:
    """The product of matrices of integers, exact: as reals in parts whose sums float32 holds, added as int32."""
    a_zero = _rows(builder, a_zero)
    terms = max(_EXACT // (_largest(builder, a, a_zero) * _largest(builder, b, b_zero)), 1)
    left, right = centred(builder, a, a_zero), centred(builder, b, b_zero)
    inner = left.shape[-1]
    parts = [
        matmul(
            builder, _part(builder, left, -1, begin, terms), _part(builder, right, max(-2, -right.rank), begin, terms)
        )
        for begin in range(0, inner, terms)
    ]
    return _added(builder, parts)


def _part(builder: Builder, x: Value, axis: int, begin: int, count: int) -> Value:
    axis %= x.rank
    return sliced(builder, x, {axis: range(begin, min(begin + count, x.shape[axis]))})


def _added(builder: Builder, parts: list[Value]) -> Value:
    if len(parts) == 1:
        return parts[0]
    total = builder.as_dtype(parts[0], "int32")
    for part in parts[1:]:
        total = binary(builder, "ADD", [total, builder.as_dtype(part, "int32")])
    return total


def _matmul_integer(builder: Builder, node: Node) -> Value:
    made = _sum_of_products(builder, node.input(0), _optional(node, 2), node.input(1), _optional(node, 3))
    return builder.as_dtype(made, "int32")


def _quantized_matmul(builder: Builder, node: Node) -> Value:
    """``a, scale, zero, b, scale, zero, scale, zero``."""
    made = _sum_of_products(builder, node.input(0), node.input(2), node.input(3), node.input(5))
    scale = _folded(builder, "MUL", _rows(builder, node.input(1)) or node.input(1), node.input(4))
    return _rescaled(builder, made, scale, node.input(6), node.input(7))


def _rescaled(builder: Builder, total: Value, scale: Value, out: Value, zero: Value) -> Value:
    """A sum of products in its two scales as integers in a third."""
    factor = _folded(builder, "DIV", scale, out)
    real = binary(builder, "MUL", [builder.as_dtype(total, "float32"), factor])
    return quantized(builder, real, zero, zero.dtype)


def _folded(builder: Builder, kind: str, a: Value, b: Value) -> Value:
    if not (a.is_constant and b.is_constant):
        return binary(builder, kind, [a, b])
    return builder.fixed(np.asarray(a.data * b.data if kind == "MUL" else a.data / b.data, np.float32))


def _channels(builder: Builder, numbers: Value | None, rank: int, axis: int) -> Value | None:
    """One number for each channel, where it broadcasts."""
    if numbers is None or numbers.tensor.size == 1:
        return reshape(builder, numbers, ()) if numbers is not None else None
    return reshape(builder, numbers, [numbers.tensor.size if i == axis else 1 for i in range(rank)])


def _convolved(builder: Builder, node: Node, x: Value, x_zero: Value | None, w: Value, w_zero: Value | None) -> Value:
    """A convolution of integers: as reals, over as many channels at once as keep it exact."""
    w_zero = _channels(builder, w_zero, w.rank, 0)
    x_zero = _channels(builder, x_zero, x.rank, 1)
    taps = int(np.prod(w.shape[2:], dtype=np.int64))
    count = _EXACT // (_largest(builder, x, x_zero) * _largest(builder, w, w_zero) * taps)
    if count < 1 or (count < w.shape[1] and int(node.attribute("group", 1)) > 1):
        raise NoFormError(f"sums of {taps * w.shape[1]} products of integers in groups, which float32 does not hold")
    image, kernel = centred(builder, x, x_zero), centred(builder, w, w_zero)
    parts = []
    for begin in range(0, w.shape[1], count):
        inputs = (image, kernel)
        if count < w.shape[1]:
            inputs = (_part(builder, image, 1, begin, count), _part(builder, kernel, 1, begin, count))
        parts.append(CONVOLUTIONS["Conv"](builder, replace(node, op="Conv", inputs=inputs)))
    return _added(builder, parts)


def _convolution_of_integers(builder: Builder, node: Node) -> Value:
    made = _convolved(builder, node, node.input(0), _optional(node, 2), node.input(1), _optional(node, 3))
    return builder.as_dtype(made, "int32")


def _quantized_convolution(builder: Builder, node: Node) -> Value:
    """``x, scale, zero, w, scale, zero, scale, zero, bias``; the bias is in the scales of x and w."""
    x, w = node.input(0), node.input(3)
    made = _convolved(builder, node, x, node.input(2), w, node.input(5))
    if node.given(8):
        bias = _channels(builder, node.input(8), x.rank, 1)
        made = binary(builder, "ADD", [builder.as_dtype(made, "int32"), bias]) if bias is not None else made
    scale = _folded(builder, "MUL", node.input(1), node.input(4))
    spread = _channels(builder, scale, x.rank, 1)
    return _rescaled(builder, made, scale if spread is None else spread, node.input(6), node.input(7))


OPS: dict[str, Form] = {
    "ConvInteger": _convolution_of_integers,
    "DequantizeLinear": _dequantize,
    "MatMulInteger": _matmul_integer,
    "QLinearConv": _quantized_convolution,
    "QLinearMatMul": _quantized_matmul,
    "QuantizeLinear": _quantize,
}
