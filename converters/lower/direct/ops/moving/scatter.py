"""Elements put where indices say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import DataDependentError, Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar
from edge_sdk.converters.lower.direct.ops.moving.gather import never_below, places_of_elements, places_of_rows
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]
_SEGMENTS = {"max": "UNSORTED_SEGMENT_MAX", "min": "UNSORTED_SEGMENT_MIN", "mul": "UNSORTED_SEGMENT_PROD"}


def scattered(builder: Builder, rows: Tensor, places: Tensor, updates: Tensor, reduction: str) -> Tensor:
    """Rows with updates put, added, multiplied, or kept if larger or smaller; of two for one place the last is put.

    Args:
        builder: what makes ops.
        rows: ``[N, ...]``.
        places: int32 ``[M]``, each at least 0 and below N.
        updates: ``[M, ...]``.
        reduction: ONNX's name of it: ``none``, ``add``, ``mul``, ``max`` or ``min``.
    """
    if not updates.size:
        return rows
    if builder.padding.of(places) is not None or builder.padding.of(rows) is not None:
        return _scattered_padded(builder, rows, places, updates, reduction)
    if reduction == "add":
        index = builder.reshaped(places, (*places.shape, 1))
        shape = builder.constant(rows.shape, "int32")
        added = builder.emit("SCATTER_ND", [index, updates, shape], rows.shape, updates.dtype)
        return builder.emit("ADD", [rows, added], rows.shape)
    both = _joined(builder, rows, updates)
    if reduction == "none":
        return builder.emit("GATHER", [both, _last(builder, rows.shape[0], places)], rows.shape, axis=0, batch_dims=0)
    own = builder.constant(np.arange(rows.shape[0], dtype=np.int32))
    count = builder.constant(rows.shape[0], "int32")
    return builder.emit(_SEGMENTS[reduction], [both, _joined(builder, own, places), count], rows.shape)


def _scattered_padded(builder: Builder, rows: Tensor, places: Tensor, updates: Tensor, reduction: str) -> Tensor:
    """Updates that are padding go to one row behind all others, which is cut off again."""
    own, count = builder.padding.of(rows), rows.shape[0]
    if own is not None and own.axis != 0:
        raise DataDependentError("it puts elements along another axis than that whose extent depends on data")
    where = builder.filled(places, count)
    with builder.padding.ignored():
        spare = builder.constant(np.zeros((1, *rows.shape[1:])), rows.dtype)
        longer = builder.emit("CONCATENATION", [rows, spare], (count + 1, *rows.shape[1:]), axis=0)
        free = builder.emit("RESHAPE", [updates, builder.constant(updates.shape, "int32")], updates.shape)
        made = scattered(builder, longer, where, free, reduction)
        begin = builder.constant([0] * len(rows.shape), "int32")
        made = builder.emit("SLICE", [made, begin, builder.constant(rows.shape, "int32")], rows.shape)
    return builder.padding.declare(made, 0, own.count) if own is not None else made


def _joined(builder: Builder, first: Tensor, second: Tensor) -> Tensor:
    if first.data is not None and second.data is not None:
        return builder.constant(np.concatenate([first.data, second.data]))
    shape = (first.shape[0] + second.shape[0], *first.shape[1:])
    return builder.emit("CONCATENATION", [first, second], shape, axis=0)


def _last(builder: Builder, count: int, places: Tensor) -> Tensor:
    """For each row, itself or the last update that is for it: its number among rows and updates."""
    if places.data is not None:
        winners = np.arange(count, dtype=np.int32)
        # Of two writes to one place numpy keeps the last.
        winners[places.data] = np.arange(count, count + places.size, dtype=np.int32)
        return builder.constant(winners)
    numbers = builder.constant(np.arange(count + places.size, dtype=np.int32))
    owners = _joined(builder, builder.constant(np.arange(count, dtype=np.int32)), places)
    return builder.emit("UNSORTED_SEGMENT_MAX", [numbers, owners, builder.constant(count, "int32")], (count,))


def _scatter_elements(builder: Builder, node: Node) -> Value:
    """Every element is a row."""
    data, indices, updates = node.input(0), node.input(1), node.input(2)
    axis = int(node.attribute("axis", 0)) % data.rank
    places = places_of_elements(builder, data.shape, indices, axis, never_below=never_below(node))
    rows = builder.reshaped(builder.arranged(data), (data.tensor.size,))
    flat = builder.reshaped(builder.arranged(updates), (updates.tensor.size,))
    where = builder.reshaped(places, (places.size,))
    made = scattered(builder, rows, where, flat, node.attribute("reduction", "none"))
    return plain(builder.reshaped(made, data.shape))


def _scatter_nd(builder: Builder, node: Node) -> Value:
    data, indices, updates = node.input(0), node.input(1), node.input(2)
    depth = indices.shape[-1]
    places = places_of_rows(builder, data.shape, indices)
    row = data.shape[depth:]
    rows = builder.reshaped(builder.arranged(data), (int(np.prod(data.shape[:depth], dtype=np.int64)), *row))
    flat = builder.reshaped(builder.arranged(updates), (places.size, *row))
    where = builder.reshaped(places, (places.size,))
    made = scattered(builder, rows, where, flat, node.attribute("reduction", "none"))
    return plain(builder.reshaped(made, data.shape))


def _tensor_scatter(builder: Builder, node: Node) -> Value:
    """Neighbours along an axis are put from an index on, one for each batch: how a cache takes in what is new."""
    cache, update = node.input(0), node.input(1)
    axis = int(node.attribute("axis", -2)) % cache.rank
    shape, length, extent = cache.shape, update.shape[axis], cache.shape[axis]
    outer = int(np.prod(shape[1:axis], dtype=np.int64))
    row = shape[axis + 1 :]
    starts = np.arange(shape[0] * outer, dtype=np.int32).reshape(shape[0], outer, 1) * extent
    offsets = builder.fixed(np.arange(length, dtype=np.int32))
    if node.given(2):
        begins = Value(builder.reshaped(builder.narrowed(builder.arranged(node.input(2))), (shape[0], 1, 1)), (0, 1, 2))
        offsets = binary(builder, "ADD", [begins, offsets])
    if node.attribute("mode", "linear") == "circular":
        offsets = binary(builder, "FLOOR_MOD", [offsets, scalar(builder, extent, offsets)])
    places = builder.arranged(binary(builder, "ADD", [offsets, builder.fixed(starts)]))
    rows = builder.reshaped(builder.arranged(cache), (shape[0] * outer * extent, *row))
    flat = builder.reshaped(builder.arranged(update), (shape[0] * outer * length, *row))
    made = scattered(builder, rows, builder.reshaped(places, (places.size,)), flat, "none")
    return plain(builder.reshaped(made, shape))


OPS: dict[str, Form] = {
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "TensorScatter": _tensor_scatter,
}
