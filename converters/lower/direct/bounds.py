"""Between which numbers the elements of an integer tensor lie: what makes narrow indices and exact narrow sums safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edge_sdk.converters.lower.direct.graph import Op, Tensor

Interval = tuple[int, int]
_INT32 = (-(2**31), 2**31 - 1)


def limits(dtype: str) -> Interval:
    """What a dtype can hold; a bool holds 0 and 1."""
    if dtype == "bool":
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def fits(inner: Interval, outer: Interval) -> bool:
    """Whether one interval lies in another."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


class Bounds:
    """Intervals of the integer tensors of a graph; unknown ones are those of their dtype."""

    def __init__(self) -> None:
        self._known: dict[Tensor, Interval] = {}

    def of(self, tensor: Tensor) -> Interval:
        """The interval of an integer or bool tensor, ends included."""
        if tensor not in self._known and tensor.data is not None and tensor.data.size:
            self._known[tensor] = int(tensor.data.min()), int(tensor.data.max())
        return self._known.get(tensor) or limits(tensor.dtype)

    def fits(self, tensor: Tensor, dtype: str) -> bool:
        """Whether all elements fit a dtype."""
        return fits(self.of(tensor), limits(dtype))

    def fits_int32(self, *tensors: Tensor) -> bool:
        """Whether all elements of integer tensors fit int32."""
        return all(fits(self.of(tensor), _INT32) for tensor in tensors)

    def declare(self, tensor: Tensor, interval: Interval) -> None:
        """What a form knows of its result."""
        self._known[tensor] = interval

    def note(self, op: Op) -> None:
        """Takes in what an op says about its results."""
        rule = _RULES.get(op.kind)
        for result in op.outputs if rule is not None or op.kind in _PLACES else ():
            if not _is_whole(result.dtype):
                continue
            found = _place(op, result) if op.kind in _PLACES else None
            found = rule(self, op) if found is None and rule is not None else found
            # Sums that leave the dtype wrap round: nothing is known of them.
            if found is not None and fits(found, limits(result.dtype)):
                self._known[result] = found


_PLACES = frozenset({"ARG_MAX", "ARG_MIN", "TOPK_V2"})


def _is_whole(dtype: str) -> bool:
    return dtype == "bool" or dtype.startswith(("int", "uint"))


Rule = Callable[[Bounds, Op], "Interval | None"]


def _given(bounds: Bounds, op: Op, places: Sequence[int]) -> list[Interval] | None:
    tensors = [op.inputs[place] for place in places if place < len(op.inputs)]
    known = [tensor for tensor in tensors if tensor is not None]
    if not all(_is_whole(tensor.dtype) for tensor in known):
        return None
    return [bounds.of(tensor) for tensor in known]


def _union(intervals: Sequence[Interval]) -> Interval:
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def _passed(*places: int, zero: bool = False) -> Rule:
    """Results hold nothing but elements of some operands, and perhaps zeros."""

    def rule(bounds: Bounds, op: Op) -> Interval | None:
        found = _given(bounds, op, places or range(len(op.inputs)))
        return _union([*found, *([(0, 0)] if zero else [])]) if found else None

    return rule


def _corners(compute: Callable[[int, int], int]) -> Rule:
    """An op of two operands whose extremes lie at theirs."""

    def rule(bounds: Bounds, op: Op) -> Interval | None:
        found = _given(bounds, op, (0, 1))
        if found is None:
            return None
        corners = [compute(a, b) for a in found[0] for b in found[1]]
        return min(corners), max(corners)

    return rule


def _each(compute: Callable[[Interval], Interval]) -> Rule:
    def rule(bounds: Bounds, op: Op) -> Interval | None:
        found = _given(bounds, op, (0,))
        return compute(found[0]) if found else None

    return rule


def _magnitude(interval: Interval) -> Interval:
    low, high = interval
    return (0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _remainder(bounds: Bounds, op: Op) -> Interval | None:
    """FLOOR_MOD has the divisor's sign."""
    found = _given(bounds, op, (0, 1))
    if found is None:
        return None
    (low, high), (least, most) = found
    if least > 0 and low >= 0:
        return 0, min(most - 1, high)
    return min(least + 1, 0), max(most - 1, 0)


def _quotient(bounds: Bounds, op: Op) -> Interval | None:
    """No further from zero than the dividend; by a divisor above zero, between the dividend's ends."""
    found = _given(bounds, op, (0, 1))
    if found is None:
        return None
    furthest = _magnitude(found[0])[1]
    if found[1][0] <= 0:
        return -furthest, furthest
    corners = [a // b for a in found[0] for b in found[1]]
    return min(corners), max(*corners, 0)


def _counted(bounds: Bounds, op: Op) -> Interval | None:
    """A sum over axes, or along one: no more than all elements' worth."""
    source = op.inputs[0]
    if source is None or not _is_whole(source.dtype):
        return None
    low, high = bounds.of(source)
    count = max(source.size // max(op.output.size, 1), 1) if op.kind == "SUM" else source.size
    return min(low * count, low), max(high * count, high)


def _place(op: Op, result: Tensor) -> Interval | None:
    """Of results that say where along an axis something is."""
    source = op.inputs[0]
    if source is None or (op.kind == "TOPK_V2" and result is op.output):
        return None
    if op.kind == "TOPK_V2":
        return 0, max(source.shape[-1] - 1, 0)
    axis = op.inputs[1]
    if axis is None or axis.data is None:
        return None
    return 0, max(source.shape[int(axis.data.reshape(-1)[0])] - 1, 0)


def _shifted(bounds: Bounds, op: Op) -> Interval | None:
    found = _given(bounds, op, (0,))
    return (min(found[0][0], 0), max(found[0][1], 0)) if found else None


def _exclusive_or(bounds: Bounds, op: Op) -> Interval | None:
    found = _given(bounds, op, (0, 1))
    if found is None or _union(found)[0] < 0:
        return None
    return 0, int(2 ** _union(found)[1].bit_length() - 1)


_RULES: dict[str, Rule] = {
    "ABS": _each(_magnitude),
    "ADD": _corners(lambda a, b: a + b),
    "BITWISE_XOR": _exclusive_or,
    "BROADCAST_TO": _passed(0),
    "CAST": _passed(0),
    "CONCATENATION": _passed(),
    "CUMSUM": _counted,
    "DIV": _quotient,
    "FILL": _passed(1),
    "FLOOR_DIV": _quotient,
    "FLOOR_MOD": _remainder,
    "GATHER": _passed(0),
    "GATHER_ND": _passed(0),
    "MAXIMUM": _corners(max),
    "MINIMUM": _corners(min),
    "MIRROR_PAD": _passed(0),
    "MUL": _corners(lambda a, b: a * b),
    "NEG": _each(lambda i: (-i[1], -i[0])),
    "ONE_HOT": _passed(2, 3),
    "PACK": _passed(),
    "PAD": _passed(0, zero=True),
    "PADV2": _passed(0, 2),
    "REDUCE_MAX": _passed(0),
    "REDUCE_MIN": _passed(0),
    "RELU": _each(lambda i: (max(i[0], 0), max(i[1], 0))),
    "RESHAPE": _passed(0),
    "REVERSE_SEQUENCE": _passed(0),
    "REVERSE_V2": _passed(0),
    "RIGHT_SHIFT": _shifted,
    "SELECT_V2": _passed(1, 2),
    "SIGN": _each(lambda i: (-1 if i[0] < 0 else 0, 1 if i[1] > 0 else 0)),
    "SLICE": _passed(0),
    "SPLIT": _passed(1),
    "SPLIT_V": _passed(0),
    "STRIDED_SLICE": _passed(0),
    "SUB": _corners(lambda a, b: a - b),
    "SUM": _counted,
    "TILE": _passed(0),
    "TOPK_V2": _passed(0),
    "TRANSPOSE": _passed(0),
}
