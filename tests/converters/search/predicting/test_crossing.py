"""The member that just holds is found in few steps where the ranking tells, and in bisection's where it does not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from edge_sdk.converters.search.predicting.crossing import Crossing

_COUNT = 64


def _damage(seed: int) -> list[float]:
    """Of a family of 64 groups: what is left when the most harmful ones are taken away, one at a time."""
    each = np.sort(np.random.default_rng(seed).lognormal(0, 2, _COUNT))[::-1]
    return [float(each[place:].sum()) for place in range(_COUNT + 1)]


def _found(damage: list[float], drop: Callable[[int], float], most: float) -> tuple[int, int]:
    """The first member that holds, and how many were tried."""
    crossing, tried = Crossing(damage, most, 0, _COUNT), 0
    crossing.note(0, drop(0), holds=False)
    while crossing.high - crossing.low > 1:
        place = crossing.next_place()
        assert crossing.low < place < crossing.high
        crossing.note(place, drop(place), holds=drop(place) <= most)
        tried += 1
    return crossing.high, tried


@pytest.mark.parametrize(("power", "most_steps"), [(0.4, 4.5), (0.5, 4.5), (1.0, 5.5)])
def test_where_the_ranking_tells_a_few_steps_are_enough(power: float, most_steps: float) -> None:
    steps = []
    for seed in range(20):
        damage = _damage(seed)
        most = 10 * (damage[1 + 3 * seed] / damage[0]) ** power * 1.001
        place, tried = _found(damage, lambda at, d=damage: 10 * (d[at] / d[0]) ** power, most)  # type: ignore[misc]
        assert place == 1 + 3 * seed
        steps.append(tried)
    # Bisection takes six of each.
    assert np.mean(steps) < most_steps


def test_where_it_does_not_tell_one_step_more_than_bisection_is_the_most() -> None:
    for seed in range(40):
        place = int(np.random.default_rng(seed).integers(1, _COUNT))
        # The drop has nothing to do with the damage that was expected.
        found, tried = _found(_damage(seed), lambda at, edge=place: 0.2 if at >= edge else 5.0, 0.5)  # type: ignore[misc]
        assert found == place
        assert tried <= math.log2(_COUNT) + 1


def test_a_file_that_just_fails_needs_one_group() -> None:
    damage = _damage(3)
    place, tried = _found(damage, lambda at: 0.51 * damage[at] / damage[0], 0.5)
    assert (place, tried) == (1, 1)
