"""Factors that are one number for a whole value, moved into constants that are there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rule,
    is_constant,
    is_fused,
    scalar,
    split_operands,
)


def absorb_scales(graph: Graph) -> Graph:
    """Moves a factor up into the constants from which the value was made; the scale of attention is one.

    Before::

        h = FULLY_CONNECTED(x, w, b)    q = RESHAPE(h, s)    m = MUL(q, 0.125)
        p = BATCH_MATMUL(q, k)    y = MUL(p, 0.125)

    After::

        h = FULLY_CONNECTED(x, w * 0.125, b * 0.125)    m = RESHAPE(h, s)
        y = BATCH_MATMUL(q', k), with the factor in the constants of ``q``
    """
    return by_rule(graph, _absorbed, "MUL", "DIV")


def _absorbed(view: View, op: Op, changes: Changes) -> None:
    operands = split_operands(op)
    if operands is None or is_fused(op) or view.is_output(op.output) or op.output.dtype != "float32":
        return
    x, known = operands
    number = scalar(known)
    if number is None or op.output.shape != x.shape or (op.kind == "DIV" and op.inputs[0] is not x) or not number:
        return
    scaled = _scaled(view, x, np.float32(number if op.kind == "MUL" else 1 / number))
    if scaled is None or changes.touches(*scaled):
        return
    for old, new in scaled.items():
        changes.replace(old, new)
    changes.replace(op)
    changes.rename(op.output, x)


Scaled = dict[Op, Op]
_MOVES = ("RESHAPE", "TRANSPOSE", "SLICE", "BROADCAST_TO", "BATCH_MATMUL")


def _scaled(view: View, tensor: Tensor, factor: np.float32) -> Scaled | None:
    """The ops that make the tensor times the factor, in place of those that make it; None where one has no constant."""
    op = view.maker(tensor)
    if op is None or view.only_reader(tensor) is None or is_fused(op):
        return None
    if op.kind in _MOVES and op.inputs[0] is not None:
        return _scaled(view, op.inputs[0], factor)
    if op.kind in ("SPLIT", "SPLIT_V"):
        return _part(view, op, tensor, factor)
    rule = _RULES.get(op.kind)
    return rule(view, op, factor) if rule is not None else None


def _weights(_: View, op: Op, factor: np.float32) -> Scaled | None:
    weights = op.inputs[1]
    if weights is None or not all(t is None or is_constant(t) for t in op.inputs[1:]):
        return None
    return {op: op.reading(op.inputs[0], *(_times(t, factor) for t in op.inputs[1:]))}


def _part(view: View, op: Op, tensor: Tensor, factor: np.float32) -> Scaled | None:
    """One part of a dense layer's result: the rows of its weights that make it."""
    axis, x = (scalar(op.inputs[0]), op.inputs[1]) if op.kind == "SPLIT" else (scalar(op.inputs[2]), op.inputs[0])
    moved = view.maker(x, "RESHAPE")
    source = moved.inputs[0] if moved is not None else x
    dense = view.maker(source, "FULLY_CONNECTED", "CONV_2D")
    if x is None or source is None or dense is None or axis is None or is_fused(dense):
        return None
    if view.only_reader(x) is not op or view.only_reader(source) is None:
        return None
    ids = _rows(source.shape[-1], x.shape, int(axis) % len(x.shape))
    if ids is None or not all(t is None or is_constant(t) for t in dense.inputs[1:]):
        return None
    begin = sum(t.shape[int(axis)] for t in op.outputs[: op.outputs.index(tensor)])
    factors = np.ones(source.shape[-1], np.float32)
    factors[np.take(ids, range(begin, begin + tensor.shape[int(axis)]), axis=int(axis) - len(x.shape))] = factor
    weights = (_by_rows(t, factors) for t in dense.inputs[1:])
    return {dense: dense.reading(dense.inputs[0], *weights)}


def _rows(count: int, shape: tuple[int, ...], axis: int) -> npt.NDArray[np.int64] | None:
    """Which of a product's channels stands where in the last axes of what it was reshaped to."""
    first = next((i for i in range(len(shape)) if np.prod(shape[i:]) == count), None)
    return None if first is None or axis < first else np.arange(count).reshape(shape[first:])


def _by_rows(tensor: Tensor | None, factors: npt.NDArray[np.float32]) -> Tensor | None:
    if tensor is None or tensor.data is None:
        return tensor
    spread = factors.reshape(-1, *[1] * (tensor.data.ndim - 1))
    return replace(tensor, data=np.ascontiguousarray(tensor.data * spread))


def _product(view: View, op: Op, factor: np.float32) -> Scaled | None:
    """Into its constant; else into what makes one of its operands."""
    constants = [tensor for tensor in op.inputs if is_constant(tensor)]
    if constants:
        return {op: op.reading(*(_times(t, factor) if is_constant(t) else t for t in op.inputs))}
    parts = (_scaled(view, tensor, factor) for tensor in op.inputs if tensor is not None)
    return next((part for part in parts if part is not None), None)


def _sum(view: View, op: Op, factor: np.float32) -> Scaled | None:
    """Into all that is added or put side by side."""
    found: Scaled = {}
    inputs = tuple(_times(tensor, factor) if is_constant(tensor) else tensor for tensor in op.inputs)
    for tensor in op.inputs:
        if tensor is None or is_constant(tensor):
            continue
        part = _scaled(view, tensor, factor)
        if part is None or op.inputs.count(tensor) > 1:
            return None
        found |= part
    return {**found, op: op.reading(*inputs)}


def _times(tensor: Tensor | None, factor: np.float32) -> Tensor | None:
    if tensor is None or tensor.data is None:
        return tensor
    return replace(tensor, data=np.ascontiguousarray(tensor.data * factor))


_RULES: dict[str, Callable[[View, Op, np.float32], Scaled | None]] = {
    "FULLY_CONNECTED": _weights,
    "CONV_2D": _weights,
    "DEPTHWISE_CONV_2D": _weights,
    "MUL": _product,
    "ADD": _sum,
    "SUB": _sum,
    "CONCATENATION": _sum,
}
