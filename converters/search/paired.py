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
    """

    value: float
    low: float | None
    high: float | None
    samples: int
    of: int
    state: State

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
    low, high = interval(losses, 1 - (1 - CONFIDENCE) / looks, seed=seed)
    return Drop(float(losses.mean()), low, high, len(losses), of, state_of(low, high, most))


def state_of(low: float | None, high: float | None, most: float | None) -> State:
    """Where an interval lies against what is allowed."""
    if low is None or high is None or most is None:
        return "undecided"
    return "within" if high <= most else "beyond" if low > most else "undecided"


def interval(losses: Values, confidence: float, *, seed: int = 0) -> tuple[float | None, float | None]:
    """Of the mean of paired losses: exact in form for right-or-wrong, drawn for all else; (None, None) of too few."""
    if len(losses) < _FEWEST:
        return None, None
    if np.isin(losses, (-1.0, 0.0, 1.0)).all():
        return score_interval(int(np.sum(losses > 0)), int(np.sum(losses < 0)), len(losses), confidence)
    draws = np.random.default_rng(seed)
    weights = draws.multinomial(len(losses), np.full(len(losses), 1 / len(losses)), _RESAMPLES)
    low, high = np.quantile(weights @ losses / len(losses), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def score_interval(lost: int, won: int, count: int, confidence: float) -> tuple[float, float]:
    """Interval of a difference of paired proportions (Tango, Statistics in Medicine 17, 1998).

    Holds with few samples and few that differ, where the normal approximation gives an interval of no width.

    Args:
        lost: pairs of which only the reference is right.
        won: pairs of which only the candidate is.
        count: all pairs.
        confidence: of the interval, two-sided.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return (
        _root(lambda d: _score(lost, won, count, d) - z, -1.0, (lost - won) / count),
        _root(lambda d: _score(lost, won, count, d) + z, (lost - won) / count, 1.0),
    )


def _score(lost: int, won: int, count: int, difference: float) -> float:
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
