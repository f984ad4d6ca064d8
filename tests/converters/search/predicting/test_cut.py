"""Smallest cuts against all choices tried, and the family's promises."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from edge_sdk.converters.search.predicting.cut import Border, Network, Value, family


def _network(seed: int, groups: int = 7) -> Network:
    draws = np.random.default_rng(seed)
    borders = [Border(None, frozenset({0}), 2.0, 3.0), Border(groups - 1, frozenset({None}), 2.0, 3.0)]
    for maker in range(groups - 1):
        others = draws.choice(np.arange(maker + 1, groups), min(2, groups - maker - 1), replace=False)
        readers = frozenset[int | None](int(other) for other in others)
        borders.append(Border(maker, readers, *draws.uniform(0, 4, 2).tolist()))
    made = [border for border in borders if border.maker is not None]
    values = [
        Value(float(draws.uniform(0, 1)), frozenset(one for one in (border.maker, *border.readers) if one is not None))
        for border in made
    ]
    return Network(draws.uniform(0, 1, groups).tolist(), draws.uniform(-1, 5, groups).tolist(), borders, values)


def _cost(network: Network, spared: frozenset[int], price: float) -> float:
    member = network.member(spared)
    return member.extra_us + price * member.damage


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_is_the_best_of_all_choices(seed: int) -> None:
    network = _network(seed)
    every = [frozenset(c) for n in range(8) for c in combinations(range(7), n)]
    for price in (0.0, 1.0, 7.0, 100.0):
        best = min(_cost(network, choice, price) for choice in every)
        # Capacities are rounded to 2^-30 of their sum.
        assert _cost(network, network.cut(price), price) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_the_family_is_nested_from_nothing_to_all(seed: int) -> None:
    members = family(_network(seed, groups=12))
    assert members[0].spared == frozenset()
    assert members[-1].spared == frozenset(range(12))
    for one, other in pairwise(members):
        assert one.spared < other.spared
        assert one.damage >= other.damage


@pytest.mark.parametrize("seed", range(10))
def test_the_family_holds_the_best_choice_for_every_price(seed: int) -> None:
    network = _network(seed)
    members = family(network)
    every = [frozenset(c) for n in range(8) for c in combinations(range(7), n)]
    for price in np.geomspace(0.1, 100, 12):
        # The first member is all in int8, even where float is faster for nothing.
        best = min(_cost(network, choice, price) for choice in every)
        ours = min(member.extra_us + price * member.damage for member in members)
        assert ours <= best + 1e-3 * max(1.0, abs(best)) or members[0].extra_us > min(m.extra_us for m in members)


def test_a_border_joins_what_is_dear_to_part() -> None:
    """A group that does no damage is spared too, between two that do, where conversions cost more than its time."""
    damage, extra = [5.0, 0.01, 5.0], [1.0, 1.0, 1.0]
    dear = [Border(0, frozenset({1}), 3, 3), Border(1, frozenset({2}), 3, 3)]
    cheap = [Border(0, frozenset({1}), 0.1, 0.1), Border(1, frozenset({2}), 0.1, 0.1)]
    assert Network(damage, extra, dear).cut(2.0) == {0, 1, 2}
    assert Network(damage, extra, cheap).cut(2.0) == {0, 2}


def test_a_value_is_converted_once_for_all_its_readers() -> None:
    network = Network([0.0] * 3, [1.0] * 3, [Border(0, frozenset({1, 2}), 4.0, 4.0)])
    assert network.member(frozenset({1, 2})).extra_us == 6.0
    assert network.member(frozenset({1})).extra_us == 5.0


def test_a_value_is_exact_only_where_all_that_touch_it_are_spared() -> None:
    network = Network([1.0, 0.0, 0.0], [1.0] * 3, [], [Value(4.0, frozenset({0, 1})), Value(2.0, frozenset({1, 2}))])
    spared = {
        frozenset(): 7.0,
        frozenset({0}): 6.0,
        frozenset({0, 1}): 2.0,
        frozenset({1, 2}): 5.0,
        frozenset({0, 1, 2}): 0.0,
    }
    assert {choice: network.member(choice).damage for choice in spared} == spared
    assert network.shares.tolist() == [3.0, 3.0, 1.0]
