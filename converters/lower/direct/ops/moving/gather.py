"""Elements chosen by indices, which may count from the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import DataDependentError, Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, select
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import reduced, without_axes
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced
from edge_sdk.converters.lower.direct.ops.moving.sizes import padded_along
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]


def _gather(builder: Builder, node: Node) -> Value:
    x, indices = node.input(0), node.input(1)
    axis = int(node.attribute("axis", 0)) % x.rank
    rows = padded_along(builder, x, axis)
    if indices.is_constant and not rows and (found := _as_slice(builder, x, axis, indices)) is not None:
        return found
    if (
        x.rank == 1
        and indices.is_constant
        and not rows
        and np.array_equal(indices.data.reshape(-1), np.arange(x.shape[0]))
    ):
        # All elements in order: PyTorch's as_strided of what is dense.
        return reshape(builder, x, indices.shape)
    return gather(builder, x, indices, axis, never_below=never_below(node))


# PyTorch refuses indices below zero here, though ONNX would count them from the end.
_FROM_ZERO = ("aten.embedding", "aten.gather", "aten.index_add", "aten.index_select", "aten.scatter")


def never_below(node: Node) -> bool:
    """Whether the source's own op takes no index below zero."""
    return node.traced.startswith(_FROM_ZERO)


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


def gather(builder: Builder, x: Value, indices: Value, axis: int, *, never_below: bool = False) -> Value:
    """GATHER along an axis of the source; the indices' axes stand in its place."""
    place = x.place(axis)
    if padded_along(builder, x, axis):
        never_below = refuse_below(builder, indices, never_below=never_below)
    index = counted_from_zero(builder, indices, x.shape[axis], never_below=never_below)
    shape = (*x.tensor.shape[:place], *index.tensor.shape, *x.tensor.shape[place + 1 :])
    made = builder.emit("GATHER", [x.tensor, index.tensor], shape, x.dtype, axis=place, batch_dims=0)
    return Value(made, _gathered_order(x, axis, index))


def refuse_below(builder: Builder, indices: Value, *, never_below: bool) -> bool:
    """True: of rows whose number depends on data, none is counted from the last.

    Raises:
        DataDependentError: one may be.
    """
    if never_below or builder.bounds.of(indices.tensor)[0] >= 0:
        return True
    raise DataDependentError(
        "it may count from the end of rows whose number depends on data; count them from the first, or choose outside "
        "the model"
    )


def _gathered_order(x: Value, axis: int, index: Value) -> tuple[int, ...]:
    order: list[int] = []
    for other in x.order:
        if other == axis:
            order += [axis + own for own in index.order]
        else:
            order.append(other if other < axis else other + index.rank - 1)
    return tuple(order)


def counted_from_zero(
    builder: Builder, indices: Value, extent: int | Sequence[int], *, never_below: bool = False
) -> Value:
    """Indices as TFLite wants them: int32, none below zero.

    Args:
        builder: what makes ops.
        indices: integers; those that are known not to be below zero need no op.
        extent: of the axis that they count, or of several along their last axis.
        never_below: the source takes none below zero.
    """
    if indices.is_constant:
        numbers = indices.data
        return builder.fixed(np.where(numbers < 0, numbers + np.asarray(extent), numbers).astype(np.int32))
    narrow = Value(builder.narrowed(indices.tensor), indices.order)
    if never_below or builder.bounds.of(indices.tensor)[0] >= 0:
        return narrow
    below = binary(builder, "LESS", [narrow, scalar(builder, 0, narrow)], "bool")
    lifted = binary(builder, "ADD", [narrow, builder.fixed(np.asarray(extent, np.int32))])
    return select(builder, below, lifted, narrow)


def _gather_elements(builder: Builder, node: Node) -> Value:
    """GATHER of the whole tensor as one axis."""
    x, indices = node.input(0), node.input(1)
    axis = int(node.attribute("axis", 0)) % x.rank
    if padded_along(builder, x, axis):
        refuse_below(builder, indices, never_below=never_below(node))
    flat = builder.reshaped(builder.arranged(x), (x.tensor.size,))
    places = places_of_elements(builder, x.shape, indices, axis, never_below=never_below(node))
    return plain(builder.emit("GATHER", [flat, places], places.shape, x.dtype, axis=0, batch_dims=0))


def places_of_elements(
    builder: Builder, shape: Sequence[int], indices: Value, axis: int, *, never_below: bool = False
) -> Tensor:
    """Where in the flat tensor of a shape each index points, when it counts along one axis and stands in the others."""
    strides = strides_of(shape)
    along = counted_from_zero(builder, indices, shape[axis], never_below=never_below)
    extents = [1 if i == axis else size for i, size in enumerate(indices.shape)]
    grid = np.indices(extents).reshape(len(extents), -1)
    others = (grid * np.array(strides)[:, None]).sum(0).reshape(extents).astype(np.int32)
    if along.is_constant:
        return builder.constant((along.data * strides[axis] + others).astype(np.int32))
    steps = binary(builder, "MUL", [along, scalar(builder, strides[axis], along)]) if strides[axis] != 1 else along
    return builder.arranged(binary(builder, "ADD", [steps, builder.fixed(others)]) if others.any() else steps)


def strides_of(shape: Sequence[int]) -> list[int]:
    """Elements between neighbours along each axis."""
    return [int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape))]


def _gather_nd(builder: Builder, node: Node) -> Value:
    """GATHER of rows: the axes that the indices count, as one."""
    x, indices = node.input(0), node.input(1)
    batch = int(node.attribute("batch_dims", 0))
    depth = indices.shape[-1]
    if any(padded_along(builder, x, axis) for axis in range(batch, batch + depth)):
        refuse_below(builder, indices, never_below=never_below(node))
    places = places_of_rows(builder, x.shape, indices, batch)
    counted, row = x.shape[: batch + depth], x.shape[batch + depth :]
    rows = builder.reshaped(builder.arranged(x), (int(np.prod(counted, dtype=np.int64)), *row))
    return plain(builder.emit("GATHER", [rows, places], (*places.shape, *row), x.dtype, axis=0, batch_dims=0))


def places_of_rows(builder: Builder, shape: Sequence[int], indices: Value, batch: int = 0) -> Tensor:
    """Which row each tuple of indices names, when the first axes of a shape, ``batch`` of them shared, are one."""
    depth = indices.shape[-1]
    extents = shape[batch : batch + depth]
    strides = np.array(strides_of(extents), np.int32)
    along = counted_from_zero(builder, indices, extents)
    size = int(np.prod(extents, dtype=np.int64))
    starts = np.arange(int(np.prod(shape[:batch], dtype=np.int64)), dtype=np.int32) * size
    begins = starts.reshape(*shape[:batch], *[1] * (indices.rank - 1 - batch))
    if along.is_constant:
        return builder.constant(((along.data * strides).sum(-1) + begins).astype(np.int32))
    steps = binary(builder, "MUL", [along, builder.fixed(strides)]) if depth > 1 else along
    rows = reduced(builder, steps, "SUM", [-1], keep=False) if depth > 1 else without_axes(builder, steps, [-1])
    return builder.arranged(binary(builder, "ADD", [rows, builder.fixed(begins)]) if begins.any() else rows)


OPS: dict[str, Form] = {"Gather": _gather, "GatherElements": _gather_elements, "GatherND": _gather_nd}
