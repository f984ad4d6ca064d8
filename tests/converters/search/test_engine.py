"""The search against planted truths: few evaluations, and an honest answer whatever the metric does."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.converters.search.bench import Wanted
from edge_sdk.converters.search.engine import Search, certificate
from edge_sdk.converters.search.records import Budgets, Limits
from edge_sdk.recipe import find_recipe
from tests.converters.search.planted import Planted, search

_HALF = Budgets(max_drop=0.5)


def _few_hurt(count: int, hurtful: int, seed: int) -> list[float]:
    """Drops of which so many are large, and the others hardly there."""
    draws = np.random.default_rng(seed)
    drops = draws.uniform(0, 0.1 / count, count)
    drops[draws.choice(count, hurtful, replace=False)] = draws.uniform(0.6, 3, hurtful)
    return [float(drop) for drop in drops]


@pytest.mark.parametrize(("groups", "most", "seed"), [(64, 9, 0), (64, 9, 2), (64, 9, 4), (512, 12, 1), (512, 12, 3)])
def test_few_evaluations_find_what_exists(groups: int, most: int, seed: int) -> None:
    hurtful = 1 + 3 * seed
    found = search(Planted(_few_hurt(groups, hurtful, seed)), _HALF)
    assert found.best is not None
    assert found.best.move == "spare"
    assert found.best.score is not None
    assert found.best.score.drop.value <= 0.5
    assert found.evaluations <= most == certificate(groups)
    # Every hurtful group costs more than is allowed: all must be spared; the ranking is true: no other is.
    assert len(found.best.spared) == hurtful


def test_plain_int8_is_enough_where_it_is() -> None:
    bench = Planted([0.001] * 64)
    found = search(bench, _HALF)
    assert found.best is found.plain
    assert bench.log == ["float32 search", "static_wi8_ai8 search", "static_wi8_ai8 confirm"]


def test_a_poor_ranking_costs_speed_and_not_accuracy() -> None:
    drops = _few_hurt(64, 4, 1)
    shuffled = np.random.default_rng(2).permutation(drops).tolist()
    found = search(Planted(drops, believed=shuffled), _HALF)
    assert found.best is not None
    assert found.best.accurate
    assert found.evaluations <= 9 + len(found.fallbacks)


def test_groups_that_are_not_needed_go_back_while_there_is_time() -> None:
    drops = _few_hurt(32, 3, 4)
    believed = [drop + 4.0 * (place % 4 == 0) for place, drop in enumerate(drops)]
    short = search(Planted(drops, believed=believed), _HALF)
    long = search(Planted(drops, believed=believed), _HALF, Limits(max_evals=60))
    assert short.best is not None
    assert long.best is not None
    assert len(long.best.spared) == 3 < len(short.best.spared)
    assert long.evaluations <= 60


def test_a_metric_that_is_not_monotone_leaves_a_file_that_holds() -> None:
    def uneven(spared: frozenset[int]) -> float:
        # More float is worse at every other step, as islands of rounding can be.
        return 3.0 if len(spared) < 20 or len(spared) % 2 else 0.2

    found = search(Planted([1.0] * 64, metric=uneven), _HALF)
    assert found.best is not None
    assert found.best.accurate
    assert found.best.score is not None
    assert found.best.score.drop.value <= 0.5
    assert found.evaluations <= 9 + len(found.fallbacks)


@pytest.mark.parametrize("seed", range(4))
def test_a_noisy_metric_is_survived_and_its_interval_is_told(seed: int) -> None:
    bench = Planted(_few_hurt(64, 5, seed), noise=0.3)
    bench._draws = np.random.default_rng(seed)
    found = search(bench, _HALF)
    assert found.best is not None
    assert found.best.accurate
    if found.best is not found.reference:
        assert found.best.confirmed is not None
        drop = found.best.confirmed.drop
        assert drop.low is not None
        assert drop.low <= drop.value
        assert drop.state != "beyond"


def test_an_impossible_budget_says_what_was_nearest_and_why() -> None:
    found = search(Planted([0.2] * 16), Budgets(max_drop=0.5, max_size_mib=0.4))
    assert found.best is None
    assert "nothing fits; nearest is" in found.why()
    assert "0.4 allowed" in found.why()
    assert all(point.misses for point in found.points)


def test_budgets_of_size_stop_the_bisection_where_no_member_can_fit() -> None:
    bench = Planted([1.0] * 64)
    found = search(bench, Budgets(max_drop=0.5, max_size_mib=1.2))
    # 1.2 MiB are int8 and a few groups; of the whole files, dynamic range has 1.0 MiB and loses 0.1 points.
    assert found.best is not None
    assert found.best.recipe.name == "dynamic_wi8_afp32"


def test_without_a_drop_the_metric_is_made_best_within_the_budgets() -> None:
    found = search(Planted(_few_hurt(32, 3, 0)), Budgets(max_latency_ms=2.0), Limits(max_evals=12))
    assert found.best is not None
    assert found.best.latency is not None
    assert found.best.latency.ms <= 2.0
    assert found.best.score is not None
    assert found.best.score.drop.value < 0.1


def test_what_does_not_hold_on_unseen_data_is_struck() -> None:
    found = search(Planted([0.001] * 8, unseen=5.0), _HALF)
    plain = found.plain
    assert plain is not None
    assert not plain.fits
    assert plain.confirmation == "contradicted"
    assert any(reason.startswith("contradicted on unseen data: drop 5") for reason in plain.misses)
    assert found.best is not None
    assert found.best.recipe.mode != "static_range"


def test_unseen_data_that_cannot_tell_says_so_and_what_could() -> None:
    # 0.3 points of 0.5 on 2,000 samples: an interval from 0.1 to 0.65.
    found = search(Planted([0.0] * 8, unseen=0.3), _HALF)
    assert found.best is found.plain is not None
    assert found.plain.confirmation == "undecided"
    assert "; undecided on unseen data: drop 0.3" in found.why()
    assert "sure of 95% wanted; about" in found.why()
    assert "would decide" in found.why()
    sure = search(Planted([0.0] * 8, unseen=0.3), _HALF, confirmed=True)
    assert sure.plain is not None
    assert sure.plain.state == "misses"
    assert sure.best is not sure.plain
    assert sure.best is not None
    assert sure.best.confirmation in ("confirmed", None)


def test_a_confirmed_file_says_how_surely() -> None:
    found = search(Planted([0.0] * 8), _HALF)
    assert found.best is not None
    assert found.best.confirmation == "confirmed"
    assert "; confirmed on unseen data: drop 0" in found.why()
    # Without a drop that is allowed there is nothing to confirm.
    free = search(Planted([0.0] * 8), Budgets(max_latency_ms=2.0), Limits(max_evals=6))
    assert free.best is not None
    assert free.best.confirmed is not None
    assert free.best.confirmation is None


def test_a_wrong_file_is_struck_whatever_its_metric() -> None:
    found = search(Planted([0.001] * 8, faulty=frozenset({"static_wi8_ai8"})), _HALF)
    assert found.plain is not None
    assert "wrong: an op is wrong" in found.plain.misses
    assert found.best is not found.plain


def test_a_recipe_that_cannot_be_made_is_an_entry_and_no_end() -> None:
    found = search(Planted([0.1] * 8, unmakeable=frozenset({"static_wi8_ai8"})), _HALF)
    assert found.plain is not None
    assert found.plain.state == "failed"
    assert found.best is not None


def test_evaluations_are_limited_and_one_is_kept_for_the_confirmation() -> None:
    found = search(Planted(_few_hurt(64, 5, 0)), _HALF, Limits(max_evals=5))
    assert found.stopped == "max-evals"
    assert found.evaluations <= 5


def test_evaluations_that_a_proof_leaves_over_bring_groups_back() -> None:
    # Sixteen groups look alike and four of them hurt: the front has all or none of those that the cut takes together.
    drops = [3.0 if place in (0, 5, 10, 15) else 0.0 for place in range(64)]
    believed = [3.0 if place < 16 else 1e-6 for place in range(64)]
    found = search(Planted(drops, believed=believed), _HALF)
    tried = [point for point in found.points if point.move == "spare"]
    first = next(point for point in tried if point.accurate)
    assert found.best in tried
    assert found.best is not None
    assert len(found.best.spared) < len(first.spared) == 16
    assert found.evaluations <= certificate(64)


def _misled(count: int = 64) -> tuple[list[float], list[float], list[float]]:
    """Groups of which every eighth hurts, a ranking that sees the harmless ones, and one that is true."""
    drops = [1.0 if place % 8 == 3 else 0.001 for place in range(count)]
    # What the ranking takes for the damage is in groups that do not hurt.
    wrong = [1.0 if place % 8 == 5 else 1e-4 for place in range(count)]
    return drops, wrong, [drop**2 for drop in drops]


def test_a_ranking_that_evaluations_contradict_gives_way_to_one_that_explains_them() -> None:
    drops, wrong, true = _misled()
    stuck = search(Planted(drops, believed=wrong), _HALF)
    bench = Planted(drops, believed=wrong, others={"each op alone": true, "the larger of both": wrong})
    found = search(bench, _HALF)
    assert bench.asked >= 1
    assert found.best is not None
    assert found.best.move == "spare"
    assert stuck.best is not None
    assert len(found.best.spared) < len(stuck.best.spared) or stuck.best.move != "spare"
    # All eight that hurt, and none that was only believed to.
    assert {int(name[1:]) for name in found.best.spared} >= {place for place, drop in enumerate(drops) if drop == 1.0}
    assert len(found.best.spared) <= 10
    assert found.evaluations <= certificate(64)
    assert found.outlook is not None
    assert "was contradicted" in found.outlook.why
    assert found.outlook.why.endswith("each op alone leads")


def test_a_ranking_that_explains_what_was_evaluated_best_goes_on() -> None:
    drops, wrong, _ = _misled()
    bench = Planted(drops, believed=wrong, others={"each op alone": [1.0 if p % 8 == 5 else 1e-8 for p in range(64)]})
    found, alone = search(bench, _HALF), search(Planted(drops, believed=wrong), _HALF)
    assert bench.asked >= 1
    assert [point.spared for point in found.points] == [point.spared for point in alone.points]
    assert found.outlook is not None
    assert found.outlook.why.endswith("the first ranking leads")


def test_a_ranking_that_tells_asks_for_no_other() -> None:
    drops = _few_hurt(64, 4, 1)
    bench = Planted(drops, others={"each op alone": drops[::-1]})
    found = search(bench, _HALF)
    assert found.best is not None
    assert bench.asked == 0
    assert found.outlook is not None
    assert not found.outlook.why


def test_every_answer_has_its_metric_on_the_same_samples() -> None:
    # Else the rows of one table are not to be compared: the float file, asked for or left over, is no exception.
    left = search(Planted([20.0] * 8, metric=lambda _: 9.0), _HALF, moves=("spare",))
    assert left.best is left.reference
    assert left.best.confirmed is not None
    assert left.best.confirmed.value == 0.9
    assert left.why() == "float32: the source in float32"
    for name in ("float32", "float16", "static_wi8_ai8"):
        bench = Planted([0.01] * 8)
        wanted = Wanted(find_recipe(name), "asked for", (), Budgets(), ("plain",), alone=True)
        made = Search(bench, wanted, Limits())
        made.run()
        assert made.best is not None
        assert made.best.recipe.name == name
        assert made.best.confirmed is not None
        assert bench.log[-1] == f"{name} confirm"
