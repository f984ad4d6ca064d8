"""Ops that are int8 or spared together: a residual sum and all that it is summed with, and tensors with one scale.

A single op is the wrong unit. Ops that only move values keep the scale of what they move, so that they go with whoever
made it; a concatenation gives all its parts one scale; and the sums along one residual path round the same stream,
which is spared as a whole or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph

_MOVING = frozenset(
    {
        "BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MAX_POOL_2D",
        "MIRROR_PAD", "PAD", "PADV2", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE",
        "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE",
        "UNPACK",
    }
)  # fmt: skip
"""One operand's values on that operand's scale."""
_JOINING = frozenset({"CONCATENATION", "MAXIMUM", "MINIMUM", "PACK", "SELECT", "SELECT_V2"})
"""Several operands' values on one scale."""
_SUMS = frozenset({"ADD", "SUB"})


@dataclass(frozen=True)
class Group:
    """Ops of the float file's main subgraph that are int8 or spared together.

    Attributes:
        index: its place among the groups, in execution order of its first op.
        ops: indices of ops.
        results: name of each op's first result, which says in a recipe that the op is spared.
        macs: multiply-accumulates of one run.
        weights: values of the constants that its ops read.
    """

    index: int
    ops: tuple[int, ...]
    results: tuple[str, ...]
    macs: int
    weights: int

    @property
    def name(self) -> str:
        """What a person calls it: the op with the most work, or the first."""
        return self.results[0].split(";")[-1][-60:]


def find_groups(artifact: Artifact) -> tuple[Group, ...]:
    """The groups of a float file; ops without a float result belong to none.

    Args:
        artifact: the float file, before it is rewritten for integers.
    """
    graph = artifact.main
    ours = {op.index: op for op in graph.ops if _computes(graph, op)}
    joined = _Joined(ours)
    makers = graph.makers
    readers = Counter(tensor for op in graph.ops for tensor in set(op.inputs))
    for op in ours.values():
        for other in _tied(graph, op, makers, readers):
            if other.index in ours:
                joined.join(op.index, other.index)
    names = Counter(graph.tensors[op.outputs[0]].name for op in graph.ops if op.outputs)
    for same in (name for name, count in names.items() if count > 1):
        # A recipe names ops by their results: what has one name is one thing to it.
        first, *rest = [op.index for op in ours.values() if graph.tensors[op.outputs[0]].name == same] or [-1]
        for one in rest:
            joined.join(first, one)
    parts = sorted(joined.members(), key=min)
    return tuple(_group(graph, index, sorted(part)) for index, part in enumerate(parts))


def _computes(graph: Subgraph, op: Op) -> bool:
    return bool(op.outputs) and any(tensor.dtype == "float32" for tensor in graph.results(op))


def _tied(graph: Subgraph, op: Op, makers: Mapping[int, Op], readers: Counter[int]) -> Iterator[Op]:
    """Ops before this one that it goes with."""
    before = [(index, makers[index]) for index in op.inputs if index in makers]
    values = [(index, maker) for index, maker in before if graph.tensors[index].dtype == "float32"]
    if op.name in _MOVING:
        yield from (maker for _, maker in values[:1])
    elif op.name in _JOINING:
        # A part that others read too keeps a scale of its own for them.
        yield from (maker for index, maker in values if readers[index] == 1)
    elif op.name in _SUMS and len(values) == 2:
        yield from (maker for _, maker in values if maker.name in _SUMS)


def _group(graph: Subgraph, index: int, ops: list[int]) -> Group:
    members = sorted((graph.ops[i] for i in ops), key=lambda op: (-macs(graph, op), op.index))
    constants = {t.index: t.elements for op in members for t in graph.operands(op) if t.constant is not None}
    return Group(
        index,
        tuple(op.index for op in members),
        tuple(graph.tensors[op.outputs[0]].name for op in members),
        sum(macs(graph, op) for op in members),
        sum(constants.values()),
    )


class _Joined:
    """Sets of ops that grow together."""

    def __init__(self, items: dict[int, Op]) -> None:
        self._root = {item: item for item in items}

    def join(self, one: int, other: int) -> None:
        self._root[self._find(one)] = self._find(other)

    def members(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for item in self._root:
            found.setdefault(self._find(item), []).append(item)
        return list(found.values())

    def _find(self, item: int) -> int:
        while self._root[item] != item:
            self._root[item] = self._root[self._root[item]]
            item = self._root[item]
        return item
