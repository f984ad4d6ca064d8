"""The largest and smallest, where they are, and marks at places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.lengths import Size, least, most_of
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, select, unary
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import with_axis, without_axes
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced
from edge_sdk.converters.lower.direct.ops.moving.sizes import padded_along
from edge_sdk.converters.lower.direct.value import Order, Value, identity, plain

Form = Callable[[Builder, Node], "Value | list[Value]"]


def _top_k(builder: Builder, node: Node) -> list[Value]:
    """TOPK_V2 takes the largest along the last axis; the smallest are the largest of the negated."""
    x = node.input(0)
    axis = int(node.attribute("axis", -1)) % x.rank
    size = _how_many(builder, node, x.shape[axis])
    order: Order = (*(other for other in x.order if other != axis), axis)
    laid = Value(builder.arranged(x, order), order)
    largest = bool(node.attribute("largest", 1))
    source = laid if largest else _turned_over(builder, laid)
    if padded_along(builder, source, axis):
        source = Value(builder.filled(source.tensor, lowest(x.dtype)), order)
    shape = (*laid.tensor.shape[:-1], most_of(size))
    numbers = builder.constant(most_of(size), "int32")
    values, places = builder.emit_many("TOPK_V2", [source.tensor, numbers], [(shape, x.dtype), (shape, "int32")])
    for tensor in (values, places):
        builder.padding.declare(tensor, len(shape) - 1, size)
    found = Value(values, order)
    found = found if largest else _turned_over(builder, found)
    return [found, Value(builder.cast(places, "int64"), order)]


def _how_many(builder: Builder, node: Node, extent: int) -> Size:
    cells = builder.cells(node.input(1)) if node.given(1) and not node.input(1).is_constant else None
    if cells is None:
        return int((node.ints("k", 1) or [1])[0])
    return least(cells.reshape(-1)[0], extent)


def highest(dtype: str) -> float:
    """What no number is above."""
    return float("inf") if dtype.startswith("float") else int(np.iinfo(dtype).max)


def lowest(dtype: str) -> float:
    """What no number is below."""
    return float("-inf") if dtype.startswith("float") else int(np.iinfo(dtype).min)


def _turned_over(builder: Builder, x: Value) -> Value:
    """The other way round in order, exactly: ``-x``, and for integers ``-1 - x``, which has no overflow."""
    if x.dtype.startswith("float"):
        return unary(builder, x, "NEG")
    if x.dtype.startswith("uint"):
        return binary(builder, "SUB", [scalar(builder, np.iinfo(x.dtype).max, x), x])
    return binary(builder, "SUB", [scalar(builder, -1, x), x])


def _arg(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        x = node.input()
        axis = int(node.attribute("axis", 0)) % x.rank
        last = bool(node.attribute("select_last_index", 0))
        source = _reversed(builder, x, axis) if last else x
        found = extreme(builder, kind, source, axis)
        if last:
            found = binary(builder, "SUB", [scalar(builder, x.shape[axis] - 1, found), found])
        found = builder.as_dtype(found, "int64")
        return with_axis(builder, found, axis) if node.attribute("keepdims", 1) else found

    return form


def _reversed(builder: Builder, x: Value, axis: int) -> Value:
    places = builder.constant([x.place(axis)], "int32")
    return Value(builder.emit("REVERSE_V2", [x.tensor, places], x.tensor.shape), x.order, x.spatial)


def extreme(builder: Builder, kind: str, x: Value, axis: int) -> Value:
    """ARG_MAX or ARG_MIN along an axis of the source, which is gone: the first of equal ones, int32."""
    place = x.place(axis)
    if padded_along(builder, x, axis):
        worst = lowest(x.dtype) if kind == "ARG_MAX" else highest(x.dtype)
        x = Value(builder.filled(x.tensor, worst), x.order)
    shape = [size for i, size in enumerate(x.tensor.shape) if i != place]
    made = builder.emit(kind, [x.tensor, builder.constant(place, "int32")], shape, "int32", output_type="int32")
    left = [other for other in x.order if other != axis]
    return Value(made, tuple(sorted(left).index(other) for other in left))


def _hard_max(builder: Builder, node: Node) -> Value:
    """1 at the first of the largest, else 0; old op sets take all axes from one on as a single one."""
    x = node.input()
    if node.opset >= 13:
        return _marked(builder, x, int(node.attribute("axis", -1)) % x.rank)
    axis = int(node.attribute("axis", 1)) % x.rank
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    flat = reshape(builder, x, (rows, int(np.prod(x.shape[axis:], dtype=np.int64))))
    return reshape(builder, _marked(builder, flat, 1), x.shape)


def _marked(builder: Builder, x: Value, axis: int) -> Value:
    source = Value(builder.arranged(x), identity(x.rank))
    places = extreme(builder, "ARG_MAX", source, axis).tensor
    on, off = (builder.constant(number, x.dtype) for number in (1, 0))
    return plain(_one_hot_tensor(builder, places, x.shape[axis], (on, off), axis))


def _one_hot(builder: Builder, node: Node) -> Value:
    """ONE_HOT; indices may count from the end, and those out of range mark nothing."""
    depth = int(np.ravel(node.constant(1, "the depth"))[0])
    indices = node.input(0)
    whole = indices if indices.dtype in ("int32", "int64") else builder.as_dtype(indices, "int32")
    if builder.bounds.of(whole.tensor)[0] < 0:
        below = binary(builder, "LESS", [whole, scalar(builder, 0, whole)], "bool")
        whole = select(builder, below, binary(builder, "ADD", [whole, scalar(builder, depth, whole)]), whole)
    rank = indices.rank + 1
    axis = int(node.attribute("axis", -1)) % rank
    off, on = (_one_of(builder, node.input(2), place) for place in (0, 1))
    return plain(_one_hot_tensor(builder, builder.arranged(whole), depth, (on, off), axis))


def _one_of(builder: Builder, pair: Value, place: int) -> Tensor:
    return without_axes(builder, sliced(builder, pair, {0: range(place, place + 1)}), [0]).tensor


def _one_hot_tensor(builder: Builder, places: Tensor, depth: int, marks: tuple[Tensor, Tensor], axis: int) -> Tensor:
    shape = (*places.shape[:axis], depth, *places.shape[axis:])
    inputs = [places, builder.constant(depth, "int32"), *marks]
    where = -1 if axis == len(places.shape) else axis
    return builder.emit("ONE_HOT", inputs, shape, marks[0].dtype, axis=where)


OPS: dict[str, Form] = {
    "ArgMax": _arg("ARG_MAX"),
    "ArgMin": _arg("ARG_MIN"),
    "Hardmax": _hard_max,
    "OneHot": _one_hot,
    "TopK": _top_k,
}
