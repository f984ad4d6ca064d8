"""Ops that nobody reads."""

from __future__ import annotations

from edge_sdk.converters.lower.direct.graph import Graph, with_ops

_EFFECTS = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE"})


def drop_dead(graph: Graph) -> Graph:
    """Before: ``a = ADD(x, y); b = MUL(x, y)`` with output ``b``. After: ``b = MUL(x, y)``."""
    needed = set(graph.outputs)
    kept = []
    for op in reversed(graph.ops):
        if op.kind in _EFFECTS or any(tensor in needed for tensor in op.outputs):
            kept.append(op)
            needed.update(tensor for tensor in op.inputs if tensor is not None)
    return with_ops(graph, reversed(kept))
