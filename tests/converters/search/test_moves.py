"""Moves beyond the certificate, against planted truths: who asks for them gets them, the cheapest first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_sdk.converters.search.account import expectations
from edge_sdk.converters.search.engine import Search, certificate
from edge_sdk.converters.search.moves import MOVES
from edge_sdk.converters.search.planning import check_moves
from edge_sdk.converters.search.predicting.cut import Network
from edge_sdk.converters.search.records import Budgets, File, Latency, Limits, OnDevice, Point
from edge_sdk.converters.search.view import Training
from edge_sdk.errors import RecipeError
from edge_sdk.recipe import Recipe
from edge_sdk.recipe.training import Train
from tests.converters.search.planted import Planted, search

_HALF = Budgets(max_drop=0.5)
_TRAINING = Training(Train(epochs=1), "classes")
_LOSES = [0.1] * 16


def _moves(found: Search) -> list[str]:
    return list(dict.fromkeys(point.move for point in found.points))


def test_dear_moves_wait_until_they_are_asked_for() -> None:
    bench = Planted(_LOSES, tuned=0.1)
    assert not {"tune", "ranges", "repair", "qat", "prune"} & set(_moves(search(bench, _HALF)))
    named = search(bench, _HALF, moves=("plain", "tune"))
    assert named.best is not None
    assert named.best.recipe.name == "static_wi8_ai8_tuned"
    assert not named.best.spared
    timed = search(bench, _HALF, Limits(max_evals=40))
    assert timed.best is not None
    assert timed.best.move == "tune"
    assert _moves(timed).index("spare") < _moves(timed).index("tune")


def test_tuning_that_is_not_enough_spares_fewer_groups() -> None:
    bench = Planted(_LOSES, tuned=0.5)
    found = search(bench, _HALF, moves=("plain", "spare", "tune"))
    assert found.best is not None
    assert found.best.move == "tune"
    # Half of each drop is left: 0.5 points are 10 groups in int8, without tuning they are 5.
    assert len(found.best.spared) == 6
    spared = [point for point in found.points if point.move == "spare" and point.accurate]
    # 11, or the one more that a guess may cost where evaluations are few.
    assert min(len(point.spared) for point in spared) in (11, 12)


def test_noise_that_was_measured_leads_where_the_prediction_misleads() -> None:
    drops = [4.0 if place in (3, 9) else 0.001 for place in range(32)]
    # All groups together look harmless but for those that hurt, which come last of all.
    believed = [0.0 if place in (3, 9) else 1.0 for place in range(32)]
    budgets = Budgets(max_drop=0.5, max_latency_ms=3.0)
    lost = search(Planted(drops, believed=believed), budgets, moves=("plain", "spare"))
    assert lost.best is None
    found = search(Planted(drops, believed=believed), budgets, moves=("plain", "spare", "repair"))
    assert found.best is not None
    assert found.best.move == "repair"
    assert set(found.best.spared) == {"g3", "g9"}
    assert found.evaluations <= certificate(32) + 5


def test_int4_is_taken_where_it_is_faster_and_holds() -> None:
    found = search(Planted([0.001] * 8, int4_ms=0.5), _HALF)
    assert found.best is not None
    assert found.best.recipe.name == "dynamic_wi4_afp32_blockwise_32"
    channels = next(point for point in found.points if point.recipe.name == "dynamic_wi4_afp32")
    assert not channels.accurate


def test_an_accelerator_is_not_left_where_int16_holds() -> None:
    found = search(Planted(_LOSES, accelerator=True), _HALF)
    assert found.best is not None
    # In part, for what holds in int8 takes half the time there.
    assert (found.best.move, found.best.spared_in) == ("int16_groups", "int16")
    assert any(point.recipe.name == "static_wi8_ai16" and point.accurate for point in found.points)
    assert "spare" not in _moves(found)
    # This machine's own time, by which float in part would win, is not the device's.
    assert all(member.ms is None for member in expectations(found))


def test_only_the_groups_that_need_it_are_in_int16() -> None:
    drops = [3.0 if place in (2, 5) else 0.001 for place in range(16)]
    found = search(Planted(drops, accelerator=True), _HALF)
    best = found.best
    assert best is not None
    assert (best.move, best.spared_in, best.spared) == ("int16_groups", "int16", ("g2", "g5"))
    assert best.file is not None
    assert best.file.on_device is not None
    # Two of sixteen take twice the time, and nothing leaves the accelerator.
    assert best.file.on_device.cost == (0, 1, 18_000)
    assert found.evaluations <= certificate(16) + 2


def test_what_must_leave_an_accelerator_is_as_little_as_can_be() -> None:
    # int16 does not help: one group hurts, and all else stays together.
    drops = [3.0 if place == 0 else 0.001 for place in range(16)]
    found = search(Planted(drops, accelerator=True, int16_drop=9.0), _HALF)
    assert found.best is not None
    assert found.best.spared == ("g0",)
    assert found.best.file is not None
    assert found.best.file.on_device is not None
    assert found.best.file.on_device.cost == (1000, 1, 15_000)


def test_weights_are_clustered_where_the_compressed_file_is_too_large() -> None:
    def trained(recipe: Recipe) -> float:
        assert recipe.train is not None
        return 0.3 if recipe.train.cluster else 0.0

    training = Training(Train(), "classes")
    for most, clusters in ((0.8, 64), (0.55, 16)):
        bench = Planted([0.001] * 8, trained=trained)
        found = search(bench, Budgets(max_drop=0.5, max_compressed_mib=most), moves=("cluster",), training=training)
        assert found.best is not None
        assert (found.best.move, found.best.recipe.name) == ("cluster", f"clustered_{clusters}_static_wi8_ai8")
        assert found.best.recipe.train is not None
        assert found.best.recipe.train.qat is not None
    # 4 bits of a value are the least.
    none = search(bench, Budgets(max_drop=0.5, max_compressed_mib=0.4), moves=("cluster",), training=training)
    assert none.best is None
    assert "MiB compressed, 0.4 allowed" in none.why()


def test_training_is_the_last_and_stops_where_it_need_not_go_on() -> None:
    def trained(recipe: Recipe) -> float:
        assert recipe.train is not None
        prune = recipe.train.prune
        if prune is None:
            return 0.1 if recipe.train.distil else 2.0
        return {0.3: 0.2, 0.5: 0.4, 0.7: 6.0}[prune.pruning_ratio or 0.0]

    found = search(Planted(_LOSES, trained=trained), _HALF, training=_TRAINING)
    names = [point.recipe.name for point in found.points if point.move in ("qat", "prune")]
    expected = ("qat", "qat_taught", "pruned_30", "pruned_50", "pruned_70")
    assert names == [f"{word}_static_wi8_ai8" for word in expected]
    assert found.points[-len(names) :] == [p for p in found.points if p.move in ("qat", "prune")]
    assert found.best is not None
    assert found.best.recipe.name == "pruned_50_static_wi8_ai8"
    # Its evaluations are beside those of the proof, which is reached as well.
    assert any(point.move == "spare" and point.accurate for point in found.points)


def test_training_in_int8_is_left_out_where_int8_holds() -> None:
    found = search(Planted([0.001] * 8, trained=lambda recipe: 5.0), _HALF, training=_TRAINING)
    names = [point.recipe.name for point in found.points if point.move in ("qat", "prune")]
    assert names == ["pruned_30_static_wi8_ai8", "pruned_15_static_wi8_ai8"]


def test_a_training_that_fails_is_an_entry_and_no_end() -> None:
    bench = Planted(_LOSES, unmakeable=frozenset({"qat_static_wi8_ai8"}), trained=lambda recipe: 0.0)
    found = search(bench, _HALF, training=_TRAINING)
    failed = next(point for point in found.points if point.recipe.name == "qat_static_wi8_ai8")
    assert failed.state == "failed"
    assert any(point.move == "prune" and point.accurate for point in found.points)


@pytest.mark.parametrize(
    ("names", "trains", "told"),
    [
        (("tuen",), False, "unknown move `tuen`"),
        (("qat",), False, "no training data"),
        (("tune",), True, "none of the moves tune trains"),
    ],
)
def test_moves_that_cannot_be_made_are_refused(names: tuple[str, ...], trains: bool, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        check_moves(names, trains=trains)


def test_every_move_begins_with_plain() -> None:
    assert check_moves(("spare", "plain"), trains=False) == ("plain", "spare")
    assert next(iter(MOVES)) == "plain"
    assert np.all([move.needs in ("", "time", "training") for move in MOVES.values()])


@pytest.mark.parametrize("groups", [8, 40])
def test_the_front_is_timed_where_it_is_least_sure_and_nothing_of_it_is_evaluated(groups: int) -> None:
    # Times rise with the square of what is in float, where ops alone tell of a line: 40 % off in the middle.
    bench = Planted([*[0.001] * (groups - 1), 3.0], curve=2.0)
    found = search(bench, _HALF, Limits(max_evals=9))
    timed = [point for point in found.points if point.move == "front"]
    assert 1 <= len(timed) <= 6
    assert {point.state for point in timed} == {"not evaluated"}
    assert not {f"{point.recipe.name} search" for point in timed} & set(bench.log)
    members = expectations(found)
    truth = [1 + 3 * (member.spared / groups) ** 2 for member in members]
    off = [abs(member.ms / ms - 1) for member, ms in zip(members, truth, strict=True) if member.ms is not None]
    assert max(off) < 0.1
    for member, ms in zip(members, truth, strict=True):
        made = member.spared in {0, groups, *(len(point.spared) for point in found.points if point.latency)}
        assert member.truth == ("measured" if made else "predicted")
        assert not made or member.ms == ms


def test_a_front_whose_times_are_sure_is_not_timed() -> None:
    found = search(Planted([*[0.001] * 63, 3.0]), _HALF)
    assert "front" not in _moves(found)


def test_a_budget_of_time_that_int8_misses_is_kept_by_a_member_that_is_faster() -> None:
    class SlowInt8(Planted):
        """Groups 0 and 1 take long in int8, as ops without an integer kernel in the delegate do."""

        def latency(self, file: File) -> Latency:
            slow = 2 - len({0, 1} & self.spared(self._recipes[file.key]))
            return replace(super().latency(file), ms=super().latency(file).ms + 5.0 * slow)

        def network(self, plain: Point, reference: Point) -> Network:
            known = super().network(plain, reference)
            extra = [us - 5000 * (group < 2) for group, us in enumerate(known.extra_us.tolist())]
            return Network(known.damage.tolist(), extra, known.borders)

    found = search(SlowInt8([0.01] * 16), Budgets(max_latency_ms=3.0), Limits(max_evals=12))
    assert found.best is not None
    assert {"g0", "g1"} <= set(found.best.spared)


def test_a_file_that_the_accelerator_takes_alike_is_the_recipe_of_the_device_and_no_float32() -> None:
    class Alike(Planted):
        """As a GPU, which computes float32 and float16 in the same place."""

        def _placed(self, recipe: Recipe) -> OnDevice:
            return OnDevice("planted", 1000, 0, 1)

    found = search(Alike([0.001] * 8, accelerator=True), _HALF)
    assert found.best is found.plain is not None
