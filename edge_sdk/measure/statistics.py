"""Statistics of latencies: percentiles with intervals, and ratios of what was taken in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_sdk.measure.timed import Figure, LatencyMs

Samples = npt.NDArray[np.float64]

RESAMPLES = 1000
_BLOCKS = 25
FEWEST = 10
"""Of fewer samples there is no interval."""

# Student's t at 97.5 % for 1, 2, ... degrees of freedom (Abramowitz and Stegun, table 26.10).
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.960


def quantile(samples: Samples, share: float) -> float:
    """The sample that ``share`` of all do not exceed (nearest rank).

    Args:
        samples: shape (n,), any order.
        share: in (0, 1].
    """
    rank = max(1, math.ceil(share * len(samples) - 1e-9))
    return float(np.partition(samples, rank - 1)[rank - 1])


def figures(samples: Samples, shares: Sequence[float], *, seed: int = 0) -> tuple[list[Figure], Figure]:
    """Quantiles and the mean, each with its 95 % interval.

    Neighbours in time resemble each other, so that whole blocks of them are drawn, not single ones (the block bootstrap
    of Carlstein, Ann. Statist. 14(3), 1986): drawing single ones would promise too narrow an interval.

    Args:
        samples: shape (n,), in the order in which they were taken.
        shares: of the quantiles.
        seed: of the draws.
    """
    point = [quantile(samples, share) for share in shares]
    mean = float(samples.mean())
    if len(samples) < FEWEST:
        return [Figure(value) for value in point], Figure(mean)
    drawn = _drawn(samples, shares, seed)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    made = [Figure(v, float(a), float(b)) for v, a, b in zip([*point, mean], low, high, strict=True)]
    return made[:-1], made[-1]


def latency_ms(samples: Samples) -> LatencyMs:
    """The summary of latencies in ms, in the order in which they were taken."""
    shares = [share for share in (0.5, 0.9, 0.99) if share == 0.5 or len(samples) >= round(1 / (1 - share))]
    (p50, *tails), mean = figures(samples, shares)
    return LatencyMs(
        mean=mean,
        p50=p50,
        min=float(samples.min()),
        max=float(samples.max()),
        stddev=float(samples.std()),
        p90=tails[0] if tails else None,
        p99=tails[1] if len(tails) > 1 else None,
    )


def ratio_of_sittings(base: Sequence[float], candidate: Sequence[float]) -> Figure:
    """The candidate's median over the base's, from medians of several sittings.

    Each sitting gives one ratio; the interval is Student's on their logarithms. So it holds what differs from sitting
    to sitting, such as where a model lies in memory, which no number of queries in one sitting shows (Kalibera and
    Jones, ISMM 2013).

    Args:
        base: its median in each sitting.
        candidate: likewise; sittings in the same order.
    """
    logs = np.log(np.asarray(candidate) / np.asarray(base))
    middle = float(logs.mean())
    if len(logs) < 2:
        return Figure(math.exp(middle))
    reach = student(len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return Figure(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def student(freedom: int) -> float:
    """Student's t at 97.5 %."""
    return _T[freedom - 1] if freedom <= len(_T) else _NORMAL + 2.4 / freedom


def ratio_in_blocks(base: Samples, candidate: Samples, *, seed: int = 0) -> Figure:
    """Ratio of the medians of two rows of samples, with its interval (block bootstrap of each)."""
    value = float(np.median(candidate) / np.median(base))
    if min(len(base), len(candidate)) < FEWEST:
        return Figure(value)
    drawn = _drawn(candidate, (0.5,), seed)[:, 0] / _drawn(base, (0.5,), seed + 1)[:, 0]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(value, float(low), float(high))


def reach(figure: Figure) -> float | None:
    """Half the interval, as a share of the value."""
    if figure.low is None or figure.high is None:
        return None
    return (figure.high - figure.low) / 2 / figure.value


def _drawn(samples: Samples, shares: Sequence[float], seed: int) -> npt.NDArray[np.float64]:
    """Quantiles and the mean of resampled blocks, shape (resamples, shares + 1).

    Blocks are drawn as weights of the sorted samples, which costs no sorting for each draw.
    """
    count = len(samples)
    blocks = min(_BLOCKS, count)
    block = np.arange(count) * blocks // count
    order = np.argsort(samples, kind="stable")
    ranked, block_of = samples[order], block[order]
    sums = np.bincount(block, weights=samples, minlength=blocks)
    sizes = np.bincount(block, minlength=blocks)
    weights = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLES)
    made = np.empty((RESAMPLES, len(shares) + 1))
    for row, weight in enumerate(weights):
        heights = np.cumsum(weight[block_of])
        at = np.searchsorted(heights, np.asarray(shares) * heights[-1] - 1e-9)
        made[row, :-1] = ranked[np.minimum(at, count - 1)]
        made[row, -1] = weight @ sums / (weight @ sizes)
    return made
