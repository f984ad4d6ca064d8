"""Which integer inputs index a table, of how many rows, and which may hold any number."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.indices import free_integers, index_bounds
from edge_sdk.artifact.model import Artifact, parse_artifact
from tests.graphs import Graph, options


def divided(kind: str) -> Artifact:
    """``ids // 41`` -> GATHER of a table of 300 rows, or what else ``kind`` says."""
    graph = Graph()
    ids, buckets = graph.tensor("ids", (1, 6), "int32"), graph.tensor("buckets", (1, 6), "int32")
    by = graph.constant("by", np.array(41, np.int32))
    graph.op(kind, (ids, by), (buckets,))
    table = graph.constant("table", np.zeros((300, 4), np.float32))
    rows = graph.tensor("rows", (1, 6, 4))
    graph.op("GATHER", (table, buckets), (rows,), options("GatherOptions"))
    return parse_artifact(graph.finish((ids,), (rows,)))


def test_a_division_on_the_way_to_a_table_widens_the_bound() -> None:
    assert index_bounds(divided("FLOOR_DIV")) == {"ids": 300 * 41}
    assert free_integers(divided("FLOOR_DIV")) == frozenset()


def test_what_is_only_computed_with_is_free() -> None:
    graph = Graph()
    ids, y = graph.tensor("ids", (1, 6), "int32"), graph.tensor("y", (1, 6), "int32")
    graph.op("FLOOR_DIV", (ids, graph.constant("by", np.array(41, np.int32))), (y,))
    artifact = parse_artifact(graph.finish((ids,), (y,)))
    assert index_bounds(artifact) == {}
    assert free_integers(artifact) == {"ids"}
