"""Outputs with padding: how many of their rows count becomes one more output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count as numbers

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.lengths import Length
from edge_sdk.converters.lower.direct.value import Value, plain

PADDING = {"float32": 0.0, "bool": False}
"""What stands in the padding of an output of a dtype; -1 in whole numbers, which may be indices."""
# Outputs that may have as many rows as data says.
OPENING = frozenset({"Compress", "NonMaxSuppression", "NonZero"})


@dataclass(frozen=True)
class Padded:
    """An output of which only so many of the first rows count as the data says.

    Attributes:
        name: of the output.
        axis: of the source, along which it is padded.
        extent: rows that it has.
        count: name of the further output that says how many of them count.
    """

    name: str
    axis: int
    extent: int
    count: str


def with_counts(
    builder: Builder, outputs: Mapping[str, Value], taken: set[str]
) -> tuple[tuple[Padded, ...], dict[str, Value]]:
    """What is padded of a graph's outputs, and a value for each count: int64 without axes.

    A count is called after the output where it is one's alone, else ``kept_count``.

    Args:
        builder: of the graph.
        outputs: by name.
        taken: names that no count may have.
    """
    groups: dict[Length, list[str]] = {}
    for name, value in outputs.items():
        if (rows := builder.padding.of(value.tensor)) is not None:
            groups.setdefault(rows.count, []).append(name)
    padded: list[Padded] = []
    values: dict[str, Value] = {}
    for length, names in groups.items():
        count = _free(names[0] if len(names) == 1 else "kept", {*taken, *values})
        builder.origin = count
        values[count] = plain(builder.cast(builder.length(length), "int64"))
        padded += [_padded(builder, name, outputs[name], count) for name in names]
    order = list(outputs)
    return tuple(sorted(padded, key=lambda one: order.index(one.name))), values


def _padded(builder: Builder, name: str, value: Value, count: str) -> Padded:
    rows = builder.padding.of(value.tensor)
    if rows is None:
        raise ValueError(f"output `{name}` has no padding")
    axis = value.order[rows.axis]
    return Padded(name, axis, value.shape[axis], count)


def _free(name: str, taken: set[str]) -> str:
    candidates = (f"{name}_count{f'_{number}' if number else ''}" for number in numbers())
    return next(one for one in candidates if one not in taken)


def is_opening(graph: object) -> bool:
    """Whether a GraphProto or FunctionProto holds ops whose results may be as long as data says."""
    for node in graph.node:  # type: ignore[attr-defined]
        if node.op_type in OPENING:
            return True
        inner = [a.g for a in node.attribute if a.HasField("g")]
        if any(is_opening(one) for one in (*inner, *(g for a in node.attribute for g in a.graphs))):
            return True
    return False
