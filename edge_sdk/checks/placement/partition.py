"""How a graph is cut into partitions once a delegate has claimed its ops; the same for every delegate.

The cut is *predicted* by the runtime's own rule (``tflite/graph_info.cc`` of LiteRT v2.1.0; unchanged up to v2.2.0):
greedy, in execution order, one subset of claimed or of unclaimed ops after the other, each as large as it gets. There
is no smallest size, no largest number and no cost model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
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
    subsets = _cut(graph, frozenset(claimed), edges)
    return tuple(_described(graph, ops, ops[0] in claimed) for ops in subsets)


def side_effect_chain(graph: Subgraph) -> list[tuple[int, int]]:
    """Ops that touch a resource or run other subgraphs, each tied to the next."""
    ops = [op.index for op in graph.ops if op.name in _SIDE_EFFECTS or _touches_resource(graph, op)]
    return list(pairwise(ops))


def _touches_resource(graph: Subgraph, op: Op) -> bool:
    return any(tensor.dtype == "resource" for tensor in (*graph.operands(op), *graph.results(op)))


def _cut(graph: Subgraph, claimed: frozenset[int], edges: set[tuple[int, int]]) -> list[list[int]]:
    """Rounds over the ops that wait, until none is left; the first ready op decides what a subset is made of."""
    ready = set(range(len(graph.tensors))) - {tensor for op in graph.ops for tensor in op.outputs}
    done: set[int] = set()
    waiting = list(graph.ops)
    subsets: list[list[int]] = []
    while subset := _grow(waiting, claimed, edges, ready, done):
        subsets.append(subset)
        waiting = [op for op in waiting if op.index not in done]
    return subsets


def _grow(
    waiting: Sequence[Op], claimed: frozenset[int], edges: set[tuple[int, int]], ready: set[int], done: set[int]
) -> list[int]:
    """One subset; adds to ``ready`` and ``done``."""
    before: dict[int, list[int]] = {}
    for first, second in edges:
        before.setdefault(second, []).append(first)
    subset: list[int] = []
    moved = True
    while moved:
        moved = False
        for op in waiting:
            if op.index in done or not _is_free(op, ready, done, before):
                continue
            if subset and (op.index in claimed) != (subset[0] in claimed):
                continue
            subset.append(op.index)
            done.add(op.index)
            ready.update(op.outputs)
            moved = True
    return subset


def _is_free(op: Op, ready: set[int], done: set[int], before: dict[int, list[int]]) -> bool:
    inputs_ready = all(tensor in ready for tensor in op.inputs if tensor >= 0)
    return inputs_ready and all(first in done for first in before.get(op.index, ()))


def _described(graph: Subgraph, ops: list[int], delegated: bool) -> Partition:  # noqa: FBT001
    members = set(ops)
    made = {tensor for index in ops for tensor in graph.ops[index].outputs if tensor >= 0}
    read = {tensor for index in ops for tensor in graph.ops[index].inputs if tensor >= 0}
    elsewhere = {tensor for op in graph.ops if op.index not in members for tensor in op.inputs}
    inputs = tuple(sorted(read - made))
    outputs = tuple(sorted(made & (elsewhere | set(graph.outputs))))
    crossing = (graph.tensors[index] for index in (*inputs, *outputs))
    moved_bytes = sum(tensor.size_bytes for tensor in crossing if not tensor.is_stored)
    return Partition(delegated, tuple(ops), inputs, outputs, moved_bytes)
