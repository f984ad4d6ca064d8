"""Where an int8 range may end: at the extremes seen, or nearer, so that its steps are finer.

=============  ======================================================================================================
``minmax``     the least and the largest value seen
``percentile`` so much of what was seen is within, the rest is cut off on each side
``mse``        the least mean square of rounding and cutting off together, found by search (OCTAV, Sakr et al. 2022,
               finds the same by iteration for symmetric ranges)
``entropy``    the least Kullback-Leibler divergence of the rounded distribution from that seen (Migacz, GTC 2017)
=============  ======================================================================================================

All take a histogram and the extremes, and return ends that hold zero. Nothing reaches beyond the extremes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edge_sdk.engines.histogram import BINS, Histogram

Ends = tuple[float, float]
Floats = npt.NDArray[np.float64]

PERCENTILES = (99.9, 99.99, 99.999)
PERCENTILE = 99.99
"""Where a user asks for percentiles by name: what TensorRT takes."""
_LEVELS = 255
_SHARES = np.linspace(1.0, 0.3, 29)
_ROUNDS = 2


def rounded(values: npt.NDArray[np.float32], ends: Ends) -> npt.NDArray[np.float32]:
    """Values as int8 with these ends holds them, as TFLite's quantizer places its zero point."""
    scale, zero = grid(ends)
    # NumPy makes a number of an array without axes, which nothing can be written into.
    steps: npt.NDArray[np.float32] = np.asarray(np.rint(values * np.float32(1 / scale)))
    np.clip(steps, -128 - zero, 127 - zero, out=steps)
    steps *= np.float32(scale)
    return steps


def grid(ends: Ends) -> tuple[float, int]:
    """Scale and zero point of int8 for a range that holds zero; a scale of 1 for one without width."""
    low, high = min(ends[0], 0.0), max(ends[1], 0.0)
    scale = (high - low) / _LEVELS
    if not scale > np.finfo(np.float32).tiny:
        return 1.0, 0
    # Called a million times for a model of thousands of tensors: numpy's clip of one number is slow.
    return scale, min(max(round(-128 - low / scale), -128), 127)


def noise(histogram: Histogram, ends: Ends) -> float:
    """Mean square of what int8 with these ends adds, for values as they were seen."""
    values, share = histogram.points()
    return _noise(values, share, *ends)


def ends_of(method: str, histogram: Histogram, extremes: Ends) -> Ends:
    """The ends that a method finds.

    Args:
        method: ``minmax``, ``mse``, ``entropy``, or ``percentile`` with or without ``_`` and how much is within.
        histogram: of the values.
        extremes: the least and the largest of all values, zero included.
    """
    values, share = histogram.points()
    if method == "minmax" or len(values) < 2 or not np.isfinite(extremes).all():
        return extremes
    if method.startswith("percentile"):
        kept = float(method.partition("_")[2] or PERCENTILE)
        found = _percentile(values, share, kept)
    elif method == "mse":
        found = _search(_noise, values, share, extremes)
    else:
        # Zeros, half of all behind a ReLU, are exact in every range, and would drown the rest.
        rest = np.abs(values) > histogram.limit / BINS * 1.5
        found = _search(_divergence, values[rest], share[rest], extremes) if rest.sum() > 1 else extremes
    return max(extremes[0], min(found[0], 0.0)), min(extremes[1], max(found[1], 0.0))


def _percentile(values: Floats, share: Floats, kept: float) -> Ends:
    beyond = 1 - kept / 100
    below = np.cumsum(share)
    low = int(np.searchsorted(below, beyond, side="right"))
    high = int(np.searchsorted(below, 1 - beyond, side="left"))
    return float(values[min(low, len(values) - 1)]), float(values[min(high, len(values) - 1)])


def _search(cost: Callable[[Floats, Floats, float, float], float], values: Floats, share: Floats, ends: Ends) -> Ends:
    """Each end in turn moved inwards to where the cost is least."""
    low, high = ends
    for _ in range(_ROUNDS):
        highs = ends[1] * _SHARES if ends[1] > 0 else np.zeros(1)
        high = float(highs[np.argmin([cost(values, share, low, end) for end in highs])])
        lows = ends[0] * _SHARES if ends[0] < 0 else np.zeros(1)
        low = float(lows[np.argmin([cost(values, share, end, high) for end in lows])])
        if len(highs) == 1 or len(lows) == 1:
            break
    return low, high


def _noise(values: Floats, share: Floats, low: float, high: float) -> float:
    scale, zero = grid((low, high))
    steps = np.clip(np.rint(values / scale), -128 - zero, 127 - zero)
    return float(np.dot(share, (values - steps * scale) ** 2))


def _divergence(values: Floats, share: Floats, low: float, high: float) -> float:
    """Of what the levels of a range tell of the distribution; what is cut off counts at the range's ends."""
    scale, zero = grid((low, high))
    inside = (values >= low) & (values <= high)
    if not inside.any():
        return float("inf")
    kept = share[inside].copy()
    kept[0] += share[values < low].sum()
    kept[-1] += share[values > high].sum()
    places = np.clip(np.rint(values[inside] / scale) + zero + 128, 0, _LEVELS).astype(np.int64)
    held = np.bincount(places, share[inside], _LEVELS + 1) / np.maximum(1, np.bincount(places, minlength=_LEVELS + 1))
    told = held[places] / share[inside].sum()
    return float(np.sum(kept * np.log(kept / np.maximum(told, 1e-12))))
