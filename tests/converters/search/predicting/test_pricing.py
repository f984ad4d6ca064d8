"""Whose rounding a value carries: of its maker, of all that read it, and of what reads it moved."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.search.predicting.groups import find_groups
from edge_sdk.converters.search.predicting.pricing import Damage, larger, placement_prices, price
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


def test_ops_alone_are_scaled_to_the_files_whose_parts_they_are_and_unknown_ones_are_doubted() -> None:
    graph = Graph()
    x, a, b, c = (graph.tensor(name, [1, 4]) for name in ("x", "a", "b", "c"))
    for name, one, other in (("ABS", x, a), ("NEG", a, b), ("EXP", b, c)):
        graph.op(name, [one], [other])
    artifact = parse_artifact(graph.finish([x], [c]))
    groups = find_groups(artifact)
    times = {"float": {"a": 6.0, "b": 10.0}, "int8": {"a": 2.0, "b": 2.0}, "up": [0.5, 0.25], "down": [1.0, 0.0]}
    # 16 and 4 us alone; the files are of a machine that takes three times that.
    found = price(artifact, groups, Damage({}, {}), times, (48.0, 12.0))
    assert found.unpriced == 1
    assert found.network.extra_us.tolist() == [12.0, 24.0, 0.0]
    assert {(border.up_us, border.down_us) for border in found.network.borders} == {(3 * (0.5 + 4 * 0.25), 3.0)}
    # A fifth of each time, the part that is not each one's own (of 20 us in sum), and what a clock tells apart; an op
    # that is not known has a mean one's doubt.
    assert found.network.doubt_us[1] ** 2 == pytest.approx(9 * (2.0**2 + 0.4**2 + 0.15**2 * 20 * 12 + 0.3**2))
    assert found.network.doubt_us[2] ** 2 == pytest.approx(9 * (1.0**2 + 1.0**2 + 0.15**2 * 20 * 10 + 0.3**2))


def test_the_larger_share_of_two_rankings_counts() -> None:
    one = Damage({"a": 6.0, "b": 1.0}, {"a": 2.0, "b": 1.0})
    # In units of the first: a 2, b 4, and c, of which the first says nothing, 4.
    both = larger(one, Damage({"a": 1.0, "b": 2.0, "c": 2.0}, {}))
    assert both.own == {"a": 6.0, "b": 2.0, "c": 4.0}
    assert both.rounding == {"a": 2.0, "b": 2.0}
    assert larger(one, Damage({}, {})) == one
