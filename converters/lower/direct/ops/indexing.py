"""Elements chosen by indices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.elementwise import binary, scalar, select
from edge_sdk.converters.lower.direct.ops.reduction import without_axes
from edge_sdk.converters.lower.direct.ops.shape import sliced
from edge_sdk.converters.lower.direct.value import Value, identity

Form = Callable[[Builder, Node], Value]


def _gather(builder: Builder, node: Node) -> Value:
    x, indices = node.input(0), node.input(1)
    axis = int(node.attribute("axis", 0)) % x.rank
    if indices.is_constant and (found := _as_slice(builder, x, axis, indices)) is not None:
        return found
    return gather(builder, x, indices, axis)


def _as_slice(builder: Builder, x: Value, axis: int, indices: Value) -> Value | None:
    """One index, or neighbours, are cut out; SLICE is what delegates take."""
    numbers = np.where(indices.data < 0, indices.data + x.shape[axis], indices.data)
    if indices.rank > 1 or numbers.size == 0:
        return None
    first = int(numbers.reshape(-1)[0])
    if not np.array_equal(numbers.reshape(-1), np.arange(first, first + numbers.size)):
        return None
    part = sliced(builder, x, {axis: range(first, first + numbers.size)})
    return without_axes(builder, part, [axis]) if indices.rank == 0 else part


def gather(builder: Builder, x: Value, indices: Value, axis: int) -> Value:
    """GATHER along an axis of the source; the indices' axes stand in its place."""
    place = x.place(axis)
    index = as_index(builder, indices, x.shape[axis])
    shape = (*x.tensor.shape[:place], *index.shape, *x.tensor.shape[place + 1 :])
    made = builder.emit("GATHER", [x.tensor, index], shape, x.dtype, axis=place, batch_dims=0)
    return Value(made, _gathered_order(x, axis, indices.rank))


def _gathered_order(x: Value, axis: int, rank: int) -> tuple[int, ...]:
    order: list[int] = []
    for other in x.order:
        if other == axis:
            order += range(axis, axis + rank)
        else:
            order.append(other if other < axis else other + rank - 1)
    return tuple(order)


def as_index(builder: Builder, indices: Value, extent: int) -> Tensor:
    """Indices as TFLite wants them: int32, none below zero."""
    if indices.is_constant:
        numbers = indices.data
        return builder.constant(np.where(numbers < 0, numbers + extent, numbers).astype(np.int32))
    narrow = builder.as_dtype(indices, "int32")
    narrow = Value(builder.arranged(narrow), identity(narrow.rank))
    below = binary(builder, "LESS", [narrow, scalar(builder, 0, narrow)], "bool")
    lifted = binary(builder, "ADD", [narrow, scalar(builder, extent, narrow)])
    return select(builder, below, lifted, narrow).tensor


OPS: dict[str, Form] = {"Gather": _gather}
