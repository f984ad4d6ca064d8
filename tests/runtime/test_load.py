"""Variants under load: the state machine on made-up times."""

from __future__ import annotations

import pytest

from edge_sdk.errors import PolicyError
from edge_sdk.runtime.load import Deadline, LoadState, after_run

USUAL = (8.0, 2.0, 1.0)
DEADLINE = Deadline(10.0, misses=3, calm=5)


def levels(slowdowns: list[float], deadline: Deadline = DEADLINE) -> list[int]:
    """The level after each run, when a run takes its usual time times the slowdown of that moment."""
    state, seen = LoadState(), []
    for slowdown in slowdowns:
        state = after_run(state, USUAL[state.level] * slowdown, deadline, USUAL)
        seen.append(state.level)
    return seen


def test_nothing_changes_while_the_deadline_is_kept() -> None:
    assert levels([1.0] * 50) == [0] * 50


def test_single_misses_do_not_count() -> None:
    assert levels([2.0, 2.0, 1.0] * 20) == [0] * 60


def test_misses_in_a_row_bring_the_faster_variant() -> None:
    assert levels([2.0] * 4) == [0, 0, 1, 1]


def test_it_falls_further_and_stops_at_the_last() -> None:
    assert levels([20.0] * 12) == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]


def test_it_returns_when_the_slower_one_would_keep_the_deadline_with_a_margin() -> None:
    # 8 ms of 10 is at the margin of 0.8: five calm runs and the first variant is back.
    assert levels([2.0] * 3 + [1.0] * 6) == [0, 0, 1, 1, 1, 1, 1, 0, 0]
    # At 1.2 times its time it would take 9.6 ms: kept, but too close.
    assert levels([2.0] * 3 + [1.2] * 30)[2:] == [1] * 31


def test_calm_must_be_in_a_row() -> None:
    assert levels([2.0] * 3 + [1.0, 1.0, 1.0, 1.0, 1.2] * 6)[2:] == [1] * 31


def test_going_to_and_fro_takes_ever_longer() -> None:
    """Load that is there only while the slow variant runs: each return waits twice as long, up to 32 times."""
    state, switches, last = LoadState(), [], 0
    for run in range(4000):
        took = USUAL[state.level] * (2.0 if state.level == 0 else 1.0)
        before = state.level
        state = after_run(state, took, DEADLINE, USUAL)
        if before == 1 and state.level == 0:
            switches.append(run - last)
        if before == 0 and state.level == 1:
            last = run
    assert switches[:7] == [5, 10, 20, 40, 80, 160, 160]


def test_patience_is_forgotten_after_a_long_calm() -> None:
    trouble, calm = [2.0] * 3, [1.0] * 30
    seen = levels(trouble + calm + trouble + calm)
    assert seen.index(0, 3) == 7
    assert seen.index(0, 36) == 33 + 7


@pytest.mark.parametrize("settings", [{"ms": 0}, {"ms": float("nan")}, {"ms": 1, "misses": 0}, {"ms": 1, "margin": 2}])
def test_senseless_deadline_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PolicyError, match="deadline: expected ms > 0"):
        Deadline(**settings)  # type: ignore[arg-type]
