"""Ranks that the engine's kernels do not take: neighbouring axes that an op treats alike become one.

The facts are those of ai-edge-litert 2.1, found by running each op at each rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.rewriting import rewritten

# Broadcasting beyond four axes: refused, or a crash, in most kernels.
_BROADCAST_RANK = 4
_BROADCASTS = frozenset(
    {"ADD", "BITWISE_XOR", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"}
    | {"LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW", "RIGHT_SHIFT", "SELECT_V2"}
    | {"SQUARED_DIFFERENCE", "SUB"}
)
# Takes operands of one shape only.
_NEVER_BROADCASTS = frozenset({"ATAN2"})
# Elements of a constant that stand in the file as often as they are read; more are repeated by an op.
_WRITTEN_OUT = 4096
_RANKS = {"PAD": 5, "PADV2": 5, "SLICE": 5, "STRIDED_SLICE": 5, "TRANSPOSE": 6}
_ALONG_AXES = {"SUM": 6, "MEAN": 6, "REDUCE_MAX": 6, "REDUCE_MIN": 6}
_RANK_OF_JOINS = 6


def take_ranks(graph: Graph) -> Graph:
    """Before: ``y[A, B, C, D, E] = MUL(x[A, B, C, D, E], s[D, E])``.

    After: ``y = RESHAPE(MUL(RESHAPE(x, [A * B * C, D * E]), RESHAPE(s, [1, D * E])))``.
    """
    return rewritten(graph, _rule)


def _rule(builder: Builder, op: Op) -> Sequence[Tensor] | None:
    if op.kind in _NEVER_BROADCASTS and len({tensor.shape for tensor in _tensors(op)}) > 1:
        return [builder.emit(op.kind, [_grown(builder, t, op.output.shape) for t in _tensors(op)], op.output.shape)]
    if op.kind in _BROADCASTS and _broadcasts(op) and len(op.output.shape) > _BROADCAST_RANK:
        return [_broadcast(builder, op)]
    form = _FORMS.get(op.kind)
    return form(builder, op) if form is not None else None


def _tensors(op: Op) -> list[Tensor]:
    return [tensor for tensor in op.inputs if tensor is not None]


def _broadcasts(op: Op) -> bool:
    takes_numbers = op.kind in _WITH_NUMBERS and len(op.output.shape) <= _RANK_WITH_NUMBERS
    alike = {tensor.shape for tensor in _tensors(op) if tensor.size > 1 or not takes_numbers}
    return len(alike) > 1


# Kernels that add, multiply and bound by one number at a higher rank than they broadcast.
_WITH_NUMBERS = frozenset({"ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SUB"})
_RANK_WITH_NUMBERS = 5


def _grown(builder: Builder, tensor: Tensor, shape: Sequence[int]) -> Tensor:
    if tensor.shape == tuple(shape):
        return tensor
    if tensor.data is not None and int(np.prod(shape)) <= _WRITTEN_OUT:
        return builder.constant(np.broadcast_to(tensor.data, shape).copy())
    return builder.emit("BROADCAST_TO", [tensor, builder.constant(shape, "int32")], shape)


def _broadcast(builder: Builder, op: Op) -> Tensor:
    """Axes where the same operands are broadcast are one; where too many are left, operands are written out."""
    tensors, whole = _tensors(op), op.output.shape
    shapes = [(1,) * (len(whole) - len(t.shape)) + t.shape for t in tensors]
    keys: list[Any] = [
        None if size == 1 else tuple(shape[axis] == 1 for shape in shapes) for axis, size in enumerate(whole)
    ]
    runs = merged(keys)
    if len(runs) > _BROADCAST_RANK:
        return builder.emit(op.kind, [_grown(builder, t, whole) for t in tensors], whole, op.output.dtype, **op.options)
    inputs = [builder.reshaped(t, _joined(s, runs)) for t, s in zip(tensors, shapes, strict=True)]
    made = builder.emit(op.kind, inputs, _joined(whole, runs), op.output.dtype, **op.options)
    return builder.reshaped(made, whole)


def merged(keys: Sequence[Any]) -> list[tuple[int, int]]:
    """Runs of neighbouring axes with equal keys, as (begin, end); None goes with any run."""
    runs: list[tuple[int, int]] = []
    current: Any = None
    for axis, key in enumerate(keys):
        if runs and (key is None or current is None or key == current):
            runs[-1] = (runs[-1][0], axis + 1)
        else:
            runs.append((axis, axis + 1))
            current = None
        current = key if key is not None else current
    return runs


def _joined(shape: Sequence[int], runs: Sequence[tuple[int, int]]) -> list[int]:
    return [int(np.prod(shape[begin:end], dtype=np.int64)) for begin, end in runs]


def _transpose(builder: Builder, op: Op) -> list[Tensor] | None:
    """Axes that stay neighbours are one; those of extent 1 are left out."""
    source, permutation = op.inputs[:2]
    if source is None or permutation is None or permutation.data is None or len(source.shape) <= _RANKS["TRANSPOSE"]:
        return None
    order = [int(axis) for axis in permutation.data if source.shape[axis] != 1]
    kept = sorted(order)
    order = [kept.index(axis) for axis in order]
    extents = [source.shape[axis] for axis in kept]
    groups: list[list[int]] = []
    for axis in order:
        if groups and groups[-1][-1] + 1 == axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    by_place = sorted(groups)
    shape = [int(np.prod([extents[axis] for axis in group])) for group in by_place]
    wanted = [by_place.index(group) for group in groups]
    if len(shape) > _RANKS["TRANSPOSE"]:
        return [builder.reshaped(_one_by_one(builder, source, shape, wanted), op.output.shape)]
    return [builder.reshaped(builder.transposed(builder.reshaped(source, shape), wanted), op.output.shape)]


def _one_by_one(builder: Builder, tensor: Tensor, shape: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """Axes brought to the front, the last of the wanted order first: each a TRANSPOSE of ``[before, axis, after]``."""
    order = list(range(len(shape)))
    for axis in reversed(wanted):
        place = order.index(axis)
        before, after = (
            int(np.prod([shape[i] for i in part], dtype=np.int64)) for part in (order[:place], order[place + 1 :])
        )
        if place:
            apart = builder.reshaped(tensor, (before, shape[axis], after))
            tensor = builder.transposed(apart, (1, 0, 2))
        order.insert(0, order.pop(place))
    return tensor


def _slice(builder: Builder, op: Op) -> list[Tensor] | None:
    source, begins, sizes = _tensors(op)
    if begins.data is None or sizes.data is None or len(source.shape) <= _RANKS["SLICE"]:
        return None
    touched = [size != extent for size, extent in zip(op.output.shape, source.shape, strict=True)]
    begin = begins.data

    def cut(tensor: Tensor, axis: int, outer: int, inner: int) -> Tensor:
        extent = op.output.shape[axis]
        at = builder.constant([0, begin[axis], 0], "int32")
        return builder.emit("SLICE", [tensor, at, builder.constant([-1, extent, -1], "int32")], (outer, extent, inner))

    return [_axis_by_axis(builder, op, touched, cut)]


def _strided_slice(builder: Builder, op: Op) -> list[Tensor] | None:
    source, begins, ends, strides = _tensors(op)
    rank = len(source.shape)
    if rank <= _RANKS["STRIDED_SLICE"] or begins.data is None or ends.data is None or strides.data is None:
        return None
    touched = [s != e or int(d) != 1 for s, e, d in zip(op.output.shape, source.shape, strides.data, strict=True)]
    masks = {name: int(op.options.get(name, 0)) for name in ("begin_mask", "end_mask")}
    numbers: list[npt.NDArray[Any]] = [begins.data, ends.data, strides.data]

    def cut(tensor: Tensor, axis: int, outer: int, inner: int) -> Tensor:
        bounds = [
            builder.constant([a, n[axis], b], "int32") for n, a, b in zip(numbers, (0, 0, 1), (0, 0, 1), strict=True)
        ]
        outside: dict[str, Any] = {name: 5 | (mask >> axis & 1) << 1 for name, mask in masks.items()}
        shape = (outer, op.output.shape[axis], inner)
        return builder.emit("STRIDED_SLICE", [tensor, *bounds], shape, **outside)

    return [_axis_by_axis(builder, op, touched, cut)]


def _pad(builder: Builder, op: Op) -> list[Tensor] | None:
    source, pads = _tensors(op)[:2]
    if pads.data is None or len(source.shape) <= _RANKS["PAD"]:
        return None
    rows, others = pads.data, _tensors(op)[2:]

    def border(tensor: Tensor, axis: int, outer: int, inner: int) -> Tensor:
        around = builder.constant([[0, 0], rows[axis], [0, 0]], "int32")
        return builder.emit(op.kind, [tensor, around, *others], (outer, op.output.shape[axis], inner))

    return [_axis_by_axis(builder, op, [bool(row.any()) for row in rows], border)]


def _axis_by_axis(
    builder: Builder, op: Op, touched: Sequence[bool], step: Callable[[Tensor, int, int, int], Tensor]
) -> Tensor:
    """One op for each axis that is touched, on ``[outer, axis, inner]``."""
    tensor = _tensors(op)[0]
    shape = list(tensor.shape)
    for axis in (i for i, touch in enumerate(touched) if touch):
        outer, inner = (int(np.prod(part, dtype=np.int64)) for part in (shape[:axis], shape[axis + 1 :]))
        tensor = step(builder.reshaped(tensor, (outer, shape[axis], inner)), axis, outer, inner)
        shape[axis] = op.output.shape[axis]
    return builder.reshaped(tensor, op.output.shape)


def _reduce(builder: Builder, op: Op) -> list[Tensor] | None:
    source, axes = _tensors(op)
    if axes.data is None or len(source.shape) <= _ALONG_AXES[op.kind]:
        return None
    gone = {int(axis) % len(source.shape) for axis in axes.data.reshape(-1)}
    keys = [None if size == 1 else axis in gone for axis, size in enumerate(source.shape)]
    runs = merged(keys)
    shape = _joined(source.shape, runs)
    places = [i for i, (begin, end) in enumerate(runs) if any(keys[axis] for axis in range(begin, end))]
    kept = [1 if i in places else size for i, size in enumerate(shape)]
    where = builder.constant(places, "int32")
    made = builder.emit(op.kind, [builder.reshaped(source, shape), where], kept, keep_dims=True)
    return [builder.reshaped(made, op.output.shape)]


def _concatenation(builder: Builder, op: Op) -> list[Tensor] | None:
    whole = op.output.shape
    if len(whole) <= _RANK_OF_JOINS:
        return None
    axis = int(op.options["axis"]) % len(whole)
    outer, inner = (int(np.prod(part, dtype=np.int64)) for part in (whole[:axis], whole[axis + 1 :]))
    parts = [builder.reshaped(tensor, (outer, tensor.shape[axis], inner)) for tensor in _tensors(op)]
    made = builder.emit("CONCATENATION", parts, (outer, whole[axis], inner), axis=1)
    return [builder.reshaped(made, whole)]


def _split(builder: Builder, op: Op) -> list[Tensor] | None:
    where, source = _tensors(op)
    shape = source.shape
    if len(shape) <= _RANK_OF_JOINS or where.data is None:
        return None
    axis = int(where.data.reshape(-1)[0]) % len(shape)
    outer, inner = (int(np.prod(part, dtype=np.int64)) for part in (shape[:axis], shape[axis + 1 :]))
    flat = builder.reshaped(source, (outer, shape[axis], inner))
    results = [((outer, out.shape[axis], inner), out.dtype) for out in op.outputs]
    made = builder.emit_many("SPLIT", [builder.constant(1, "int32"), flat], results, **op.options)
    return [builder.reshaped(tensor, out.shape) for tensor, out in zip(made, op.outputs, strict=True)]


def _softmax(builder: Builder, op: Op) -> list[Tensor] | None:
    (source,) = _tensors(op)
    if len(source.shape) <= _RANK_OF_JOINS:
        return None
    flat = builder.reshaped(source, (source.size // source.shape[-1], source.shape[-1]))
    return [builder.reshaped(builder.emit(op.kind, [flat], flat.shape, **op.options), source.shape)]


def _fully_connected(builder: Builder, op: Op) -> list[Tensor] | None:
    """Of a high rank all rows are one axis."""
    source, *others = op.inputs
    if source is None or len(source.shape) <= _RANK_OF_JOINS:
        return None
    flat = builder.reshaped(source, (source.size // source.shape[-1], source.shape[-1]))
    shape = (flat.shape[0], op.output.shape[-1])
    options = {**op.options, "keep_num_dims": False}
    made = builder.emit(op.kind, [flat, *others], shape, op.output.dtype, **options)
    return [builder.reshaped(made, op.output.shape)]


_FORMS: Mapping[str, Callable[[Builder, Op], list[Tensor] | None]] = {
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _fully_connected,
    "LOG_SOFTMAX": _softmax,
    "MEAN": _reduce,
    "PAD": _pad,
    "PADV2": _pad,
    "REDUCE_MAX": _reduce,
    "REDUCE_MIN": _reduce,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduce,
    "TRANSPOSE": _transpose,
}
