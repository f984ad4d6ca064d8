"""Shapes, and tensors that are as large as one says; of padded rows the number is a length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.bodies import copied
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.lengths import Length, Size, most_of
from edge_sdk.converters.lower.direct.node import DataDependentError, Node
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import with_axis
from edge_sdk.converters.lower.direct.reading import as_computed
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]


def sizes_of(builder: Builder, node: Node, name: str, place: int) -> list[Size]:
    """Sizes that older op sets give as an attribute; those of padded rows are lengths."""
    cells = builder.cells(node.input(place)) if node.given(place) else None
    return list(cells.reshape(-1)) if cells is not None else list(node.ints(name, place) or [])


def _declared(builder: Builder, made: Value, sizes: Sequence[Size]) -> Value:
    """A value as long as sizes say."""
    for axis, size in enumerate(sizes):
        builder.padding.declare(made.tensor, made.place(axis), size)
    return made


def padded_along(builder: Builder, x: Value, axis: int) -> bool:
    """Whether only so many rows along an axis of the source count as the data says."""
    rows = builder.padding.of(x.tensor)
    return rows is not None and rows.axis == x.place(axis)


def _expand(builder: Builder, node: Node) -> Value:
    x = node.input()
    sizes = sizes_of(builder, node, "shape", 1)
    made = expanded(builder, x, np.broadcast_shapes(x.shape, tuple(most_of(size) for size in sizes)))
    if not any(isinstance(size, Length) for size in sizes):
        return made
    if made is x and builder.padding.of(x.tensor) is None:
        made = Value(copied(builder, x.tensor), x.order, x.spatial)
    return _declared(builder, made, [1] * (made.rank - len(sizes)) + sizes)


def expanded(builder: Builder, x: Value, shape: Sequence[int]) -> Value:
    """The value broadcast to a shape."""
    for _ in range(len(shape) - x.rank):
        x = with_axis(builder, x, 0)
    target = tuple(shape[axis] for axis in x.order)
    if target == x.tensor.shape:
        return x
    made = builder.emit("BROADCAST_TO", [x.tensor, builder.constant(target, "int32")], target)
    return Value(made, x.order, x.spatial)


def _constant_of_shape(builder: Builder, node: Node) -> Value:
    """One beyond the limit of what is folded, or as long as data says."""
    number = np.ravel(node.attribute("value", np.zeros(1, np.float32)))[0]
    sizes = sizes_of(builder, node, "extents", 0)
    made = expanded(builder, builder.fixed(as_computed(number)), [most_of(size) for size in sizes])
    if any(isinstance(size, Length) for size in sizes) and made.is_constant:
        made = Value(copied(builder, made.tensor), made.order)
    return _declared(builder, made, sizes)


def _tile(builder: Builder, node: Node) -> Value:
    x = node.input()
    repeats = [int(v) for v in np.ravel(node.constant(1, "the repeats"))]
    counts = [repeats[axis] for axis in x.order]
    if all(count == 1 for count in counts):
        return x
    shape = [size * count for size, count in zip(x.tensor.shape, counts, strict=True)]
    return Value(builder.emit("TILE", [x.tensor, builder.constant(counts, "int32")], shape), x.order, x.spatial)


def _shape(builder: Builder, node: Node) -> Value:
    shape = _cells_of_shape(builder, node.input())
    begin, end = node.attribute("start", 0), node.attribute("end", len(shape))
    return builder.sized(shape[begin:end])


def _cells_of_shape(builder: Builder, x: Value) -> npt.NDArray[Any]:
    """A shape: numbers, and the length of padded rows."""
    cells = np.empty(x.rank, object)
    rows = builder.padding.of(x.tensor)
    for axis, extent in enumerate(x.shape):
        cells[axis] = rows.count if rows is not None and rows.axis == x.place(axis) else extent
    return cells


def _size(builder: Builder, node: Node) -> Value:
    made = np.empty((), object)
    made[()] = 1
    for cell in _cells_of_shape(builder, node.input()):
        made[()] = made[()] * cell
    return builder.sized(made)


def _range(builder: Builder, node: Node) -> Value:
    """The first numbers, as many as padded rows count."""
    cells = [builder.cells(node.input(place)) for place in range(3)]
    found = [cell.reshape(-1)[0] if cell is not None else None for cell in cells]
    start, limit, delta = found
    if start != 0 or delta != 1 or not isinstance(limit, Length):
        raise DataDependentError(_RANGE)
    numbers = builder.constant(np.arange(limit.most), node.input(1).dtype)
    made = copied(builder, numbers)
    builder.bounds.declare(made, (0, max(limit.most - 1, 0)))
    return Value(builder.padding.declare(made, 0, limit), (0,))


_RANGE = "how long it is depends on data, and a tensor of TFLite has a known shape; make a longer one and mask it"

OPS: dict[str, Form] = {
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
    "Tile": _tile,
}
