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
"""Of a decision, over all looks together: each look gets its share of the error (Bonferroni).

A drop is either within what is allowed or beyond it, and only one of the two decisions can be wrong: each end of an
interval has the whole error.
"""
_RESAMPLES = 2000
_FEWEST = 8
_COUNTED = 200
"""Pairs that differ, on one side all of them, up to which probabilities are summed: of more the score is right."""
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
        confidence: with which the samples say on which side of what was allowed the drop lies, 0 to 1; None where
            nothing was allowed, or of too few.
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
    """Of the mean of paired losses: by counts of right-or-wrong, drawn for all else; (None, None) of too few.

    Args:
        losses: shape (n,).
        confidence: with which the mean is above the lower end, and with which it is below the upper one.
        seed: of the draws.
    """
    if len(losses) < _FEWEST:
        return None, None
    if counts := _verdicts(losses):
        return verdict_interval(*counts, len(losses), confidence)
    low, high = np.quantile(_resampled(losses, seed), [1 - confidence, confidence])
    return float(low), float(high)


def sureness(losses: Values, most: float, *, seed: int = 0) -> float:
    """The largest confidence of an interval that does not hold ``most``: how sure samples are of their side of it."""
    within = losses.mean() <= most
    if counts := _verdicts(losses):
        return _verdict_sureness(*counts, len(losses), most, within=within)
    means = _resampled(losses, seed)
    other = np.mean(means > most) if within else np.mean(means <= most)
    return float(np.clip(1 - other, 0.0, 1 - 1 / _RESAMPLES))


def samples_to_decide(losses: Values, most: float, confidence: float, *, seed: int = 0) -> int | None:
    """On how many samples a drop of this size would be told from ``most``; None where it is too near, or too few tell.

    Verdicts are counted up in their proportions; the interval of other values narrows with the root of their number.
    """
    count, value = len(losses), float(losses.mean())
    if counts := _verdicts(losses):
        lost, won = (one / count for one in counts)

        def decided(samples: int) -> bool:
            ends = verdict_interval(math.ceil(lost * samples), math.ceil(won * samples), samples, confidence)
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
    return _first(lambda samples: verdict_interval(0, 0, samples, confidence)[1] <= most, _FEWEST) if most > 0 else None


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


def verdict_interval(lost: int, won: int, count: int, confidence: float) -> tuple[float, float]:
    """Interval of a difference of paired proportions, each end by itself.

    Tango's score (Statistics in Medicine 17, 1998), and where all that differs is on one side, the exact binomial bound
    (Clopper and Pearson 1934) on its share: there the score is too sure. Enumerated for 200 to 2,000 pairs, drops of
    half a point and one and up to 1.5 % of pairs won, a drop exactly as large as allowed is found within in 5.1 % of
    all cases at most, and beyond in 5.9 %, where 5 % are wanted.

    Args:
        lost: pairs of which only the reference is right.
        won: pairs of which only the candidate is.
        count: all pairs.
        confidence: of each end.
    """
    return -_upper(won, lost, count, confidence), _upper(lost, won, count, confidence)


def _upper(lost: int, won: int, count: int, confidence: float) -> float:
    if lost + won > _COUNTED or (lost and won):
        return score_upper(lost, won, count, confidence)
    if won == 0:
        return _share(lost, count, 1 - confidence)
    return max(score_upper(lost, won, count, confidence), -_share(won - 1, count, confidence))


def _verdict_sureness(lost: int, won: int, count: int, most: float, *, within: bool) -> float:
    z = abs(_score(lost, won, count, min(most, 1.0)))
    sure = NormalDist().cdf(z)
    if won == 0 and lost <= _COUNTED:
        by_count = 1 - _at_most(lost, count, most) if within else _at_most(lost - 1, count, most)
        sure = by_count if within else min(sure, by_count)
    return sure


def _share(found: int, count: int, probability: float) -> float:
    """The share of which at most so many of all are found with this probability."""
    return 1.0 if found >= count else _root(lambda share: _at_most(found, count, share) - probability, 0.0, 1.0)


def _at_most(found: int, count: int, share: float) -> float:
    """Probability of at most so many of all, each with this share."""
    if found < 0 or share >= 1:
        return 0.0
    if share <= 0:
        return 1.0
    logs = [0.0] + [math.log(count - k) - math.log(k + 1) for k in range(found)]
    odds = math.log(share) - math.log1p(-share)
    terms = np.cumsum(logs) + odds * np.arange(found + 1) + count * math.log1p(-share)
    return float(min(1.0, np.exp(terms).sum()))


def score_upper(lost: float, won: float, count: int, confidence: float) -> float:
    """Upper end of Tango's interval of a difference of paired proportions, of which ``confidence`` lie below it."""
    z = NormalDist().inv_cdf(confidence)
    return _root(lambda d: _score(lost, won, count, d) + z, (lost - won) / count, 1.0)


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
