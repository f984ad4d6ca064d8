"""Times of single ops, corrected by the whole files that were timed.

What an op takes alone is not what it takes in a file: the delegate keeps values in its own layout, and a conversion may
cost a partition. Each file that was timed tells a sum over its groups. Which times of groups are the most likely,
given all these sums and how far each single time is doubted, is a problem of linear least squares with one solution
(Gauss and Markov; the same as a Kalman filter's update).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edge_sdk.converters.search.cut import Border, Network, Spared

_CLOCK = 0.01
"""Standard deviation of a file's measured time, as a share of it."""
_BORDERS = 1.0
"""Standard deviation of the factor on all conversions: what they break is in it as well."""


class Forecast:
    """What files with some groups in float will take.

    Args:
        network: times by single ops.
        plain_us: what the file with all groups in int8 takes; None where no time is known, and nothing is corrected.
    """

    def __init__(self, network: Network, plain_us: float | None) -> None:
        self._alone, self._plain_us = network, plain_us
        self._timed: dict[Spared, float] = {}
        self.network = network

    def note(self, spared: Spared, us: float) -> None:
        """A file with these groups in float was timed."""
        if self._plain_us is not None:
            self._timed[spared] = us
            self.network = corrected(self._alone, self._plain_us, self._timed)

    def extra_us(self, spared: Spared) -> float:
        """What it is to take more than the file with all groups in int8."""
        return self.network.member(spared).extra_us


def corrected(network: Network, plain_us: float, timed: Mapping[Spared, float]) -> Network:
    """The network with the most likely times, given what files took.

    Args:
        network: times by single ops.
        plain_us: of the file with all groups in int8.
        timed: microseconds of others, by what is in float there.
    """
    count = len(network.extra_us)
    sums = np.zeros((len(timed), count + 1))
    for row, spared in zip(sums, timed, strict=True):
        row[sorted(spared)] = 1
        row[count] = network.conversions_us(spared)
    believed = np.append(network.extra_us, 1.0)
    spread = np.append(network.doubt_us, _BORDERS) ** 2
    noise = np.diag([(_CLOCK * max(us, plain_us)) ** 2 for us in timed.values()])
    missed = np.array([us - plain_us for us in timed.values()]) - sums @ believed
    weights = np.linalg.lstsq(sums * spread @ sums.T + noise, missed, rcond=None)[0]
    likely = believed + spread * (sums.T @ weights)
    factor = max(0.0, float(likely[count]))
    borders = [_scaled(border, factor) for border in network.borders]
    return Network(network.damage.tolist(), likely[:count].tolist(), borders, network.values, network.doubt_us.tolist())


def _scaled(border: Border, factor: float) -> Border:
    return replace(border, up_us=border.up_us * factor, down_us=border.down_us * factor)
