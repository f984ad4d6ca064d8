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
    """
    return by_rule(graph, _turned, "SPLIT")


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
