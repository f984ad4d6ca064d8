"""Ops that stand or fall together."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.search.predicting.groups import find_groups
from tests.graphs import Graph


def _names(data: bytes) -> list[set[str]]:
    return [set(group.results) for group in find_groups(parse_artifact(data))]


def _chain() -> tuple[Graph, dict[str, int]]:
    graph = Graph()
    tensors = {name: graph.tensor(name, [1, 4]) for name in ("x", "a", "b", "s", "t", "u")}
    return graph, tensors


def test_sums_of_one_residual_path_are_one_group() -> None:
    graph, t = _chain()
    graph.op("RELU", [t["x"]], [t["a"]])
    graph.op("ADD", [t["x"], t["a"]], [t["s"]])
    graph.op("RELU", [t["s"]], [t["b"]])
    graph.op("ADD", [t["s"], t["b"]], [t["u"]])
    assert _names(graph.finish([t["x"]], [t["u"]])) == [{"a"}, {"s", "u"}, {"b"}]


def test_what_moves_values_goes_with_whoever_made_them() -> None:
    graph, t = _chain()
    shape = graph.constant("shape", np.array([4, 1], np.int32))
    moved = graph.tensor("moved", [4, 1])
    graph.op("RELU", [t["x"]], [t["a"]])
    graph.op("RESHAPE", [t["a"], shape], [moved])
    assert _names(graph.finish([t["x"]], [moved])) == [{"a", "moved"}]


def test_parts_that_only_a_concatenation_reads_share_its_scale() -> None:
    graph, t = _chain()
    joined = graph.tensor("joined", [1, 12])
    graph.op("RELU", [t["x"]], [t["a"]])
    graph.op("TANH", [t["x"]], [t["b"]])
    graph.op("LOGISTIC", [t["x"]], [t["s"]])
    graph.op("RELU", [t["s"]], [t["u"]])
    graph.op("CONCATENATION", [t["a"], t["b"], t["s"]], [joined])
    # `s` is read elsewhere too, and keeps a scale of its own.
    assert _names(graph.finish([t["x"]], [joined, t["u"]])) == [{"a", "b", "joined"}, {"s"}, {"u"}]
