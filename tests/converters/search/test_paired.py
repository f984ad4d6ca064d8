"""Intervals of paired drops hold as often as they say, and comparisons stop when they are decided."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edge_sdk.converters.search.paired import (
    CONFIDENCE,
    LOOKS,
    drop_of,
    interval,
    samples_to_confirm,
    score_upper,
    state_of,
    verdict_interval,
)


def test_tango_s_interval_is_the_published_one() -> None:
    # Tango 1998, table I: b = 12, c = 2 of 50 pairs, 95 % in the middle: 0.061 to 0.345 (to three places, our root).
    assert -score_upper(2, 12, 50, 0.975) == pytest.approx(0.0569, abs=0.006)
    assert score_upper(12, 2, 50, 0.975) == pytest.approx(0.3404, abs=0.006)
    # With nothing that differs: z^2 / (n + z^2).
    assert score_upper(0, 0, 44, 0.975) == pytest.approx(3.8415 / (44 + 3.8415), abs=1e-4)


def test_where_all_that_differs_is_on_one_side_ends_are_the_exact_binomial_ones() -> None:
    # Clopper and Pearson: with k of n at the upper end, k or fewer are found once in twenty times.
    for lost, count in ((0, 598), (3, 400), (7, 90)):
        low, high = verdict_interval(lost, 0, count, 0.95)
        tail = sum(math.comb(count, k) * high**k * (1 - high) ** (count - k) for k in range(lost + 1))
        assert tail == pytest.approx(0.05, abs=1e-6)
        assert verdict_interval(0, lost, count, 0.95) == (-high, -low)


@pytest.mark.parametrize(("count", "most", "won"), [(540, 0.005, 0.0), (540, 0.005, 0.002), (300, 0.01, 0.002)])
def test_decisions_at_the_budget_are_wrong_as_seldom_as_they_say(count: int, most: float, won: float) -> None:
    """Summed over all outcomes, the drop exactly as allowed; Tango's score alone says `beyond` in 9 % of them."""
    wrong = {"within": 0.0, "beyond": 0.0}
    for lost, better in itertools.product(range(40), range(12)):
        chance = _poisson(lost, count * (most + won)) * _poisson(better, count * won)
        state = state_of(*verdict_interval(lost, better, count, 0.95), most)
        if state != "undecided":
            wrong[state] += chance
    assert max(wrong.values()) < 0.06


def _poisson(found: int, mean: float) -> float:
    return math.exp(found * math.log(mean) - mean - math.lgamma(found + 1)) if mean else float(found == 0)


def test_values_that_are_no_verdicts_have_drawn_intervals() -> None:
    losses = np.random.default_rng(0).normal(0.1, 0.5, 400)
    low, high = interval(losses, 0.975)
    assert low is not None
    assert high is not None
    # Two standard errors of the mean on each side: 0.05.
    assert high - low == pytest.approx(0.098, rel=0.15)


def test_too_few_have_none() -> None:
    assert interval(np.zeros(5), 0.95) == (None, None)


def test_a_looked_at_comparison_is_rarely_wrong() -> None:
    """The drop is exactly what is allowed: each decision is an error, of which 5 % are allowed over all looks."""
    draws = np.random.default_rng(1)
    decided = 0
    for _ in range(300):
        losses = draws.choice([1.0, -1.0, 0.0], 800, p=[0.03, 0.02, 0.95])
        states = [drop_of(losses[: round(800 * look)], 800, 0.01).state for look in LOOKS]
        decided += any(state != "undecided" for state in states)
    # 15 of 300, and four standard deviations of such a count (3.8 each).
    assert decided <= 15 + 15


def test_what_is_clear_is_decided_early() -> None:
    losses = np.zeros(400)
    losses[:80] = 1.0
    assert drop_of(losses, 3000, 0.005).state == "beyond"
    assert drop_of(np.zeros(3000), 3000, 0.005).state == "within"


def test_an_undecided_drop_says_how_sure_it_is_and_what_would_decide_it() -> None:
    losses = np.zeros(400)
    losses[:1] = 1.0  # 0.25 points of 0.5 allowed, with an interval to 1.4
    drop = drop_of(losses, 400, 0.005, looks=1)
    assert drop.state == "undecided"
    assert drop.confidence is not None
    assert 0.3 < drop.confidence < CONFIDENCE
    assert drop.needed is not None
    # As many samples in the same proportions decide, and a tenth fewer do not.
    for samples, state in ((drop.needed, "within"), (drop.needed * 9 // 10, "undecided")):
        _, high = verdict_interval(math.ceil(samples / 400), 0, samples, CONFIDENCE)
        assert (high <= 0.005) == (state == "within")


def test_the_confidence_of_what_is_decided_is_at_least_what_was_wanted() -> None:
    draws = np.random.default_rng(3)
    for losses in (draws.choice([1.0, 0.0], 2000, p=[0.001, 0.999]), draws.normal(0.0, 0.02, 300)):
        drop = drop_of(losses, len(losses), 0.01, looks=1)
        assert drop.state == "within"
        assert drop.confidence is not None
        assert drop.confidence >= CONFIDENCE
        assert drop.needed is None


def test_values_in_between_need_samples_by_the_square() -> None:
    losses = np.random.default_rng(0).normal(0.0, 1.0, 400) + 0.08
    drop = drop_of(losses, 400, 0.1, looks=1)
    assert drop.state == "undecided"
    assert drop.high is not None
    assert drop.needed == pytest.approx(400 * ((drop.high - drop.value) / (0.1 - drop.value)) ** 2, abs=1)


def test_without_a_flip_half_a_point_takes_hundreds_of_samples() -> None:
    # (1 - d)^n is a twentieth.
    assert samples_to_confirm(0.005) == math.ceil(math.log(0.05) / math.log(1 - 0.005)) == 598
    assert samples_to_confirm(0.0) is None
