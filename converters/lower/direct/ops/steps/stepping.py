"""Steps along an axis: elements taken out, results put together, rows written in a loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import with_axis, without_axes
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced
from edge_sdk.converters.lower.direct.value import Value, identity, plain

STEPS = 32
"""A loop of more steps stays a loop, unless its ops must be visible to a quantizer."""


def element(builder: Builder, value: Value, axis: int, i: int) -> Value:
    """The element at a place of an axis, without the axis."""
    return without_axes(builder, sliced(builder, value, {axis: range(i, i + 1)}), [axis])


def unpacked(builder: Builder, value: Value, axis: int) -> list[Value]:
    """All elements of an axis: UNPACK."""
    place, count = value.place(axis), value.shape[axis]
    if count == 1:
        return [element(builder, value, axis, 0)]
    shape = tuple(size for i, size in enumerate(value.tensor.shape) if i != place)
    made = builder.emit_many("UNPACK", [value.tensor], [(shape, value.dtype)] * count, num=count, axis=place)
    order = tuple(other - (other > axis) for other in value.order if other != axis)
    return [Value(tensor, order) for tensor in made]


def packed(builder: Builder, values: Sequence[Value], axis: int) -> Value:
    """Values side by side along a new axis: PACK."""
    if len(values) == 1:
        return with_axis(builder, values[0], axis)
    tensors = [builder.arranged(value) for value in values]
    shape = (*tensors[0].shape[:axis], len(tensors), *tensors[0].shape[axis:])
    made = builder.emit("PACK", tensors, shape, values_count=len(tensors), axis=axis)
    return Value(made, identity(len(shape)))


def buffers(builder: Builder, rows: Sequence[Value], count: int) -> list[Value]:
    """Room for as many rows like each of these."""
    return [plain(builder.constant(np.zeros((count, *row.shape), row.dtype))) for row in rows]


def placed(builder: Builder, buffer: Tensor, row: Value, place: Tensor) -> Tensor:
    """The buffer with a row written at a place, an int32 scalar: DYNAMIC_UPDATE_SLICE."""
    update = builder.reshaped(builder.arranged(row), (1, *row.shape))
    first = builder.reshaped(place, (1,))
    rest = builder.constant(np.zeros(row.rank, np.int32))
    start = builder.emit("CONCATENATION", [first, rest], (row.rank + 1,), axis=0) if row.rank else first
    return builder.emit("DYNAMIC_UPDATE_SLICE", [buffer, update, start], buffer.shape)
