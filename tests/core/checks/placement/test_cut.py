"""The cut of a graph, against the runtime's own loop written down as it stands in ``tflite/graph_info.cc``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.checks.placement.partition import partition
from tests.graphs import Graph


@st.composite
def graphs(draw: st.DrawFn) -> Subgraph:
    """Ops in any order, some of which wait for later ones or for each other."""
    graph = Graph()
    tensors = [graph.tensor(f"t{i}", (1,)) for i in range(draw(st.integers(2, 10)))]
    for _ in range(draw(st.integers(1, 9))):
        read = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=3))
        graph.op("ADD", read, draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=2)))
    return parse_artifact(graph.finish(tensors[:1], [draw(st.sampled_from(tensors))])).subgraphs[0]


def _rounds(graph: Subgraph, claimed: set[int], edges: set[tuple[int, int]]) -> list[list[int]]:
    ready = set(range(len(graph.tensors))) - {tensor for op in graph.ops for tensor in op.outputs}
    done: set[int] = set()
    subsets: list[list[int]] = []
    while True:
        subset: list[int] = []
        moved = True
        while moved:
            moved = False
            for op in graph.ops:
                waits = any(first not in done for first, second in edges if second == op.index)
                if op.index in done or waits or not set(op.inputs) <= ready:
                    continue
                if not subset or (op.index in claimed) == (subset[0] in claimed):
                    subset.append(op.index)
                    done.add(op.index)
                    ready.update(op.outputs)
                    moved = True
        if not subset:
            return subsets
        subsets.append(subset)


@settings(max_examples=300, deadline=None)
@given(graphs(), st.sets(st.integers(0, 8)), st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=2))
def test_the_cut_is_the_runtimes(graph: Subgraph, claimed: set[int], edges: set[tuple[int, int]]) -> None:
    forward = {(a, b) for a, b in edges if a < b < len(graph.ops)}
    cut = partition(graph, claimed, control_edges=forward)
    assert [list(part.ops) for part in cut] == _rounds(graph, claimed, forward)
