"""Sequences and optionals: known as the graph is walked, no tensor holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import without_axes
from edge_sdk.converters.lower.direct.ops.moving.shape import concat, split
from edge_sdk.converters.lower.direct.ops.steps.stepping import packed
from edge_sdk.converters.lower.direct.value import Entry, Value, Values


def _construct(builder: Builder, node: Node) -> Entry:
    return Values(tuple(node.input(i) for i in range(len(node.inputs))))


def _empty(builder: Builder, node: Node) -> Entry:
    return Values(())


def _items(node: Node, place: int = 0) -> tuple[Value, ...]:
    if place not in node.sequences:
        raise NoFormError(f"input {place} is no sequence whose length is known")
    return node.sequences[place].items


def _position(node: Node, place: int, count: int, default: int) -> int:
    """A place in a sequence of this length, counted from its begin."""
    if not node.given(place):
        return default
    position = int(node.constant(place, "places in a sequence").reshape(-1)[0])
    found = position + count if position < 0 else position
    if not 0 <= found <= count:
        raise NoFormError(f"place {position} of a sequence of {count}")
    return found


def _insert(builder: Builder, node: Node) -> Entry:
    items = _items(node)
    place = _position(node, 2, len(items), len(items))
    return Values((*items[:place], node.input(1), *items[place:]))


def _erase(builder: Builder, node: Node) -> Entry:
    items = _items(node)
    place = _position(node, 1, len(items), len(items) - 1)
    return Values((*items[:place], *items[place + 1 :]))


def _at(builder: Builder, node: Node) -> Entry:
    items = _items(node)
    place = _position(node, 1, len(items), 0)
    if place == len(items):
        raise NoFormError(f"place {place} of a sequence of {len(items)}")
    return items[place]


def _length(builder: Builder, node: Node) -> Entry:
    return builder.fixed(np.int64(len(_items(node))))


def _concat(builder: Builder, node: Node) -> Entry:
    items, axis = _items(node), int(node.attribute("axis"))
    if not items:
        raise NoFormError("a sequence without an item")
    if node.attribute("new_axis", 0):
        return packed(builder, items, axis % (items[0].rank + 1))
    return concat(builder, items, axis % items[0].rank)


def _split(builder: Builder, node: Node) -> Entry:
    """Into parts of given sizes, or of one size and a rest; without sizes, into elements."""
    x = node.input(0)
    axis = int(node.attribute("axis", 0)) % x.rank
    extent = x.shape[axis]
    if not node.given(1):
        items = split(builder, x, axis, [1] * extent)
        kept = node.attribute("keepdims", 1)
        return Values(tuple(items if kept else (without_axes(builder, item, [axis]) for item in items)))
    sizes = np.asarray(node.constant(1, "the sizes of the parts"))
    if sizes.ndim == 0:
        step = int(sizes)
        sizes = np.array([min(step, extent - begin) for begin in range(0, extent, step)])
    return Values(tuple(split(builder, x, axis, [int(size) for size in sizes])))


def _map(builder: Builder, node: Node) -> Sequence[Entry]:
    """The body for each item of the first sequence, and of the others beside it."""
    body, count = node.attribute("body"), len(_items(node))
    names = [value.name for value in body.input]
    columns = [_column(node, i, count) for i in range(len(node.inputs))]
    rows = [_mapped(builder, node, body, dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    return [Values(tuple(items)) for items in zip(*rows, strict=True)]


def _column(node: Node, place: int, count: int) -> Sequence[Value]:
    if place not in node.sequences:
        return [node.input(place)] * count
    items = _items(node, place)
    if len(items) != count:
        raise NoFormError(f"sequences of {count} and {len(items)} items beside each other")
    return items


def _mapped(builder: Builder, node: Node, body: Any, inputs: dict[str, Value]) -> list[Value]:
    made = node.body(body, builder, inputs) if node.body is not None else []
    if any(not isinstance(entry, Value) for entry in made):
        raise NoFormError("sequences of sequences")
    return list(made)


# --- optionals ----------------------------------------------------------------------------------------------------


def _entry(node: Node) -> Entry:
    return node.sequences.get(0, node.inputs[0] if node.inputs else None)


def _optional(builder: Builder, node: Node) -> Sequence[Entry]:
    return [_entry(node)]


def _has_element(builder: Builder, node: Node) -> Entry:
    return builder.fixed(np.bool_(_entry(node) is not None))


def _get_element(builder: Builder, node: Node) -> Sequence[Entry]:
    if _entry(node) is None:
        raise NoFormError("the optional is empty")
    return [_entry(node)]


OPS: dict[str, Callable[[Builder, Node], Entry | Sequence[Entry]]] = {
    "ConcatFromSequence": _concat,
    "Optional": _optional,
    "OptionalGetElement": _get_element,
    "OptionalHasElement": _has_element,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SequenceMap": _map,
    "SplitToSequence": _split,
}

TAKES_SEQUENCES = frozenset(OPS) | {"If", "Loop", "Scan"}
"""Ops that may be given a sequence."""
