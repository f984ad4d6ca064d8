"""Two files on the same samples: what one loses against the other, and how sure that is.

Samples are the same for both, so that only those count on which they differ: 1,000 samples of which 2 % flip have a
standard error of 0.45 points, of two separate runs it would be three times that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
State = Literal["within", "beyond", "undecided"]

LOOKS = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of the samples after which a running comparison may be stopped."""
CONFIDENCE = 0.95
"""Of a decision, over all looks together: each look gets its share of the error (Bonferroni)."""
_RESAMPLES = 2000
_FEWEST = 8
_MANY = 10**9


@dataclass(frozen=True)
class Drop:
    """How much worse a file is than its reference, in the metric's own unit; negative where it is better.

    Attributes:
        value: estimated on the samples seen.
        low: lower end of the interval; None where there are too few samples for one.
        high: upper end.
        samples: seen.
        of: there are.
        state: against what was allowed: the whole interval is within it or beyond it, or neither; an undecided one is
            taken by its value.
        confidence: with which the samples say on which side of what was allowed the drop lies, two-sided, 0 to 1; None
            where nothing was allowed, or of too few.
        needed: samples on which a drop of this size would be decided, about; None where it is decided, or no number
            of them would.
    """

    value: float
    low: float | None
    high: float | None
    samples: int
    of: int
    state: State
    confidence: float | None = None
    needed: int | None = None

    def allows(self, most: float) -> bool:
        """Whether the file is taken: decided, or by its value where the samples do not decide."""
        return self.state == "within" or (self.state == "undecided" and self.value <= most)

    def scaled(self, scale: float) -> Drop:
        """The same in another unit."""
        low, high = (None if end is None else end * scale for end in (self.low, self.high))
        return replace(self, value=self.value * scale, low=low, high=high)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


def drop_of(losses: Values, of: int, most: float | None, *, looks: int = len(LOOKS), seed: int = 0) -> Drop:
    """The drop that samples show.

    Args:
        losses: shape (n,): what each sample loses, reference less candidate (candidate less reference where small is
            good).
        of: samples that there are.
        most: what may be lost; None compares with nothing.
        looks: at how many places the comparison may stop.
        seed: of the draws.
    """
    wanted = 1 - (1 - CONFIDENCE) / looks
    low, high = interval(losses, wanted, seed=seed)
    state = state_of(low, high, most)
    drop = Drop(float(losses.mean()), low, high, len(losses), of, state)
    if most is None or low is None:
        return drop
    needed = samples_to_decide(losses, most, wanted, seed=seed) if state == "undecided" else None
    return replace(drop, confidence=sureness(losses, most, seed=seed), needed=needed)


def state_of(low: float | None, high: float | None, most: float | None) -> State:
    """Where an interval lies against what is allowed."""
    if low is None or high is None or most is None:
        return "undecided"
    return "within" if high <= most else "beyond" if low > most else "undecided"


def interval(losses: Values, confidence: float, *, seed: int = 0) -> tuple[float | None, float | None]:
    """Of the mean of paired losses: exact in form for right-or-wrong, drawn for all else; (None, None) of too few."""
    if len(losses) < _FEWEST:
        return None, None
    if counts := _verdicts(losses):
        return score_interval(*counts, len(losses), confidence)
    low, high = np.quantile(_resampled(losses, seed), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def sureness(losses: Values, most: float, *, seed: int = 0) -> float:
    """The largest confidence of an interval that does not hold ``most``: how sure samples are of their side of it."""
    if counts := _verdicts(losses):
        z = abs(_score(*counts, len(losses), min(most, 1.0)))
        return 2 * NormalDist().cdf(z) - 1
    means = _resampled(losses, seed)
    other = np.mean(means > most) if losses.mean() <= most else np.mean(means <= most)
    return float(np.clip(1 - 2 * other, 0.0, 1 - 1 / _RESAMPLES))


def samples_to_decide(losses: Values, most: float, confidence: float, *, seed: int = 0) -> int | None:
    """On how many samples a drop of this size would be told from ``most``; None where it is too near, or too few tell.

    Verdicts are counted up in their proportions; the interval of other values narrows with the root of their number.
    """
    count, value = len(losses), float(losses.mean())
    if counts := _verdicts(losses):
        lost, won = (one / count for one in counts)

        def decided(samples: int) -> bool:
            ends = score_interval(lost * samples, won * samples, samples, confidence)
            return state_of(*ends, most) != "undecided"

        return _first(decided, count)
    low, high = interval(losses, confidence, seed=seed)
    if low is None or high is None or value == most:
        return None
    half = high - value if value < most else value - low
    samples = count * (half / (most - value)) ** 2
    return math.ceil(samples) if samples < _MANY else None


def samples_to_confirm(most: float, confidence: float = CONFIDENCE) -> int | None:
    """Samples without a single flip that confirm a drop of at most ``most`` of right-or-wrong; None where none do."""
    return _first(lambda samples: score_interval(0, 0, samples, confidence)[1] <= most, _FEWEST) if most > 0 else None


def _first(decided: Callable[[int], bool], begin: int) -> int | None:
    high = begin
    while not decided(high):
        high *= 2
        if high > _MANY:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def _verdicts(losses: Values) -> tuple[int, int] | None:
    """How many samples only the reference has right, and only the candidate; None of values that are no verdicts."""
    if not np.isin(losses, (-1.0, 0.0, 1.0)).all():
        return None
    return int(np.sum(losses > 0)), int(np.sum(losses < 0))


def _resampled(losses: Values, seed: int) -> Values:
    draws = np.random.default_rng(seed)
    weights = draws.multinomial(len(losses), np.full(len(losses), 1 / len(losses)), _RESAMPLES)
    means: Values = weights @ losses / len(losses)
    return means


def score_interval(lost: float, won: float, count: int, confidence: float) -> tuple[float, float]:
    """Interval of a difference of paired proportions (Tango, Statistics in Medicine 17, 1998).

    Holds with few samples and few that differ, where the normal approximation gives an interval of no width.

    Args:
        lost: pairs of which only the reference is right; a share of them where they are expected ones.
        won: pairs of which only the candidate is; likewise.
        count: all pairs.
        confidence: of the interval, two-sided.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return (
        _root(lambda d: _score(lost, won, count, d) - z, -1.0, (lost - won) / count),
        _root(lambda d: _score(lost, won, count, d) + z, (lost - won) / count, 1.0),
    )


def _score(lost: float, won: float, count: int, difference: float) -> float:
    a, b = 2 * count, -lost - won + (2 * count - lost + won) * difference
    c = -won * difference * (1 - difference)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = count * (2 * share + difference * (1 - difference))
    distance = lost - won - count * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is zero."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2
