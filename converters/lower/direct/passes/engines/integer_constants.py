"""Numbers without a grid of their own in a source that is quantized already: of sums, products, borders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_sdk.artifact.model import Quantization
from edge_sdk.converters.lower.direct.graph import Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import is_fused, scalar

_TAKES_NUMBERS = frozenset({"ADD", "MUL", "SUB"})


def as_product(op: Op) -> Op:
    """A division by a number as the product that an integer kernel has; the same real to a unit in the last place."""
    number = scalar(op.inputs[1]) if op.kind == "DIV" else None
    divisor = op.inputs[1] if number else None
    if divisor is None or divisor.data is None or divisor.quantization is not None:
        return op
    inverse = replace(divisor, data=np.asarray(1 / np.float64(divisor.data), np.float32))
    return replace(op, kind="MUL").reading(op.inputs[0], inverse)


def factor_of(op: Op) -> float | None:
    """What an op multiplies all of its operand by, where it does nothing else and the number is above zero."""
    product = as_product(op)
    if product.kind != "MUL" or is_fused(op):
        return None
    numbers = [number for t in product.inputs if t is not None and (number := scalar(t)) and t.quantization is None]
    return numbers[0] if len(numbers) == 1 and numbers[0] > 0 and np.isfinite(numbers[0]) else None


def numbers_grid(op: Op, tensor: Tensor, dtype: str) -> Tensor | None:
    """A number of a sum or product as the largest integer of a grid made for it: exact, and its zero is 0."""
    number = scalar(tensor)
    if op.kind not in _TAKES_NUMBERS or tensor.quantization is not None or number is None or not np.isfinite(number):
        return None
    most = int(np.iinfo(dtype).max)
    scale = abs(number) / most if number else 1.0
    data = np.full(tensor.shape, int(np.sign(number)) * most, dtype)
    return replace(tensor, data=data, dtype=dtype, quantization=Quantization((float(np.float32(scale)),), (0,), 0))


def border(op: Op, source: Tensor, readers: list[Op]) -> Tensor | None:
    """What a PADV2 puts around integers; None where their grid does not have the number.

    A number below the grid is its lowest: the largest of a window is the same.
    """
    value, grid = op.inputs[2], source.quantization
    number = scalar(value)
    if value is None or number is None or grid is None:
        return None
    limits = np.iinfo(source.dtype)
    steps = number / grid.scale[0] + grid.zero_point[0]
    below = steps < limits.min and all(reader.kind == "MAX_POOL_2D" for reader in readers)
    if not below and not (limits.min <= steps <= limits.max and np.rint(steps) == steps):
        return None
    data = np.full(value.shape, max(steps, limits.min), source.dtype)
    return replace(value, data=data, dtype=source.dtype, quantization=grid)


def clamps(op: Op, source: Tensor, readers: list[Op]) -> bool:
    """Whether a clamp is one of integers: its bounds are on the grid, or lie beyond it.

    Before a mean the upper one may lie between two steps: it is off by half a step, and so is the mean at most.
    """
    grid = source.quantization
    if op.kind not in _UPPER or grid is None:
        return False
    steps = _UPPER[op.kind] / grid.scale[0] + grid.zero_point[0]
    beyond = steps >= np.iinfo(source.dtype).max
    averaged = bool(readers) and all(reader.kind in _AVERAGES for reader in readers)
    return bool(beyond or abs(steps - np.rint(steps)) < _ON_GRID or averaged)


# ReLU has no upper bound.
_UPPER = {"RELU": np.inf, "RELU6": 6.0}
_AVERAGES = frozenset({"AVERAGE_POOL_2D", "MEAN"})
# Of a step: what float32 leaves of a whole number up to 2**15.
_ON_GRID = 2**-8
