"""Reshape of a value whose axes are in another order than the source's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.value import Value, channels_last


@dataclass(frozen=True)
class Group:
    """Neighbouring axes before and after, with as many elements: what happens in it touches no other."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def reshape(builder: Builder, x: Value, shape: Sequence[int]) -> Value:
    """The value with another shape, its groups of axes left where the tensor has them.

    Before: ``[N, C, H, W]`` held as ``[N, H, W, C]``, to ``[N, C, H * W]``.
    After: held as ``[N, H * W, C]``, by one RESHAPE and no TRANSPOSE. Where a group's axes do not lie together, one
    TRANSPOSE brings them together first. A reshape back to what was reshaped is that value.
    """
    if x.before is not None and x.before.shape == tuple(shape):
        return x.before
    groups = groups_of(x.shape, shape)
    ordered = _in_order(x, groups)
    tensor = builder.arranged(x, tuple(axis for group in ordered for axis in group.before))
    order = tuple(axis for group in ordered for axis in group.after)
    made = builder.reshaped(tensor, [shape[axis] for axis in order])
    return Value(made, order, x.spatial and order == channels_last(len(order)), before=x)


def groups_of(before: Sequence[int], after: Sequence[int]) -> list[Group]:
    """The finest groups whose products agree; axes of extent 1 go with what is beside them."""
    if 0 in before:
        return [Group(tuple(range(len(before))), tuple(range(len(after))))]
    groups: list[Group] = []
    i = j = 0
    while i < len(before) or j < len(after):
        begin, other = i, j
        i, j = _next(before, after, i, j)
        groups.append(Group(tuple(range(begin, i)), tuple(range(other, j))))
    return groups


def _next(before: Sequence[int], after: Sequence[int], i: int, j: int) -> tuple[int, int]:
    """Where the group that begins at these axes ends."""
    left = before[i] if i < len(before) else 1
    right = after[j] if j < len(after) else 1
    i, j = min(i + 1, len(before)), min(j + 1, len(after))
    while left != right:
        if left < right:
            left *= before[i]
            i += 1
        else:
            right *= after[j]
            j += 1
    return i, j


def _in_order(x: Value, groups: Sequence[Group]) -> list[Group]:
    """Groups as the tensor has them: by the place of their innermost axis that is wider than 1."""
    place = {axis: i for i, axis in enumerate(x.order)}

    def innermost(group: Group) -> int:
        wide = [axis for axis in group.before if x.shape[axis] != 1] or group.before
        return place[wide[-1]] if wide else len(place)

    return sorted(groups, key=innermost)
