"""Whose rounding a value carries: of its maker, of all that read it, and of what reads it moved."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.search.groups import find_groups
from edge_sdk.converters.search.pricing import Damage, placement_prices
from tests.graphs import Graph, options


def test_a_value_stays_rounded_while_any_reader_is_int8() -> None:
    graph = Graph()
    x, a, moved, b, c = (graph.tensor(name, [1, 4]) for name in ("x", "a", "moved", "b", "c"))
    graph.op("ABS", [x], [a])
    shape = graph.constant("shape", np.array([1, 4], np.int32))
    graph.op("RESHAPE", [a, shape], [moved], options("ReshapeOptions"))
    graph.op("NEG", [moved], [b])
    graph.op("EXP", [b], [c])
    artifact = parse_artifact(graph.finish([x], [c]))
    groups = find_groups(artifact)
    assert [group.results for group in groups] == [("a", "moved"), ("b",), ("c",)]
    network = placement_prices(artifact, groups, Damage({"b": 1.0}, {"a": 4.0, "c": 2.0}))
    # `a` is read as `moved`, by another group; `c` leaves the file.
    assert network.damage.tolist() == [0.0, 1.0, 2.0]
    assert [(value.damage, set(value.groups)) for value in network.values] == [(4.0, {0, 1})]
    assert network.member(frozenset({0})).damage == 7.0
    assert network.member(frozenset({0, 1})).damage == 2.0
