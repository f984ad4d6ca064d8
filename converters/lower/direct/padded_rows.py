"""Follows rows that are padded through a graph: no op may let those that do not count into those that do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edge_sdk.converters.lower.direct.graph import Op, Tensor

_WHY = (
    "it mixes rows that count with rows that are padding (those behind the count of NonMaxSuppression); return the "
    "rows and do this step outside the model"
)


@dataclass(frozen=True)
class _Rows:
    """Where a tensor has padded rows: whose, and along which axis."""

    source: Tensor
    axis: int


class _MixedError(Exception):
    """An op of another kind than those that keep rows apart."""


def mixing(ops: Sequence[Op], padded: Sequence[Tensor]) -> list[tuple[str, str, str]]:
    """Ops that mix rows, each ``(op, where, why)``.

    Args:
        ops: in order.
        padded: tensors whose first axis is padded.
    """
    known = {tensor: _Rows(tensor, 0) for tensor in padded if tensor.shape[0] > 1}
    failures = []
    for op in ops if known else ():
        if not any(tensor in known for tensor in op.inputs if tensor is not None):
            continue
        try:
            made = _after(op, known)
        except _MixedError:
            failures.append((op.kind, op.output.origin, _WHY))
            made = {}
        known.update(made)
    return failures


def _after(op: Op, known: Mapping[Tensor, _Rows]) -> dict[Tensor, _Rows]:
    found = [known[tensor] for tensor in op.inputs if tensor is not None and tensor in known]
    if len({rows.source for rows in found}) > 1:
        raise _MixedError
    axes = [known[t].axis if t is not None and t in known else None for t in op.inputs]
    rule = _RULES.get(op.kind, _element_wise if op.kind in _ELEMENT_WISE else None)
    if rule is None:
        raise _MixedError
    axis = rule(op, axes)
    return {tensor: _Rows(found[0].source, axis) for tensor in op.outputs}


Axes = Sequence[int | None]
Rule = Callable[[Op, Axes], int]


def _operand(op: Op, place: int) -> Tensor:
    tensor = op.inputs[place]
    if tensor is None:
        raise _MixedError
    return tensor


def _numbers(op: Op, place: int) -> list[int]:
    data = _operand(op, place).data
    if data is None:
        raise _MixedError
    return [int(number) for number in np.ravel(data)]


def _only(axes: Axes, place: int = 0) -> int:
    """The axis of the one operand that may have padded rows."""
    axis = axes[place]
    if axis is None or any(other is not None for i, other in enumerate(axes) if i != place):
        raise _MixedError
    return axis


def _element_wise(op: Op, axes: Axes) -> int:
    """Operands are aligned at their last axes."""
    rank = len(op.output.shape)
    pairs = zip(op.inputs, axes, strict=True)
    places = {axis + rank - len(t.shape) for t, axis in pairs if t is not None and axis is not None}
    if len(places) > 1:
        raise _MixedError
    return places.pop()


def _gather(op: Op, axes: Axes) -> int:
    """Rows of the result are rows of the indices; or whole rows stay, while another axis is gathered."""
    data, indices = axes
    along, batch = int(op.options.get("axis", 0)), int(op.options.get("batch_dims", 0))
    if data is None and indices is not None and indices >= batch:
        return along + indices - batch
    if indices is not None or data is None or data == along or batch:
        raise _MixedError
    return data if data < along else data + len(_operand(op, 1).shape) - 1


def _reshape(op: Op, axes: Axes) -> int:
    axis, shape = _only(axes), _operand(op, 0).shape
    before, rows = prod(shape[:axis]), shape[axis]
    for place, extent in enumerate(op.output.shape):
        if extent == rows and prod(op.output.shape[:place]) == before:
            return place
    raise _MixedError


def _transpose(op: Op, axes: Axes) -> int:
    return _numbers(op, 1).index(_only(axes))


def _slice(op: Op, axes: Axes) -> int:
    """The first rows, or some of what each row has."""
    axis = _only(axes)
    if _numbers(op, 1)[axis] != 0:
        raise _MixedError
    return axis


def _strided_slice(op: Op, axes: Axes) -> int:
    masks = ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask")
    if any(op.options.get(mask) for mask in masks) or _numbers(op, 3)[axes[0] or 0] != 1:
        raise _MixedError
    return _slice(op, axes)


def _concatenation(op: Op, axes: Axes) -> int:
    known = {axis for axis in axes if axis is not None}
    axis = known.pop()
    if known or axis == int(op.options.get("axis", 0)) % len(op.output.shape):
        raise _MixedError
    return axis


def _pack(op: Op, axes: Axes) -> int:
    known = {axis for axis in axes if axis is not None}
    axis = known.pop()
    if known:
        raise _MixedError
    return axis + (axis >= int(op.options.get("axis", 0)) % len(op.output.shape))


def _unpack(op: Op, axes: Axes) -> int:
    axis, along = _only(axes), int(op.options.get("axis", 0))
    if axis == along:
        raise _MixedError
    return axis - (axis > along)


def _split(data: int, where: int) -> Rule:
    def rule(op: Op, axes: Axes) -> int:
        axis = _only(axes, data)
        if axis == _numbers(op, where)[0] % len(op.output.shape):
            raise _MixedError
        return axis

    return rule


def _reduced(op: Op, axes: Axes) -> int:
    axis, rank = _only(axes), len(_operand(op, 0).shape)
    gone = {along % rank for along in _numbers(op, 1)}
    if axis in gone:
        raise _MixedError
    return axis if op.options.get("keep_dims") else axis - sum(along < axis for along in gone)


def _along_last(op: Op, axes: Axes) -> int:
    axis = _only(axes)
    if axis == len(_operand(op, 0).shape) - 1:
        raise _MixedError
    return axis


_ELEMENT_WISE = frozenset(
    {"ABS", "ADD", "CAST", "CEIL", "COS", "DIV", "ELU", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "GELU"}
    | {"GREATER", "GREATER_EQUAL", "HARD_SWISH", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND"}
    | {"LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "NEG", "NOT_EQUAL", "POW", "RELU", "RELU6"}
    | {"ROUND", "RSQRT", "SELECT_V2", "SIGN", "SIN", "SQRT", "SQUARED_DIFFERENCE", "SUB", "TANH"}
)
_RULES: Mapping[str, Rule] = {
    "ARG_MAX": _reduced,
    "ARG_MIN": _reduced,
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _along_last,
    "GATHER": _gather,
    "MEAN": _reduced,
    "PACK": _pack,
    "REDUCE_MAX": _reduced,
    "REDUCE_MIN": _reduced,
    "REDUCE_PROD": _reduced,
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SOFTMAX": _along_last,
    "SPLIT": _split(1, 0),
    "SPLIT_V": _split(0, 2),
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduced,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
