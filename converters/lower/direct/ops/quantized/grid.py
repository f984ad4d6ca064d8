"""Values on the grid of a quantizer: what ``quantizers.py`` leaves in a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Quantization
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import unary
from edge_sdk.converters.lower.direct.ops.quantized.quantization import rounded
from edge_sdk.converters.lower.direct.quantizers import GRID, WEIGHTS
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]
Numbers = npt.NDArray[Any]
# Unsigned grids are the signed ones with another zero point.
_SIGNED = {"int8": ("int8", 0), "uint8": ("int8", 128), "int16": ("int16", 0), "uint16": ("int16", 32768)}


def _grid(builder: Builder, node: Node) -> Value:
    """An op ``GRID`` that ``passes/engines/integers.py`` takes out again.

    TFLite has one scale for a tensor that is computed: where each channel has its own (NNCF, before depthwise
    convolutions), the rounding is arithmetic of reals.
    """
    x = node.input()
    scale = np.ravel(node.constant(1, "the scales"))
    zero = np.ravel(node.constant(2, "the zero points")) if node.given(2) else np.zeros(1, np.uint8)
    if x.is_constant:
        return _rounded(builder, x, scale, zero, int(node.attribute("axis", 1)))
    if scale.size != 1:
        return rounded(builder, node)
    if zero.dtype.name not in _SIGNED:
        raise NoFormError(f"activations quantized to {zero.dtype.name}")
    dtype, shift = _SIGNED[zero.dtype.name]
    grid = Quantization((float(scale[0]),), (int(zero[0]) - shift,), 0)
    if dtype == "int16" and grid.zero_point[0]:
        grid, begins_at_zero = recentred(grid)
        # A quantizer whose range begins at zero stands for the ReLU before it as well.
        x = unary(builder, x, "RELU") if begins_at_zero else x
    made = builder.emit("GRID", [x.tensor], x.tensor.shape, grid=grid, grid_dtype=dtype)
    return Value(made, x.order, x.spatial)


def recentred(grid: Quantization) -> tuple[Quantization, bool]:
    """A 16-bit grid around zero that reaches as far as one around another number, and whether that one began at zero.

    TFLite's int16 tensors have no zero point. Steps are up to twice as large.
    """
    limits = np.iinfo(np.int16)
    below, above = limits.min - grid.zero_point[0], limits.max - grid.zero_point[0]
    scale = grid.scale[0] * max(-below, above) / limits.max
    return Quantization((float(np.float32(scale)),), (0,), 0), below == 0


def _rounded(builder: Builder, x: Value, scale: Numbers, zero: Numbers, axis: int) -> Value:
    """A constant rounded to the grid of its own quantizer."""
    factors, zeros = _spread(scale, x.rank, axis), _spread(zero, x.rank, axis)
    limits = np.iinfo(zero.dtype)
    integers = np.clip(np.rint(x.data / factors) + zeros, limits.min, limits.max)
    return _on_grid(builder, integers - zeros, scale, axis % max(x.rank, 1))


def _weights(builder: Builder, node: Node) -> Value:
    """Constants as float numbers, with the grid that they lie on beside them."""
    integers, scale = node.constant(0, "the weights"), np.asarray(node.constant(1, "the scales"), np.float32)
    zero = node.constant(2, "the zero points") if node.given(2) else np.zeros(1, integers.dtype)
    axis = int(node.attribute("axis", 1)) % max(integers.ndim, 1)
    if scale.ndim > 1:
        block = int(node.attribute("block_size", 0)) or -(-integers.shape[axis] // scale.shape[axis])
        return _in_blocks(builder, integers, (scale, zero), axis, block)
    return _on_grid(
        builder, integers.astype(np.int32) - _spread(zero, integers.ndim, axis).astype(np.int32), scale, axis
    )


def _in_blocks(builder: Builder, integers: Numbers, grid: tuple[Numbers, Numbers], axis: int, block: int) -> Value:
    """The real numbers alone: TFLite's weights have no scale for each block of an axis outside of int4 dense layers."""
    taken = range(integers.shape[axis])
    spread = [np.repeat(one, block, axis).take(taken, axis) if one.ndim > 1 else one for one in grid]
    real = (integers.astype(np.int32) - spread[1].astype(np.int32)).astype(np.float32) * spread[0]
    return plain(builder.constant(np.asarray(real, np.float32)))


def _on_grid(builder: Builder, integers: Numbers, scale: Numbers, axis: int) -> Value:
    scale = np.asarray(scale, np.float32)
    real = integers.astype(np.float32) * _spread(scale, integers.ndim, axis)
    # XNNPACK takes no weights of one scale that name another axis than the first.
    grid = Quantization(tuple(float(s) for s in scale.reshape(-1)), (0,) * scale.size, axis if scale.size > 1 else 0)
    return plain(builder.constant(np.asarray(real, np.float32), quantization=grid))


def _spread(numbers: Numbers, rank: int, axis: int) -> Numbers:
    """One number, or one for each index of an axis, as it broadcasts."""
    shape = [1] * rank
    if numbers.size > 1:
        shape[axis] = -1
    return np.reshape(numbers, shape)


OPS: dict[str, Form] = {GRID: _grid, WEIGHTS: _weights}
