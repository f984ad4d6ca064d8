"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, unary
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]


def reduced(builder: Builder, x: Value, kind: str, axes: Iterable[int], *, keep: bool) -> Value:
    """A reduction over axes of the source, in whatever order the tensor has them."""
    gone = {axis % x.rank for axis in axes}
    if not gone:
        return x
    places = sorted(x.place(axis) for axis in gone)
    rows = builder.padding.of(x.tensor)
    if rows is not None and rows.axis in places:
        if kind == "MEAN":
            return _mean_of_padded(builder, x, gone, keep=keep)
        x = Value(builder.filled(x.tensor, _neutral(kind, x.dtype)), x.order, x.spatial)
    kept = [1 if i in places else size for i, size in enumerate(x.tensor.shape) if keep or i not in places]
    made = builder.emit(kind, [x.tensor, builder.constant(places, "int32")], kept, keep_dims=keep)
    if keep:
        return Value(made, x.order, x.spatial)
    left = [axis for axis in x.order if axis not in gone]
    return Value(made, tuple(sorted(left).index(axis) for axis in left), x.spatial and len(left) > 2)


def _neutral(kind: str, dtype: str) -> float:
    """The number that changes no result."""
    if kind in ("REDUCE_MAX", "REDUCE_MIN"):
        sign = -1 if kind == "REDUCE_MAX" else 1
        whole = np.iinfo(dtype) if dtype != "float32" else None
        return sign * np.inf if whole is None else int(whole.min if sign < 0 else whole.max)
    return 1 if kind == "REDUCE_PROD" else 0


def _mean_of_padded(builder: Builder, x: Value, gone: set[int], *, keep: bool) -> Value:
    """The sum over how many count."""
    rows = builder.padding.of(x.tensor)
    others = [x.shape[axis] for axis in gone if rows is not None and x.place(axis) != rows.axis]
    total = reduced(builder, x, "SUM", gone, keep=keep)
    if rows is None:
        raise ValueError("a mean of rows that all count")
    number = builder.cast(builder.length(rows.count), x.dtype)
    made = binary(builder, "DIV", [total, plain(number)])
    return binary(builder, "DIV", [made, builder.fixed(np.array(np.prod(others), x.dtype))]) if others else made


def axes_of(node: Node, rank: int) -> list[int]:
    """The axes of a reduction: an attribute of old, an input now; all of them where none are named."""
    axes = node.ints("axes", 1)
    if not axes:
        return [] if node.attribute("noop_with_empty_axes", 0) else list(range(rank))
    return [axis % rank for axis in axes]


def _plain(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        x = node.input()
        return reduced(builder, x, kind, axes_of(node, x.rank), keep=bool(node.attribute("keepdims", 1)))

    return form


def _after(prepare: Callable[[Builder, Value], Value], finish: Callable[[Builder, Value], Value] | None = None) -> Form:
    """A sum of something, and something of the sum."""

    def form(builder: Builder, node: Node) -> Value:
        x = node.input()
        keep = bool(node.attribute("keepdims", 1))
        axes = axes_of(node, x.rank)
        total = reduced(builder, prepare(builder, x), "SUM", axes, keep=keep)
        return finish(builder, total) if finish else total

    return form


def _square(builder: Builder, x: Value) -> Value:
    return binary(builder, "MUL", [x, x]) if x.dtype != "float32" else unary(builder, x, "SQUARE")


def _log_sum_exp(builder: Builder, node: Node) -> Value:
    """With the maximum taken out first, so that nothing overflows."""
    x = node.input()
    axes, keep = axes_of(node, x.rank), bool(node.attribute("keepdims", 1))
    peak = reduced(builder, x, "REDUCE_MAX", axes, keep=True)
    total = reduced(builder, unary(builder, binary(builder, "SUB", [x, peak]), "EXP"), "SUM", axes, keep=True)
    made = binary(builder, "ADD", [unary(builder, total, "LOG"), peak])
    return made if keep else without_axes(builder, made, axes)


def without_axes(builder: Builder, x: Value, axes: Iterable[int]) -> Value:
    """The value without axes of extent 1."""
    gone = {axis % x.rank for axis in axes}
    left = [axis for axis in x.order if axis not in gone]
    shape = [size for axis, size in zip(x.order, x.tensor.shape, strict=True) if axis not in gone]
    order = tuple(sorted(left).index(axis) for axis in left)
    return Value(builder.reshaped(x.tensor, shape), order, x.spatial and len(left) > 2)


def with_axis(builder: Builder, x: Value, axis: int) -> Value:
    """The value with one more axis of extent 1, in the same order but for it."""
    shifted = [other + (other >= axis) for other in x.order]
    place = next((i for i, other in enumerate(shifted) if other > axis), len(shifted))
    order = (*shifted[:place], axis, *shifted[place:])
    shape = (*x.tensor.shape[:place], 1, *x.tensor.shape[place:])
    return Value(builder.reshaped(x.tensor, shape), order, x.spatial)


def _abs(builder: Builder, x: Value) -> Value:
    return unary(builder, x, "ABS")


def _root(builder: Builder, x: Value) -> Value:
    return unary(builder, x, "SQRT")


def _log(builder: Builder, x: Value) -> Value:
    return unary(builder, x, "LOG")


def _same(builder: Builder, x: Value) -> Value:
    return x


OPS: dict[str, Form] = {
    "ReduceL1": _after(_abs),
    "ReduceL2": _after(_square, _root),
    "ReduceLogSum": _after(_same, _log),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _plain("REDUCE_MAX"),
    "ReduceMean": _plain("MEAN"),
    "ReduceMin": _plain("REDUCE_MIN"),
    "ReduceProd": _plain("REDUCE_PROD"),
    "ReduceSum": _plain("SUM"),
    "ReduceSumSquare": _after(_square),
}
