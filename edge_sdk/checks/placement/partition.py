"""How a graph is cut into partitions once a delegate has claimed its ops; the same for every delegate.

The cut is *predicted* by the runtime's own rule (``tflite/graph_info.cc`` of LiteRT v2.1.0; unchanged up to v2.2.0):
greedy, in execution order, one subset of claimed or of unclaimed ops after the other, each as large as it gets. There
is no smallest size, no largest number and no cost model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from edge_sdk.artifact.model import Op, Subgraph

_SIDE_EFFECTS = frozenset({"IF", "WHILE", "CALL_ONCE"})


@dataclass(frozen=True)
class Partition:
    """Ops that run in a row, by the delegate if ``delegated`` and by the runtime's own kernels if not.

    Attributes:
        delegated: who runs them.
        ops: their indices, in the order in which they were placed.
        inputs: tensors read from outside, constants included; ascending.
        outputs: tensors that other partitions or the caller read; ascending.
        boundary_bytes: bytes of the values that enter and leave, constants left out.
    """

    delegated: bool
    ops: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    boundary_bytes: int


def partition(
    graph: Subgraph,
    claimed: Collection[int],
    *,
    control_edges: Iterable[tuple[int, int]] | None = None,
) -> tuple[Partition, ...]:
    """All partitions in the order in which they run.

    Args:
        graph: one subgraph.
        claimed: indices of the ops that the delegate takes.
        control_edges: pairs of ops of which the first must run before the second; by default the chain of all ops
            with side effects. A file may state its own in the metadata ``model_control_dependencies``, which nothing
            here reads.
    """
    edges = set(side_effect_chain(graph) if control_edges is None else control_edges)
    taken = frozenset(claimed)
    return tuple(_described(graph, _cut(graph, taken, edges), taken))


def side_effect_chain(graph: Subgraph) -> list[tuple[int, int]]:
    """Ops that touch a resource or run other subgraphs, each tied to the next."""
    ops = [op.index for op in graph.ops if op.name in _SIDE_EFFECTS or _touches_resource(graph, op)]
    return list(pairwise(ops))


def _touches_resource(graph: Subgraph, op: Op) -> bool:
    return any(tensor.dtype == "resource" for tensor in (*graph.operands(op), *graph.results(op)))


def _cut(graph: Subgraph, claimed: frozenset[int], edges: set[tuple[int, int]]) -> list[list[int]]:
    """Rounds over the ops that wait, until none is left; the first ready op decides what a subset is made of.

    The runtime goes through all ops in each round; here only those that became free are looked at, in the same order,
    so that the time grows with the file and not with its square.
    """
    waits = _Waits(graph, edges)
    free: dict[bool, list[int]] = {True: [], False: []}
    for index in waits.free():
        heappush(free[index in claimed], index)
    subsets: list[list[int]] = []
    while free[True] or free[False]:
        delegated = not free[False] or (bool(free[True]) and free[True][0] < free[False][0])
        subset: list[int] = []
        now, later = free[delegated], list[int]()
        while now:
            index = heappop(now)
            subset.append(index)
            for freed in waits.finish(index):
                if (freed in claimed) != delegated:
                    heappush(free[not delegated], freed)
                else:  # what lies behind is found in the same round, what lies before in the next
                    heappush(now if freed > index else later, freed)
            if not now:
                now, later = later, now
        free[delegated] = []
        subsets.append(subset)
    return subsets


class _Waits:
    """What each op still waits for: tensors that an op makes, and ops that must run before."""

    def __init__(self, graph: Subgraph, edges: set[tuple[int, int]]) -> None:
        self._ops = graph.ops
        self._made: set[int] = set()
        produced = {tensor for op in graph.ops for tensor in op.outputs}
        self._readers: dict[int, list[int]] = {}
        self._left = {op.index: 0 for op in graph.ops}
        for op in graph.ops:
            for tensor in {tensor for tensor in op.inputs if tensor >= 0 and tensor in produced}:
                self._readers.setdefault(tensor, []).append(op.index)
                self._left[op.index] += 1
        self._after: dict[int, list[int]] = {}
        for first, second in edges:
            self._after.setdefault(first, []).append(second)
            self._left[second] += 1

    def free(self) -> list[int]:
        return [index for index, count in self._left.items() if not count]

    def finish(self, index: int) -> list[int]:
        """Ops that nothing keeps back any more."""
        new = set(self._ops[index].outputs) - self._made
        self._made |= new
        kept = [reader for tensor in new for reader in self._readers.get(tensor, ())] + self._after.get(index, [])
        for reader in kept:
            self._left[reader] -= 1
        return [reader for reader in dict.fromkeys(kept) if not self._left[reader]]


def _described(graph: Subgraph, subsets: list[list[int]], claimed: frozenset[int]) -> Iterator[Partition]:
    ends = frozenset(graph.outputs)
    place = {index: number for number, ops in enumerate(subsets) for index in ops}
    readers: dict[int, set[int]] = {}
    for op in graph.ops:
        for tensor in op.inputs:
            readers.setdefault(tensor, set()).add(place.get(op.index, -1))
    for number, ops in enumerate(subsets):
        made = {tensor for index in ops for tensor in graph.ops[index].outputs if tensor >= 0}
        read = {tensor for index in ops for tensor in graph.ops[index].inputs if tensor >= 0}
        inputs = tuple(sorted(read - made))
        outputs = tuple(sorted(t for t in made if t in ends or readers.get(t, set()) - {number}))
        crossing = (graph.tensors[index] for index in (*inputs, *outputs))
        moved_bytes = sum(tensor.size_bytes for tensor in crossing if not tensor.is_stored)
        yield Partition(ops[0] in claimed, tuple(ops), inputs, outputs, moved_bytes)
