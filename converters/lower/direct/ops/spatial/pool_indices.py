"""Where the maxima of a pool were, and back to there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.windows import Window, image_tensor, image_value, pad
from edge_sdk.converters.lower.direct.value import Value, identity


def places_of_maxima(builder: Builder, x: Value, window: Window, *, by_columns: bool) -> Value:
    """Flat places of each window's maximum in the whole of ``x``, int64; the first of equal ones.

    Args:
        builder: what makes ops.
        x: ``[N, C, *space]``.
        window: of the pool.
        by_columns: count the first spatial axis fastest.
    """
    batch, channels, *space = x.shape
    count = int(np.prod(space))
    table = _elements(window, space)
    windows, size = table.shape
    flat = builder.reshaped(image_tensor(builder, x), (batch, count, channels))
    index = builder.constant(table.reshape(-1), "int32")
    rows = builder.emit("GATHER", [flat, index], (batch, windows * size, channels), axis=1, batch_dims=0)
    grouped = builder.reshaped(rows, (batch, windows, size, channels))
    axis = builder.constant(2, "int32")
    best = builder.emit("ARG_MAX", [grouped, axis], (batch, windows, channels), "int32", output_type="int32")
    places = _looked_up(builder, best, _numbered(table, space, by_columns=by_columns))
    first = np.arange(batch * channels).reshape(batch, 1, channels) * count
    whole = builder.emit("ADD", [places, builder.constant(first, "int32")], places.shape)
    wide = builder.cast(whole, "int64")
    return image_value(builder.reshaped(wide, (batch, *window.extents(space), channels)))


def _elements(window: Window, space: Sequence[int]) -> npt.NDArray[Any]:
    """``[windows, kernel]``: flat places of each window's elements; one outside is the window's first inside."""
    axes = []
    for i, size in enumerate(space):
        starts = np.arange(window.extents(space)[i]) * window.strides[i] - window.begins[i]
        axes.append((starts[:, None] + np.arange(window.kernel[i]) * window.dilations[i], size))
    rows = []
    for chosen in itertools.product(*(range(len(places)) for places, _ in axes)):
        grid = np.meshgrid(*(places[s] for s, (places, _) in zip(chosen, axes, strict=True)), indexing="ij")
        inside = np.all([(g >= 0) & (g < size) for g, (_, size) in zip(grid, axes, strict=True)], axis=0)
        kept = np.ravel_multi_index([np.clip(g, 0, size - 1) for g, (_, size) in zip(grid, axes, strict=True)], space)
        rows.append(np.where(inside, kept, kept[inside][0]).reshape(-1))
    return np.array(rows, np.int64).reshape(len(rows), int(np.prod(window.kernel)))


def _numbered(table: npt.NDArray[Any], space: Sequence[int], *, by_columns: bool) -> npt.NDArray[Any]:
    if not by_columns:
        return table
    return np.asarray(np.ravel_multi_index(np.unravel_index(table, space), space, order="F"))


def _looked_up(builder: Builder, best: Tensor, table: npt.NDArray[Any]) -> Tensor:
    """``table[window, best]`` for ``best`` ``[N, windows, C]``."""
    starts = builder.constant(np.arange(table.shape[0])[None, :, None] * table.shape[1], "int32")
    flat = builder.emit("ADD", [best, starts], best.shape)
    numbers = builder.constant(table.reshape(-1), "int32")
    return builder.emit("GATHER", [numbers, flat], best.shape, axis=0, batch_dims=0)


def max_unpool(builder: Builder, node: Node) -> Value:
    """Values scattered to where they came from; in a wider ``output_shape`` they lie in its first corner."""
    x, indices = node.input(0), node.input(1)
    shape = _unpooled(node, x.shape)
    wanted = [int(n) for n in node.constant(2, "the extents")] if node.given(2) else shape
    scattered = _scattered(builder, builder.arranged(x), builder.arranged(indices), shape, node)
    ends = [whole - size for whole, size in zip(wanted, shape, strict=True)]
    made = pad(builder, builder.reshaped(scattered, shape), [0] * len(ends), ends)
    return Value(made, identity(len(shape)))


def _unpooled(node: Node, shape: Sequence[int]) -> list[int]:
    kernel = node.attribute("kernel_shape")
    strides = node.attribute("strides", [1] * len(kernel))
    pads = node.attribute("pads", [0] * 2 * len(kernel))
    sums = [pads[i] + pads[i + len(kernel)] for i in range(len(kernel))]
    space = [(n - 1) * s - p + k for n, s, p, k in zip(shape[2:], strides, sums, kernel, strict=True)]
    return [*shape[:2], *space]


def _scattered(builder: Builder, x: Tensor, indices: Tensor, shape: Sequence[int], node: Node) -> Tensor:
    """SCATTER_ND adds what falls together; where windows overlap, equal values do, and are divided by their number."""
    total = (int(np.prod(shape)),)
    rows = builder.reshaped(builder.cast(indices, "int32"), (x.size, 1))
    extent = builder.constant(total, "int32")
    sums = builder.emit("SCATTER_ND", [rows, builder.reshaped(x, (x.size,)), extent], total, x.dtype)
    kernel = node.attribute("kernel_shape")
    if all(k <= s for k, s in zip(kernel, node.attribute("strides", [1] * len(kernel)), strict=True)):
        return sums
    ones = builder.constant(np.ones(x.size, x.dtype))
    counts = builder.emit("SCATTER_ND", [rows, ones, extent], total, x.dtype)
    safe = builder.emit("MAXIMUM", [counts, builder.constant(np.asarray(1, x.dtype))], total)
    return builder.emit("DIV", [sums, safe], total)
