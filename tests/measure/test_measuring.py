"""Benchmarks of simulated machines and models, of which the truth is known."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.errors import MeasurementError
from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import QUICK, QUOTABLE, Plan, make_plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.progress import Silent
from edge_sdk.report.benchmark import as_text
from tests.measure.simulated import Model, Simulation

TWO_SECONDS = Plan("custom", min_queries=60, min_seconds=1.5)


def run(simulation: Simulation, *models: Model, plan: Plan = TWO_SECONDS) -> Benchmark:
    return measure([one.subject() for one in models], plan, machine=simulation.machine(), progress=Silent())


def rules(benchmark: Benchmark) -> set[str]:
    return {reason.rule for result in benchmark.results for reason in result.validity.reasons}


def test_a_quiet_machine_gives_a_valid_and_quotable_result(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    model = Model(simulation, 7.0)
    found = run(simulation, model, plan=QUOTABLE)
    (result,) = found.results
    assert result.validity.reasons == ()
    performance = result.performance_run
    assert performance.measured_duration >= 60
    assert performance.measured_samples >= 1024
    assert performance.loadgen_info.is_min_duration_met
    assert performance.loadgen_info.is_min_query_met
    # |N(0, 1)| has the median 0.674, and noise is 2 % of it.
    assert performance.latency_ms.p50.value == pytest.approx(7.0 * (1 + 0.02 * 0.674), rel=0.02)
    assert performance.latency_ms.max > 20
    assert result.warm_up.detected
    assert len(performance.trace_ms) == len(performance.trace_at_s) <= 5000
    assert "p50" in as_text(found)
    assert "VALID" in as_text(found).splitlines()[0]
    assert model.opened == model.closed == 1


def test_warm_up_is_not_in_the_numbers(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    model = Model(simulation, 5.0)
    # A compiler that gets better for three seconds, as some drivers do.
    model.drift = lambda at: 1 + 2 * max(0.0, 1 - at / 3)
    (result,) = run(simulation, model).results
    assert result.validity.valid, result.validity.reasons
    assert result.warm_up.duration_ms > 2000
    assert result.performance_run.latency_ms.p50.value == pytest.approx(5.07, rel=0.03)


def test_a_planted_slowdown_of_10_percent_is_found_in_20_of_20(tmp_path: Path) -> None:
    for seed in range(20):
        simulation = Simulation(tmp_path / str(seed))
        base = Model(simulation, 4.0, seed=seed, name="base")
        slower = Model(simulation, 4.4, seed=1000 + seed, name="slower")
        (comparison,) = run(simulation, base, slower).comparisons
        assert comparison.verdict == "slower", comparison
        assert comparison.validity.valid, comparison.validity


def test_equal_files_are_called_equal_in_19_of_20_and_differ_by_less_than_2_percent(tmp_path: Path) -> None:
    verdicts = []
    for seed in range(20):
        simulation = Simulation(tmp_path / str(seed))
        pair = [Model(simulation, 4.0, seed=seed + 500 * side, name=f"side {side}") for side in (0, 1)]
        found = run(simulation, *pair)
        first, second = (one.performance_run.latency_ms.p50.value for one in found.results)
        assert abs(second / first - 1) < 0.02 or not found.valid
        verdicts.append(found.comparisons[0].verdict)
    assert verdicts.count("equal") >= 19, verdicts
    assert "faster" not in verdicts
    assert "slower" not in verdicts


SPOILT: dict[str, tuple[dict[str, Any], str]] = {
    "a hog": ({"hog": lambda at: 1.0}, "busy-machine"),
    "a hog for a third of the time": ({"hog": lambda at: 3.0 if at % 1.0 < 0.35 else 0.0}, "busy-machine"),
    "waiting for a CPU": ({"waited": 0.05}, "waited-for-cpu"),
    "a clock that falls": ({"mhz": lambda at: 2000 if at < 2 else 1200}, "frequency-drop"),
    "a lowered limit": ({"limit": lambda at: 2000 if at < 2 else 1500}, "frequency-limit"),
    "throttling that the kernel counted": ({"throttled": lambda at: 3 if at < 2 else 4}, "throttled"),
    "a fan that starts": ({"cooling": lambda at: 0 if at < 2 else 2}, "cooling"),
    "sleep": ({"slept_ns": 5 * 10**9}, "slept"),
    "a clock that jumps back": ({"back_ns": 3 * 10**9}, "clock-jump"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_machine_is_told(tmp_path: Path, what: str) -> None:
    settings, rule = SPOILT[what]
    simulation = Simulation(tmp_path, **settings)
    found = run(simulation, Model(simulation, 5.0), plan=Plan("custom", min_queries=10, min_seconds=6.0))
    assert rule in rules(found)
    assert not found.valid
    assert not found.results[0].performance_run.loadgen_info.is_result_valid
    assert "INVALID" in as_text(found).splitlines()[0]


def test_a_hog_invalidates_the_comparison_too(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path, hog=lambda at: 1.0)
    found = run(simulation, Model(simulation, 5.0, name="a"), Model(simulation, 6.0, name="b"))
    assert not found.comparisons[0].validity.valid
    assert "INVALID, slower" in as_text(found)


def test_a_wall_clock_that_is_set_does_no_harm_and_is_noted(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path, wall_jump_ns=3600 * 10**9)
    found = run(simulation, Model(simulation, 5.0), plan=Plan("custom", min_queries=10, min_seconds=6.0))
    assert found.valid
    assert "+3600" in " ".join(found.conditions.notes)


def test_drift_is_told(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    model = Model(simulation, 5.0)
    model.drift = lambda at: 1 + 0.02 * at
    found = run(simulation, model, plan=Plan("custom", min_queries=10, min_seconds=10.0))
    assert "drift" in rules(found)


def test_a_sustained_run_tells_the_first_minute_from_the_last(tmp_path: Path) -> None:
    """Heat is what is looked for there: the phone is at half its clock after two minutes, and that is the result."""
    simulation = Simulation(tmp_path, mhz=lambda at: 2000 if at < 130 else 1000, throttled=lambda at: int(at > 130))
    model = Model(simulation, 20.0)
    model.drift = lambda at: 1.0 if at < 130 else 2.0
    found = run(simulation, model, plan=make_plan(sustained=4))
    (result,) = found.results
    assert result.validity.valid, result.validity.reasons
    assert result.sustained is not None
    assert [row.minute for row in result.sustained.minutes] == [1, 2, 3, 4]
    assert result.sustained.last_to_first.value == pytest.approx(2.0, rel=0.03)
    assert "minute 4" in as_text(found)


def test_a_model_of_2_us_is_timed_in_batches(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    (result,) = run(simulation, Model(simulation, 0.002), plan=Plan("custom", 100, 0.2)).results
    run_of = result.performance_run
    assert run_of.queries_per_sample > 1
    # The simulated clock takes 40 ns to read, twice for each sample.
    assert run_of.latency_ms.p50.value == pytest.approx(0.00207, rel=0.05)
    assert run_of.overhead_us is not None
    assert run_of.overhead_us < 0.02


def test_a_model_of_20_s_gets_its_10_queries_and_no_more(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    found = run(simulation, Model(simulation, 20_000.0), plan=QUICK)
    (result,) = found.results
    assert 10 <= result.performance_run.measured_samples <= 11
    assert result.performance_run.latency_ms.p99 is None
    assert result.performance_run.latency_ms.p90 is not None
    assert not result.performance_run.loadgen_info.is_min_query_met
    assert "too few queries" in as_text(found)


def test_a_limit_in_seconds_is_kept_and_too_few_queries_are_invalid(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    found = run(simulation, Model(simulation, 20_000.0), plan=make_plan(max_seconds=60))
    assert found.results[0].performance_run.measured_samples <= 4
    assert "too-few" in rules(found)


def test_a_fast_and_a_slow_model_side_by_side(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    fast, slow = Model(simulation, 0.5, name="fast"), Model(simulation, 100.0, name="slow")
    found = run(simulation, fast, slow, plan=Plan("custom", 30, 0.5))
    assert found.comparisons[0].ratio.value == pytest.approx(200, rel=0.03)
    assert found.comparisons[0].verdict == "slower"
    # Both have what was asked for, and nobody waits for a million rounds.
    assert all(one.performance_run.measured_samples >= 30 for one in found.results)
    assert simulation.at_s < 120


def test_ctrl_c_closes_what_is_open_and_turns_the_collector_on_again(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    first, second = Model(simulation, 5.0, name="a"), Model(simulation, 5.0, name="b")

    def interrupt(count: int) -> None:
        if count == 150:
            raise KeyboardInterrupt

    second.on_run = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(simulation, first, second)
    assert (first.opened, second.opened) == (first.closed, second.closed)
    assert gc.isenabled()


def test_one_that_does_not_open_leaves_none_open(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path)
    first, second = Model(simulation, 5.0, name="a"), Model(simulation, 5.0, name="b")

    def fail() -> Model:
        raise MeasurementError("no")

    second._open = fail  # type: ignore[method-assign]
    with pytest.raises(MeasurementError):
        run(simulation, first, second)
    assert first.opened == first.closed == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_plan(runs=0), "min_queries: expected 1 or more, got 0"),
        (lambda: make_plan(seconds=0.0), "min_seconds: expected a number above 0, got 0"),
        (lambda: make_plan(seconds=float("nan")), "min_seconds: expected a number above 0"),
        (lambda: make_plan(max_seconds=-1.0), "max_seconds"),
        (lambda: make_plan(sustained=1.0), "expected 2 or more"),
        (lambda: make_plan(sustained=5.0, quick=True), "no quick, runs or seconds beside it"),
        (lambda: make_plan(margin=0.0), "margin"),
    ],
)
def test_plans_that_make_no_sense_are_refused(make: Callable[[], Plan], message: str) -> None:
    with pytest.raises(MeasurementError, match=message):
        make()
