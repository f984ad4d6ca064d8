"""Subgraphs that a file's first one runs, and what they share with their caller.

*Predicted* by ``tflite/kernels/while.cc``, ``if.cc``, ``stablehlo_composite.cc`` and ``call_once.cc`` of LiteRT v2.1.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.memory.homes import Homes, find_homes

_CALLS = {
    "CALL_ONCE": ("init_subgraph_index",),
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "STABLEHLO_COMPOSITE": ("decomposition_subgraph_index",),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}


@dataclass(frozen=True)
class Callee:
    """One subgraph that is run, with the homes of its tensors."""

    subgraph: int
    homes: Homes


def callees(artifact: Artifact) -> dict[int, Callee]:
    """The first subgraph and, by index, all that it runs, directly or not."""
    found: dict[int, Callee] = {}
    _visit(artifact, artifact.main, frozenset(), found)
    return dict(sorted(found.items()))


def _visit(artifact: Artifact, graph: Subgraph, borrowed: frozenset[int], found: dict[int, Callee]) -> Homes:
    """Homes of one subgraph; adds it and its callees to ``found``."""
    dynamic_ops: set[int] = set()
    lent: set[int] = set()
    # A file whose subgraphs call each other in a circle cannot be run; it ends here.
    found[graph.index] = Callee(graph.index, find_homes(graph, borrowed=borrowed))
    for op in graph.ops:
        called = [artifact.subgraphs[index] for index in _called(artifact, op) if index not in found]
        homes = [_visit(artifact, callee, _borrowed(op, callee), found) for callee in called]
        if any(h.dynamic for h in homes) or _shapes_differ(op, called):
            dynamic_ops.add(op.index)
        lent.update(_lent(graph, op, called))
    found[graph.index] = Callee(graph.index, find_homes(graph, borrowed=borrowed, dynamic_ops=dynamic_ops, lent=lent))
    return found[graph.index].homes


def _called(artifact: Artifact, op: Op) -> Iterator[int]:
    for name in _CALLS.get(op.name, ()):
        index = op.options.get(name)
        if index is not None and 0 <= int(index) < len(artifact.subgraphs):
            yield int(index)


def _borrowed(op: Op, callee: Subgraph) -> frozenset[int]:
    """Inputs without memory of their own: all where the caller's is used, else those that nobody reads."""
    if op.name == "WHILE" and callee.index == op.options.get("cond_subgraph_index"):
        reads = _reads(callee)
        return frozenset(index for index in callee.inputs if not reads[index])
    return frozenset(callee.inputs)


def _lent(graph: Subgraph, op: Op, called: list[Subgraph]) -> Iterator[int]:
    """Results of a loop that its body hands through and nobody reads: they stay in the input's place."""
    body = called[-1] if called else None
    if op.name != "WHILE" or body is None or body.index != op.options.get("body_subgraph_index"):
        return
    reads = _reads(graph)
    for inside, outside, result in zip(body.inputs, body.outputs, op.outputs, strict=False):
        if inside == outside and not reads[result]:
            yield result


def _reads(graph: Subgraph) -> Counter[int]:
    return Counter([*graph.outputs, *(index for op in graph.ops for index in op.inputs)])


def _shapes_differ(op: Op, called: list[Subgraph]) -> bool:
    """Whether a loop changes the shape of a value, or two branches disagree about one."""
    if op.name == "WHILE" and called:
        body = called[-1]
        pairs = list(zip(body.inputs, body.outputs, strict=False))
        return any(body.tensors[a].shape != body.tensors[b].shape for a, b in pairs)
    if op.name == "IF" and len(called) == 2:
        one, other = called
        pairs = list(zip(one.outputs, other.outputs, strict=False))
        return any(one.tensors[a].shape != other.tensors[b].shape for a, b in pairs)
    return False
