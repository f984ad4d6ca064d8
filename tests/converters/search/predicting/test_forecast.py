"""Times by single ops, corrected by whole files: what was timed is hit, and what was not comes nearer."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.converters.search.predicting.cut import Border, Network, family
from edge_sdk.converters.search.predicting.forecast import Forecast

_GROUPS, _PLAIN_US = 60, 1000.0


def _truth(seed: int) -> tuple[Network, Network]:
    """What ops take alone, and what they take in the file: each off by a fifth, borders by half more."""
    draws = np.random.default_rng(seed)
    real = draws.gamma(1.0, 30.0, _GROUPS)
    alone = real * (1 + 0.3 + 0.2 * draws.standard_normal(_GROUPS))
    damage = draws.gamma(0.5, 1.0, _GROUPS)

    def borders(us: float) -> list[Border]:
        return [Border(i, frozenset({i + 1}), us, us) for i in range(_GROUPS - 1)]

    doubt = (0.3 * alone).tolist()
    return (
        Network(damage.tolist(), alone.tolist(), borders(2.0), doubt_us=doubt),
        Network(damage.tolist(), real.tolist(), borders(3.0)),
    )


def test_each_file_that_is_timed_brings_the_others_nearer() -> None:
    alone, real = _truth(0)
    forecast = Forecast(alone, _PLAIN_US)
    every = frozenset(range(_GROUPS))
    members = [member.spared for member in family(alone)]

    def worst() -> float:
        off = [forecast.extra_us(m) - real.member(m).extra_us for m in members]
        return max(abs(one) / (_PLAIN_US + real.member(m).extra_us) for one, m in zip(off, members, strict=True))

    before = worst()
    seen = []
    for spared in (every, members[len(members) // 2], members[len(members) // 4]):
        forecast.note(spared, _PLAIN_US + real.member(spared).extra_us)
        seen.append(worst())
    assert before > 0.15
    assert seen[-1] < 0.1
    assert seen[-1] < seen[0] < before
    # What was timed is hit, within twice what a clock tells.
    for spared in (every, members[len(members) // 2]):
        assert forecast.extra_us(spared) == pytest.approx(real.member(spared).extra_us, abs=0.02 * 3 * _PLAIN_US)


def test_without_a_time_of_int8_nothing_is_corrected() -> None:
    alone, _ = _truth(1)
    forecast = Forecast(alone, None)
    forecast.note(frozenset({0}), 5.0)
    assert forecast.network is alone
