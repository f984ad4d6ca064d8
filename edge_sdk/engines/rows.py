"""Which ops a row of the engine's own list stands for: a delegate's row names the tensors around it and not its ops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edge_sdk.artifact.model import Op, Subgraph


def ops_between(graph: Subgraph, inputs: Iterable[int], outputs: Iterable[int]) -> set[int]:
    """Indices of the ops that a delegate runs between some tensors and others.

    They lead to the outputs. And what is made inside and does not come out is read inside only, and what goes in is
    read inside by somebody: so ops that lead nowhere, as ASSIGN_VARIABLE does, are found too.
    """
    makers = graph.makers
    into, out = set(map(int, inputs)), set(map(int, outputs))
    seen, left = set(into), list(out)
    found: set[int] = set()
    while left:
        while left:
            index = left.pop()
            if index in seen or index not in makers:
                continue
            seen.add(index)
            found.add(makers[index].index)
            left += makers[index].inputs
        more = [*_readers(graph, makers, found, out), *_only_readers(graph, found, into)]
        found |= {op.index for op in more}
        left = [index for op in more for index in op.inputs]
    return found


def _readers(graph: Subgraph, makers: Mapping[int, Op], found: set[int], out: set[int]) -> Iterator[Op]:
    """Of what is made inside and does not come out."""
    inner = {index for index, op in makers.items() if op.index in found} - out
    return (op for op in graph.ops if op.index not in found and not inner.isdisjoint(op.inputs))


def _only_readers(graph: Subgraph, found: set[int], into: set[int]) -> Iterator[Op]:
    """Of what goes in and no op inside is known to read."""
    for index in into:
        readers = [op for op in graph.ops if index in op.inputs]
        if len(readers) == 1 and readers[0].index not in found:
            yield readers[0]
