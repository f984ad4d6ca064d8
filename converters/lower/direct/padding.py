"""Tensors of which only so many of the first rows count as the data says: which, and what ops make of them.

A tensor of TFLite has a known shape. What depends on data is held at the most that it can be: rows that count first,
and behind them padding, whose numbers mean nothing. No op may let those into the rows that count. Ops that keep rows
apart pass the padding on; a form that knows better (a sum with zeros in the padding) works on tensors that it has
filled; every other op is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edge_sdk.converters.lower.direct.graph import Op, Tensor
from edge_sdk.converters.lower.direct.lengths import Length, NotMeasuredError, Size, least
from edge_sdk.converters.lower.direct.node import DataDependentError


@dataclass(frozen=True)
class Rows:
    """How many rows of a tensor count: the first ``count`` along its own ``axis``."""

    axis: int
    count: Length


class Padding:
    """The padded tensors of a graph."""

    def __init__(self) -> None:
        self._known: dict[Tensor, Rows] = {}
        self._ignored = False

    def of(self, tensor: Tensor | None) -> Rows | None:
        """Which rows of a tensor count; None where all do."""
        return self._known.get(tensor) if tensor is not None else None

    def declare(self, tensor: Tensor, axis: int, count: Size) -> Tensor:
        """Says that only so many rows of a tensor count; returns it."""
        if isinstance(count, Length):
            before = self._known.setdefault(tensor, Rows(axis, count))
            if before != Rows(axis, count):
                raise DataDependentError("two of its extents depend on data, and padding lies along one axis")
        return tensor

    def forget(self, tensor: Tensor, axis: int) -> None:
        """Drops what is known of an axis, of which a form knows better."""
        rows = self._known.get(tensor)
        if rows is not None and rows.axis == axis:
            del self._known[tensor]

    @contextlib.contextmanager
    def ignored(self) -> Iterator[None]:
        """Inside, a form vouches for its ops: their results count whole until it declares them."""
        before, self._ignored = self._ignored, True
        try:
            yield
        finally:
            self._ignored = before

    def note(self, op: Op) -> None:
        """Takes in what an op does with padded rows.

        Raises:
            DataDependentError: it would mix them with those that count.
        """
        if not self._known or self._ignored:
            return
        found = [self._known.get(tensor) if tensor is not None else None for tensor in op.inputs]
        if not any(found):
            return
        try:
            rows = _after(op, found)
        except (_MixedError, NotMeasuredError):
            raise DataDependentError(f"its {op.kind} {_WHY}") from None
        if rows is not None:
            self._known.update(dict.fromkeys(op.outputs, rows))


_WHY = (
    "mixes rows that count with rows that are padding (how many count depends on data: NonZero, a mask or "
    "NonMaxSuppression before it); return the rows and do this step outside the model"
)


class _MixedError(Exception):
    """An op of another kind than those that keep rows apart."""


def _after(op: Op, found: Sequence[Rows | None]) -> Rows | None:
    if op.kind == "GATHER" and _finds(op, found):
        return _found_rows(op, found)
    known = [rows for rows in found if rows is not None]
    if len({rows.count for rows in known}) > 1 or _divides_by_padding(op, found):
        raise _MixedError
    count = known[0].count
    axes = [rows.axis if rows is not None else None for rows in found]
    if op.kind == "RESHAPE":
        return _reshaped(op, axes, count)
    if op.kind in ("SLICE", "STRIDED_SLICE"):
        return _cut(op, axes, count)
    rule = _RULES.get(op.kind, _element_wise if op.kind in _ELEMENT_WISE else None)
    if rule is None:
        raise _MixedError
    return Rows(rule(op, axes), count)


def _divides_by_padding(op: Op, found: Sequence[Rows | None]) -> bool:
    """Kernels of whole numbers end the run at a zero, and padding may be one."""
    return op.kind in _DIVISIONS and found[1] is not None and not op.output.dtype.startswith("float")


def _finds(op: Op, found: Sequence[Rows | None]) -> bool:
    """Rows chosen among padded ones by indices that count from the first: as in the source."""
    data = found[0]
    return data is not None and data.axis == int(op.options.get("axis", 0))


def _found_rows(op: Op, found: Sequence[Rows | None]) -> Rows | None:
    indices = found[1]
    if indices is None:
        return None
    batch, along = int(op.options.get("batch_dims", 0)), int(op.options.get("axis", 0))
    if indices.axis < batch:
        raise _MixedError
    return Rows(along + indices.axis - batch, indices.count)


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
    pairs = list(zip(op.inputs, axes, strict=True))
    places = {axis + rank - len(t.shape) for t, axis in pairs if t is not None and axis is not None}
    place = places.pop()
    extents = [t.shape[axis] for t, axis in pairs if t is not None and axis is not None]
    # One row that is broadcast is none where it does not count.
    if places or any(extent != op.output.shape[place] for extent in extents):
        raise _MixedError
    return place


def _broadcast(op: Op, axes: Axes) -> int:
    axis = _only(axes) + len(op.output.shape) - len(_operand(op, 0).shape)
    if op.output.shape[axis] != _operand(op, 0).shape[_only(axes)]:
        raise _MixedError
    return axis


def _tile(op: Op, axes: Axes) -> int:
    if _numbers(op, 1)[_only(axes)] != 1:
        raise _MixedError
    return _only(axes)


def _gather(op: Op, axes: Axes) -> int:
    """Rows of the result are rows of the indices; or whole rows stay, while another axis is gathered."""
    data, indices = axes
    along, batch = int(op.options.get("axis", 0)), int(op.options.get("batch_dims", 0))
    if data is None and indices is not None and indices >= batch:
        return along + indices - batch
    if indices is not None or data is None or data == along or batch:
        raise _MixedError
    return data if data < along else data + len(_operand(op, 1).shape) - 1


def _reshaped(op: Op, axes: Axes, count: Length) -> Rows:
    """Rows that become several rows each, or parts of rows."""
    axis, shape = _only(axes), _operand(op, 0).shape
    before, rows = prod(shape[:axis]), shape[axis]
    for place, extent in enumerate(op.output.shape):
        if prod(op.output.shape[:place]) != before:
            continue
        if extent == rows:
            return Rows(place, count)
        if extent % rows == 0 and prod(shape[axis:]) % extent == 0:
            return Rows(place, _open(count * (extent // rows)))
        if rows % extent == 0 and extent > 1:
            return Rows(place, _open(count // (rows // extent)))
    raise _MixedError


def _open(size: Size) -> Length:
    if not isinstance(size, Length):
        raise _MixedError
    return size


def _transpose(op: Op, axes: Axes) -> int:
    return _numbers(op, 1).index(_only(axes))


def _cut(op: Op, axes: Axes, count: Length) -> Rows | None:
    """The first rows, or some of what each row has."""
    axis = _only(axes)
    if op.kind == "STRIDED_SLICE":
        masks = ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask")
        if any(op.options.get(mask) for mask in masks) or _numbers(op, 3)[axis] != 1:
            raise _MixedError
    if _numbers(op, 1)[axis] != 0:
        raise _MixedError
    first = least(count, op.output.shape[axis])
    return Rows(axis, first) if isinstance(first, Length) else None


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


def _running(op: Op, axes: Axes) -> int:
    """Sums of what comes before."""
    if op.options.get("reverse"):
        raise _MixedError
    return _only(axes)


def _dense(op: Op, axes: Axes) -> int:
    if len(op.output.shape) != len(_operand(op, 0).shape):
        raise _MixedError
    return _along_last(op, axes)


def _product(op: Op, axes: Axes) -> int:
    """Rows of the left matrix are rows of the result."""
    if op.options.get("adj_x"):
        raise _MixedError
    return _along_last(op, axes) + len(op.output.shape) - len(_operand(op, 0).shape)


def _images(_: Op, axes: Axes) -> int:
    """Each image by itself."""
    if _only(axes) != 0:
        raise _MixedError
    return 0


def _bordered(op: Op, axes: Axes) -> int:
    axis = _only(axes)
    if any(_numbers(op, 1)[2 * axis : 2 * axis + 2]):
        raise _MixedError
    return axis


def _along_last(op: Op, axes: Axes) -> int:
    axis = _only(axes)
    if axis == len(_operand(op, 0).shape) - 1:
        raise _MixedError
    return axis


_DIVISIONS = frozenset({"DIV", "FLOOR_DIV", "FLOOR_MOD"})
_ELEMENT_WISE = frozenset(
    {"ABS", "ADD", "CAST", "CEIL", "COS", "DIV", "ELU", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD"}
    | {"GELU", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG"}
    | {"LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "NEG", "NOT_EQUAL"}
    | {"POW", "RELU", "RELU6", "RELU_0_TO_1", "ROUND", "RSQRT", "SELECT_V2", "SIGN", "SIN", "SQRT", "SQUARE"}
    | {"SQUARED_DIFFERENCE", "SUB", "TANH"}
)
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "RESIZE_BILINEAR"), _images),
    "ARG_MAX": _reduced,
    "ARG_MIN": _reduced,
    "BATCH_MATMUL": _product,
    "BROADCAST_TO": _broadcast,
    "CONCATENATION": _concatenation,
    "CUMSUM": _running,
    "FULLY_CONNECTED": _dense,
    "GATHER": _gather,
    "MEAN": _reduced,
    "PACK": _pack,
    "PAD": _bordered,
    "REDUCE_MAX": _reduced,
    "REDUCE_MIN": _reduced,
    "REDUCE_PROD": _reduced,
    "SOFTMAX": _along_last,
    "SPLIT": _split(1, 0),
    "SPLIT_V": _split(0, 2),
    "SUM": _reduced,
    "TILE": _tile,
    "TOPK_V2": _along_last,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
