"""A short run of what ``make fuzz`` does for an hour; each lane's number is what fits in a quarter of a minute."""

from __future__ import annotations

import pytest

from tests.hostile.fuzz import run

_COUNTS = {"read": 2000, "check": 400, "session": 100, "bundle": 400}


@pytest.mark.parametrize("lane", _COUNTS)
@pytest.mark.runtime
def test_mutants_are_taken_or_refused(lane: str) -> None:
    """No foreign exception, no death, no hang, no bomb, and no altered bundle that passes for whole."""
    tally = run(lane, first=0, count=_COUNTS[lane], seconds=600)
    assert tally.broken == []
    assert sum(tally.counts.values()) == _COUNTS[lane]
    # A mutator that only makes rubbish would prove nothing.
    assert lane == "bundle" or tally.counts["taken"] > _COUNTS[lane] / 20
