"""A pass that replaces single ops by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor

Rule = Callable[[Builder, Op], Sequence[Tensor] | None]


def rewritten(graph: Graph, rule: Rule) -> Graph:
    """The graph with ops replaced, and what replaces them as well, until no rule takes hold.

    Args:
        graph: what to rewrite.
        rule: makes an op's results in another way, or returns None where it stays.
    """
    while True:
        made, changed = _once(graph, rule)
        if not changed:
            return graph
        graph = made


def _once(graph: Graph, rule: Rule) -> tuple[Graph, bool]:
    builder = Builder()
    renamed: dict[Tensor, Tensor] = {}
    for old in graph.ops:
        op = old.reading(*(renamed.get(t, t) if t is not None else None for t in old.inputs))
        builder.origin = op.output.origin
        made = rule(builder, op)
        if made is None:
            builder.add(op)
        else:
            renamed.update(zip(op.outputs, made, strict=True))
    outputs = tuple(renamed.get(t, t) for t in graph.outputs)
    return replace(graph, ops=builder.ops, outputs=outputs), bool(renamed)
