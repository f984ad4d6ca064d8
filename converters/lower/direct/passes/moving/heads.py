"""Queries, keys and values that are cut from one value and then turned alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rule,
    constant,
    integers,
    permuted,
    reshaped,
    scalar,
)


def turn_before_split(graph: Graph) -> Graph:
    """Turns all heads at once, before they are cut apart.

    Before::

        a, b, c = SPLIT(x, axis 2)    q = TRANSPOSE(RESHAPE(a, [N, T, H, D]), [0, 2, 1, 3])    k = ...    v = ...

    After::

        r = RESHAPE(x, [N, T, 3 * H, D])    t = TRANSPOSE(r, [0, 2, 1, 3])    q, k, v = SPLIT(t, axis 1)

    Where something else reads a part as it was, such as a convolution of the values, that part is cut from ``x``:
    the one TRANSPOSE of heads before the products that is left.
    """
    return by_rule(by_rule(graph, _turned, "SPLIT"), _turned_beside_others, "SPLIT", "SPLIT_V")


@dataclass(frozen=True)
class _Part:
    """What happens to one result of the SPLIT: an optional RESHAPE, then a TRANSPOSE."""

    reshape: Op | None
    transpose: Op

    @property
    def form(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        return (self.reshape.output.shape if self.reshape else None, integers(self.transpose.inputs[1]))


def _part(view: View, tensor: Tensor) -> _Part | None:
    first = view.only_reader(tensor, "RESHAPE", "TRANSPOSE")
    if first is None or first.kind == "TRANSPOSE":
        return _Part(None, first) if first is not None else None
    second = view.only_reader(first.output, "TRANSPOSE")
    return _Part(first, second) if second is not None else None


def _turned(view: View, op: Op, changes: Changes) -> None:
    axis, x = scalar(op.inputs[0]), op.inputs[1]
    parts = [_part(view, tensor) for tensor in op.outputs]
    if axis is None or x is None or any(part is None for part in parts):
        return
    known = [part for part in parts if part is not None]
    shape, permutation = known[0].form
    if len({part.form for part in known}) > 1 or permutation is None or len(known) < 2:
        return
    place = int(axis) % len(x.shape) if shape is None else _outer_axis(op.output, shape, int(axis) % len(x.shape))
    if place is None or changes.touches(*(o for part in known for o in (part.reshape, part.transpose))):
        return
    _replace(op, x, known, place, changes)


def _outer_axis(part: Tensor, shape: tuple[int, ...], axis: int) -> int | None:
    """The axis of the reshape that is the outermost piece of the one that was cut, which is the last."""
    if axis != len(part.shape) - 1:
        return None
    return next((i for i in range(len(shape)) if np.prod(shape[i:]) == part.shape[-1]), None)


def _replace(op: Op, x: Tensor, parts: list[_Part], place: int, changes: Changes) -> None:
    shape, permutation = parts[0].form
    made: list[Op] = []
    whole = list(shape or op.output.shape)
    whole[place] *= len(parts)
    if shape is not None:
        made.append(reshaped(x, Tensor(op.output.origin, tuple(whole), x.dtype)))
        x = made[-1].output
    order = permutation or ()
    made.append(permuted(x, order, Tensor(op.output.origin, tuple(whole[axis] for axis in order), x.dtype)))
    where = constant(op.output.origin, order.index(place), "int32")
    results = tuple(part.transpose.output for part in parts)
    changes.replace(op, *made, op.reading(where, made[-1].output).making(*results))
    for part in parts:
        changes.replace(part.transpose)
        if part.reshape is not None:
            changes.replace(part.reshape)


# --- parts that others read as they are -------------------------------------------------------------------------------


def _turned_beside_others(view: View, op: Op, changes: Changes) -> None:
    """Before: ``a, b = SPLIT_V(x)    q = TRANSPOSE(a)    v = TRANSPOSE(b)    c = CONV_2D(RESHAPE(b))``.

    After: ``q, v = SPLIT_V(TRANSPOSE(x))    b = SLICE(x)``: never more ops.
    """
    first = op.kind == "SPLIT"
    x, axis = op.inputs[1 if first else 0], scalar(op.inputs[0 if first else 2])
    turned = [[r for r in view.readers(t) if r.kind == "TRANSPOSE" and r.inputs[0] is t] for t in op.outputs]
    orders = {integers(reader.inputs[1]) for readers in turned for reader in readers}
    order = orders.pop() if len(orders) == 1 else None
    if x is None or axis is None or order is None or len(turned) < 2 or any(len(readers) != 1 for readers in turned):
        return
    transposes = [readers[0] for readers in turned]
    beside = [t for t in op.outputs if len(view.readers(t)) > 1 or view.is_output(t)]
    if len(beside) == len(transposes) or changes.touches(*transposes):
        return
    place = int(axis) % len(x.shape)
    whole = Tensor(op.output.origin, tuple(x.shape[i] for i in order), x.dtype)
    where = constant(op.output.origin, order.index(place), "int32")
    inputs = (where, whole) if first else (whole, op.inputs[1], where)
    split = op.reading(*inputs).making(*(transpose.output for transpose in transposes))
    cuts = [_cut(x, op, part, place) for part in beside]
    changes.replace(op, permuted(x, order, whole), split, *cuts)
    for transpose in transposes:
        changes.replace(transpose)


def _cut(x: Tensor, op: Op, part: Tensor, place: int) -> Op:
    """One part of a SPLIT, by itself."""
    begin = [0] * len(x.shape)
    begin[place] = sum(other.shape[place] for other in op.outputs[: op.outputs.index(part)])
    begins, sizes = (constant(part.origin, numbers, "int32") for numbers in (begin, part.shape))
    return Op("SLICE", (x, begins, sizes), (part,))
