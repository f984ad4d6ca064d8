"""Nodes that together do nothing but move and add elements, found before the walk.

PyTorch exports an adaptive pool whose sizes do not divide, and ``area`` resizing, as a hundred nodes that gather each
window's elements and add them one by one. What they do is one known matrix for each axis (:mod:`separable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_MOST = 2000
# A region without one of these only moves elements, and is left as it is.
_SUMS = frozenset({"Add", "ReduceMean", "ReduceSum", "Sum"})
# Ops that are linear in their first input, the others being known.
_IN_FIRST = frozenset(
    {"Div", "Expand", "Gather", "GatherND", "ReduceMean", "ReduceSum", "Reshape", "Slice", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)
# What may follow and is none of it, such as the flattening behind a pool.
_RESHAPING = frozenset({"Reshape", "Squeeze", "Unsqueeze"})
_IN_ALL = frozenset({"Add", "Concat", "Sub", "Sum"})


@dataclass(frozen=True)
class Region:
    """Nodes with one input that depends on data, and one result.

    Attributes:
        nodes: in order.
        source: the name of the input.
        result: the name of the result.
    """

    nodes: tuple[Any, ...]
    source: str
    result: str

    @property
    def reads(self) -> list[str]:
        """Names of the constants that it reads."""
        made = {self.source, *(name for node in self.nodes for name in node.output)}
        return sorted({name for node in self.nodes for name in node.input if name} - made)


def grouped(nodes: Sequence[Any], known: Iterable[str], wanted: Iterable[str]) -> Iterator[Any]:
    """The nodes in order, those of a region as one, in the place of its last.

    Args:
        nodes: of a graph, in order.
        known: names of constants.
        wanted: names that must stand afterwards: the graph's outputs.
    """
    if not any(node.op_type == "GatherND" for node in nodes):
        yield from nodes
        return
    regions = list(_regions(nodes, set(known), set(wanted)))
    last = {id(region.nodes[-1]): region for region in regions}
    inside = {id(node) for region in regions for node in region.nodes}
    for node in nodes:
        if id(node) in last:
            yield last[id(node)]
        elif id(node) not in inside:
            yield node


def _regions(nodes: Sequence[Any], known: set[str], wanted: set[str]) -> Iterator[Region]:
    known = _with_derived(nodes, known)
    makers = {name: node for node in nodes for name in node.output if name}
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in {*filter(None, node.input), *_read_inside(node)}:
            readers.setdefault(name, []).append(node)
    taken: set[int] = set()
    for i, node in enumerate(nodes):
        if node.op_type == "GatherND" and id(node) not in taken and _is_linear(node, {node.input[0]}, known):
            found = _grown(nodes[i:], node.input[0], known, readers, wanted)
            if found is not None:
                found = _from_before(found, makers, readers, known)
                taken.update(id(member) for member in found.nodes)
                yield found


def _with_derived(nodes: Sequence[Any], known: set[str]) -> set[str]:
    """Constants, and what is computed of constants alone."""
    made = set(known)
    for node in nodes:
        is_plain = not any(attribute.HasField("g") for attribute in node.attribute)
        if is_plain and all(name in made for name in node.input if name):
            made.update(node.output)
    return made


def _read_inside(node: Any) -> Iterator[str]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from filter(None, inner.input)
                yield from _read_inside(inner)
            yield from (value.name for value in attribute.g.output)


def _is_linear(node: Any, inside: set[str], known: set[str]) -> bool:
    names = [name for name in node.input if name]
    if node.op_type in _IN_FIRST:
        return names[0] in inside and all(name in known for name in names[1:])
    if node.op_type in _IN_ALL:
        return all(name in inside for name in names)
    if node.op_type == "Mul":
        return sum(name in inside for name in names) == 1 == sum(name in known for name in names)
    # Known branches must be zero: the probe finds that.
    return bool(node.op_type == "Where" and names[0] in known and all(n in known or n in inside for n in names[1:]))


def _grown(
    nodes: Sequence[Any], source: str, known: set[str], readers: dict[str, list[Any]], wanted: set[str]
) -> Region | None:
    """All that is linear in the source, as far as one result leaves it."""
    inside: set[str] = {source}
    members: list[Any] = []
    for node in nodes[:_MOST]:
        reads = any(name in inside for name in node.input)
        if reads and _is_linear(node, inside, known) and (members or node.op_type == "GatherND"):
            # Other readers of the source itself are none of ours.
            if members and source in node.input:
                continue
            members.append(node)
            inside.update(node.output)
    while members and members[-1].op_type in _RESHAPING:
        members.pop()
    chosen = {id(node) for node in members}

    def leaves(node: Any) -> bool:
        name = node.output[0]
        return name in wanted or any(id(reader) not in chosen for reader in readers.get(name, []))

    ends = [node for node in members if leaves(node)]
    adds = any(node.op_type in _SUMS for node in members)
    if not adds or len(ends) != 1 or ends[0] is not members[-1]:
        return None
    return Region(tuple(members), source, members[-1].output[0])


def _from_before(region: Region, makers: dict[str, Any], readers: dict[str, list[Any]], known: set[str]) -> Region:
    """The region with the Transpose before it, which nobody else reads."""
    maker = makers.get(region.source)
    if maker is None or maker.op_type != "Transpose" or len(readers[region.source]) != 1 or maker.input[0] in known:
        return region
    return Region((maker, *region.nodes), maker.input[0], region.result)
