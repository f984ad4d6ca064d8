"""SLICE of SLICE, and SLICEs that together are a SPLIT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import Changes, View, by_rules, constant, integers, reshaped


def join_slices(graph: Graph) -> Graph:
    """Slices that are taken before a reshape, at once, or together.

    Before::

        r = RESHAPE(x, [N, T, 3, H, D])    q = RESHAPE(SLICE(r, 0th of axis 2), [N, T, H, D])    k = ...    v = ...
        a = SLICE(x, 0:4)    b = SLICE(x, 4:8)

    After::

        a, b, c = SPLIT(x, [N, T, H * D] each)    q = RESHAPE(a, [N, T, H, D])    k = ...    v = ...
        a, b = SPLIT(x)
    """
    return by_rules(by_rules(graph, {"SLICE": _moved}), {"SLICE": _together})


@dataclass(frozen=True)
class _Cut:
    """A SLICE of one axis."""

    op: Op
    axis: int
    begin: int
    size: int


def _cut(op: Op) -> _Cut | None:
    if op.kind != "SLICE":
        return None
    x, begins = op.inputs[0], integers(op.inputs[1])
    if x is None or begins is None:
        return None
    axes = [i for i, (size, whole) in enumerate(zip(op.output.shape, x.shape, strict=True)) if size != whole]
    return _Cut(op, axes[0], begins[axes[0]], op.output.shape[axes[0]]) if len(axes) == 1 else None


def _slice(x: Tensor, begins: Sequence[int], result: Tensor) -> Op:
    origin = result.origin
    return Op("SLICE", (x, constant(origin, begins, "int32"), constant(origin, result.shape, "int32")), (result,))


def _moved(view: View, op: Op, changes: Changes) -> None:
    """Over a SLICE, and over a RESHAPE that only cuts the axis into several."""
    before = view.maker(op.inputs[0], "SLICE", "RESHAPE")
    if before is None or changes.touches(before) or before.inputs[0] is None:
        return
    if before.kind == "SLICE":
        outer, inner = integers(before.inputs[1]), integers(op.inputs[1])
        if outer is not None and inner is not None:
            changes.replace(op, _slice(before.inputs[0], [a + b for a, b in zip(outer, inner, strict=True)], op.output))
        return
    _over_reshape(view, before, op, changes)


def _over_reshape(view: View, before: Op, op: Op, changes: Changes) -> None:
    """All readers of the RESHAPE are such cuts: otherwise it stays, and nothing is won."""
    x, cut = before.inputs[0], _cut(op)
    if x is None or cut is None or view.is_output(before.output):
        return
    if not all(
        (other := _cut(reader)) is not None and other.axis == cut.axis for reader in view.readers(before.output)
    ):
        return
    place = _axis_of(x.shape, before.output.shape, cut.axis)
    if place is None:
        return
    axis, inner = place
    shape = (*x.shape[:axis], cut.size * inner, *x.shape[axis + 1 :])
    begins = [0] * len(shape)
    begins[axis] = cut.begin * inner
    part = Tensor(op.output.origin, shape, op.output.dtype, None, op.output.quantization)
    changes.replace(op, _slice(x, begins, part), reshaped(part, op.output))


def _axis_of(before: Sequence[int], after: Sequence[int], axis: int) -> tuple[int, int] | None:
    """The axis that was cut into several of which ``axis`` is the outermost, and how many elements lie inside it."""
    if axis >= len(before) or tuple(before[:axis]) != tuple(after[:axis]):
        return None
    inner, place = 1, axis + 1
    while place < len(after) and after[axis] * inner < before[axis]:
        inner *= after[place]
        place += 1
    fits = after[axis] * inner == before[axis] and tuple(after[place:]) == tuple(before[axis + 1 :])
    return (axis, inner) if fits else None


def _together(view: View, op: Op, changes: Changes) -> None:
    """Slices of one axis, side by side from its beginning to its end."""
    x, first = op.inputs[0], _cut(op)
    if x is None or first is None or first.begin:
        return
    cuts = [cut for reader in view.readers(x) if reader.kind == "SLICE" and (cut := _cut(reader)) is not None]
    parts = sorted((cut for cut in cuts if cut.axis == first.axis), key=lambda cut: cut.begin)
    ends = [cut.begin + cut.size for cut in parts]
    if [0, *ends] != [*(cut.begin for cut in parts), x.shape[first.axis]] or len(parts) < 2:
        return
    if changes.touches(*(cut.op for cut in parts)):
        return
    made = _split(x, first.axis, parts)
    earliest = next(reader for reader in view.readers(x) if any(cut.op is reader for cut in parts))
    for cut in parts:
        changes.replace(cut.op, *([made] if cut.op is earliest else []))


def _split(x: Tensor, axis: int, parts: Sequence[_Cut]) -> Op:
    results = tuple(cut.op.output for cut in parts)
    origin, sizes = results[0].origin, [cut.size for cut in parts]
    where = constant(origin, axis, "int32")
    if len(set(sizes)) == 1:
        return Op("SPLIT", (where, x), results, {"num_splits": len(parts)})
    return Op("SPLIT_V", (x, constant(origin, sizes, "int32"), where), results, {"num_splits": len(parts)})
