"""Lengths that depend on data: whole numbers of which the most is known before the file runs, and arithmetic on them.

A graph computes with sizes: it asks for a shape, takes a number out of it, takes the smaller of that and another, and
makes or cuts a tensor so long. What of it is known is a number here, and what is not a :class:`Length`, which says what
it is made of: two lengths that are computed in the same way are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Tensor

Cells = npt.NDArray[np.object_]
_TYPES = (6, 7)  # int32 and int64, as ONNX counts them


class NotMeasuredError(Exception):
    """Arithmetic that these lengths do not have; the graph's own ops do it."""


@dataclass(frozen=True)
class Length:
    """A number from 0 to ``most`` that only the running file knows.

    Attributes:
        kind: ``count`` (of a tensor), ``least``, ``sum``, ``times``, or ``rest`` (a number less a length).
        parts: the tensor; or lengths and numbers.
        most: no more than this.
    """

    kind: str
    parts: tuple[Any, ...]
    most: int

    def __add__(self, other: Size) -> Size:
        return total([self, other])

    __radd__ = __add__

    def __mul__(self, factor: Size) -> Size:
        if isinstance(factor, Length) or factor < 0:
            raise NotMeasuredError
        if self.kind == "times":
            return self.parts[0] * (self.parts[1] * factor)  # type: ignore[no-any-return]
        if factor < 2:
            return self if factor == 1 else 0
        return Length("times", (self, int(factor)), self.most * int(factor))

    __rmul__ = __mul__

    def __floordiv__(self, by: Size) -> Size:
        if by == 1:
            return self
        if isinstance(by, Length) or self.kind != "times" or by < 1 or self.parts[1] % by:
            raise NotMeasuredError
        return self.parts[0] * (self.parts[1] // by)  # type: ignore[no-any-return]


Size = int | Length


def counted(tensor: Tensor, most: int) -> Length:
    """The length that a tensor holds: int32 without axes."""
    return Length("count", (tensor,), most)


def most_of(size: Size) -> int:
    """The largest that a size may be."""
    return size.most if isinstance(size, Length) else int(size)


def least(a: Size, b: Size) -> Size:
    """The smaller of two."""
    if a == b:
        return a
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, Length):
            if not isinstance(other, Length):
                return min(int(a), int(b))  # type: ignore[arg-type]
            if other.most <= one:
                return other
            if one <= 0:
                return int(one)
    parts = tuple(sorted((a, b), key=lambda part: isinstance(part, Length)))
    return Length("least", parts, min(most_of(a), most_of(b)))


def total(sizes: Sequence[Size]) -> Size:
    """Their sum."""
    known = sum(int(size) for size in sizes if not isinstance(size, Length))
    open_ones = [size for size in sizes if isinstance(size, Length)]
    if known < 0:
        raise NotMeasuredError
    if not open_ones:
        return known
    if len(open_ones) == 1 and not known:
        return open_ones[0]
    flat = [part for one in open_ones for part in (one.parts if one.kind == "sum" else (one,))]
    parts = (*flat, known) if known else tuple(flat)
    return Length("sum", parts, sum(most_of(part) for part in parts))


def rest(whole: Size, size: Size) -> Size:
    """What a number has more than a size that is no larger."""
    if isinstance(whole, Length) or most_of(size) > whole:
        raise NotMeasuredError
    return Length("rest", (int(whole), size), int(whole)) if isinstance(size, Length) else int(whole) - int(size)


def whole_of(size: Length, more: Length) -> int | None:
    """The number that a length and the rest of it are together; None where they are not that."""
    if more.kind == "rest":
        return int(more.parts[0]) if more.parts[1] == size else None
    if more.kind == size.kind == "times" and more.parts[1] == size.parts[1]:
        inner = whole_of(size.parts[0], more.parts[0])
        return None if inner is None else inner * int(size.parts[1])
    return None


def measured(
    op: str, inputs: Sequence[Cells | None], attributes: Mapping[str, Any], opset: int
) -> npt.NDArray[Any] | None:
    """What a node gives for sizes, as cells of numbers and lengths; None where it is no arithmetic on sizes.

    Args:
        op: ONNX's name of it.
        inputs: cells, or None where an optional one is absent.
        attributes: the node's.
        opset: version of ONNX's op set.
    """
    rule = _RULES.get(op)
    try:
        return None if rule is None else np.asarray(rule(_Sizes(inputs, attributes, opset)))
    except NotMeasuredError:
        return None


def is_open(cells: npt.NDArray[Any]) -> bool:
    """Whether some cell is not known."""
    return any(isinstance(cell, Length) for cell in cells.reshape(-1))


@dataclass(frozen=True)
class _Sizes:
    inputs: Sequence[Cells | None]
    attributes: Mapping[str, Any]
    opset: int

    def cells(self, place: int = 0) -> Cells:
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None:
            raise NotMeasuredError
        return found

    def numbers(self, name: str, place: int) -> list[int] | None:
        """Known integers: an attribute, or an input."""
        if name in self.attributes:
            return [int(n) for n in np.ravel(self.attributes[name])]
        if place >= len(self.inputs) or self.inputs[place] is None:
            return None
        cells = self.cells(place)
        if is_open(cells):
            raise NotMeasuredError
        return [int(n) for n in cells.reshape(-1)]


Rule = Callable[[_Sizes], Any]


def _each(function: Callable[[Any, Any], Any]) -> Rule:
    applied = np.frompyfunc(function, 2, 1)

    def rule(sizes: _Sizes) -> Any:
        made = sizes.cells(0)
        for place in range(1, len(sizes.inputs)):
            made = applied(made, sizes.cells(place))
        return np.asarray(made, object)

    return rule


def _over(function: Callable[[Any, Any], Any]) -> Rule:
    """A reduction of a vector to one number."""

    def rule(sizes: _Sizes) -> Any:
        cells = sizes.cells()
        axes = sizes.numbers("axes", 1)
        if cells.ndim != 1 or cells.size == 0 or axes not in (None, [0], [-1]):
            raise NotMeasuredError
        made = cells[0]
        for cell in cells[1:]:
            made = function(made, cell)
        return _held([made] if sizes.attributes.get("keepdims", 1) else made)

    return rule


def _held(values: Any) -> Cells:
    """Cells, of which numpy shall not look inside."""
    if not isinstance(values, list):
        made = np.empty((), object)
        made[()] = values
        return made
    made = np.empty(len(values), object)
    made[:] = values
    return made


def _gather(sizes: _Sizes) -> Any:
    cells, places = sizes.cells(0), sizes.cells(1)
    if is_open(places):
        raise NotMeasuredError
    found = cells.take(places.astype(np.int64), axis=int(sizes.attributes.get("axis", 0)))
    return found if isinstance(found, np.ndarray) else _held(found)


def _slice(sizes: _Sizes) -> Any:
    cells = sizes.cells()
    starts, ends = sizes.numbers("starts", 1) or [], sizes.numbers("ends", 2) or []
    axes, steps = sizes.numbers("axes", 3) or [0], sizes.numbers("steps", 4) or [1]
    if cells.ndim < 1 or axes not in ([0], [-cells.ndim]) or len(starts) != 1 or not steps[0]:
        raise NotMeasuredError
    # Backwards to the first: Python counts an end below zero from the last.
    end = None if steps[0] < 0 and ends[0] < -len(cells) else ends[0]
    return cells[starts[0] : end : steps[0]]


def _transpose(sizes: _Sizes) -> Any:
    cells = sizes.cells()
    return cells.transpose(sizes.attributes.get("perm") or range(cells.ndim)[::-1])


def _concat(sizes: _Sizes) -> Any:
    return np.concatenate([sizes.cells(place) for place in range(len(sizes.inputs))])


def _unsqueeze(sizes: _Sizes) -> Any:
    if sizes.cells().ndim or sizes.numbers("axes", 1) not in ([0], [-1]):
        raise NotMeasuredError
    return sizes.cells().reshape(1)


def _squeeze(sizes: _Sizes) -> Any:
    if sizes.cells().size != 1:
        raise NotMeasuredError
    return sizes.cells().reshape(())


def _reshape(sizes: _Sizes) -> Any:
    return sizes.cells().reshape(sizes.numbers("shape", 1) or ())


def _cast(sizes: _Sizes) -> Any:
    if int(sizes.attributes["to"]) not in _TYPES:
        raise NotMeasuredError
    return sizes.cells()


def _expand(sizes: _Sizes) -> Any:
    shape = np.broadcast_shapes(sizes.cells().shape, tuple(sizes.numbers("shape", 1) or ()))
    return np.broadcast_to(sizes.cells(), shape)


def _equal(a: Size, b: Size) -> bool:
    if isinstance(a, Length) == isinstance(b, Length):
        if a != b and isinstance(a, Length):
            raise NotMeasuredError
        return bool(a == b)
    for length, number in ((a, b), (b, a)):
        if isinstance(length, Length) and not isinstance(number, Length) and 0 <= number <= length.most:
            raise NotMeasuredError
    return False


def _where(sizes: _Sizes) -> Any:
    if is_open(sizes.cells(0)):
        raise NotMeasuredError
    return np.where(sizes.cells(0).astype(np.bool_), sizes.cells(1), sizes.cells(2))


def _most_of_two(a: Size, b: Size) -> Size:
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, Length) and one <= 0 and isinstance(other, Length):
            return other
    if isinstance(a, Length) or isinstance(b, Length):
        raise NotMeasuredError
    return max(a, b)


def _quotient(a: Size, b: Size) -> Size:
    """ONNX cuts towards zero, Python goes down."""
    if not isinstance(a, Length) and not isinstance(b, Length) and (a < 0 or b < 1):
        raise NotMeasuredError
    if not isinstance(a, Length) and isinstance(b, Length):
        raise NotMeasuredError
    return a // b  # type: ignore[operator]


def _product(a: Size, b: Size) -> Size:
    return a * b


def _sum(a: Size, b: Size) -> Size:
    return total([a, b])


_RULES: dict[str, Rule] = {
    "Add": _each(_sum),
    "Cast": _cast,
    "Concat": _concat,
    "Div": _each(_quotient),
    "Equal": _each(_equal),
    "Expand": _expand,
    "Gather": _gather,
    "Max": _each(_most_of_two),
    "Min": _each(least),
    "Mul": _each(_product),
    "ReduceMin": _over(least),
    "ReduceProd": _over(_product),
    "ReduceSum": _over(_sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _each(rest),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
