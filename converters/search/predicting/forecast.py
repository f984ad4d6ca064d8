"""Times of single ops, corrected by the whole files that were timed.

What an op takes alone is not what it takes in a file: the delegate keeps values in its own layout, and a conversion may
cost a partition. Each file that was timed tells a sum over its groups. Which times of groups are the most likely,
given all these sums and how far each single time is doubted, is a problem of linear least squares with one solution
(Gauss and Markov; the same as a Kalman filter's update). It also says how far each sum that was not timed is still
doubted: which file to time next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edge_sdk.converters.search.predicting.cut import Border, Member, Network, Numbers, Spared

_CLOCK = 0.01
"""Standard deviation of a file's measured time, as a share of it, at least."""
_SURE = 0.05
"""Likewise of a predicted time that need not be measured: twice of it is a tenth."""
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
        self._timed: dict[Spared, tuple[float, float]] = {}
        self.network = network

    def note(self, spared: Spared, us: float, spread_us: float = 0.0) -> None:
        """A file with these groups in float was timed, so exactly (a standard deviation)."""
        if self._plain_us is not None:
            self._timed[spared] = us, spread_us
            self.network = self._fit(self._plain_us).network

    def ranked(self, network: Network) -> Forecast:
        """The same files' times with the damage of another ranking; ops alone take there what they take here."""
        made = Forecast(network, self._plain_us)
        made._timed = dict(self._timed)
        if self._plain_us is not None and self._timed:
            made.network = made._fit(self._plain_us).network
        return made

    def extra_us(self, spared: Spared) -> float:
        """What it is to take more than the file with all groups in int8."""
        return self.network.member(spared).extra_us

    def doubtful(self, members: Sequence[Member]) -> Member | None:
        """The member whose time is doubted most; None where all are sure enough, or no time is known."""
        plain_us = self._plain_us
        if plain_us is None or not members:
            return None
        doubts = self._fit(plain_us).doubts([member.spared for member in members])
        shares = [
            0.0 if member.spared in self._timed else doubt / max(1e-9, plain_us + self.extra_us(member.spared))
            for member, doubt in zip(members, doubts, strict=True)
        ]
        place = int(np.argmax(shares))
        return members[place] if shares[place] > _SURE else None

    def _fit(self, plain_us: float) -> _Fit:
        return _Fit(self._alone, plain_us, self._timed)


class _Fit:
    """The most likely times, given what files took.

    Args:
        network: times by single ops.
        plain_us: of the file with all groups in int8.
        timed: microseconds of others and their standard deviation, by what is in float there.
    """

    def __init__(self, network: Network, plain_us: float, timed: Mapping[Spared, tuple[float, float]]) -> None:
        self._alone = network
        self._sums = self._summed(list(timed))
        self._variance = np.append(network.doubt_us, _BORDERS) ** 2
        believed = np.append(network.extra_us, 1.0)
        noise = [max(_CLOCK * max(us, plain_us), spread) ** 2 for us, spread in timed.values()]
        missed = np.array([us - plain_us for us, _ in timed.values()]) - self._sums @ believed
        self._inverse = np.linalg.pinv(self._sums * self._variance @ self._sums.T + np.diag(noise))
        weights = self._inverse @ missed
        self._likely = believed + self._variance * (self._sums.T @ weights)
        # How much farther off than doubted the files were; one more that was off as doubted keeps few from telling.
        self._scale = float(np.sqrt((1 + missed @ weights) / (1 + len(missed))))

    @property
    def network(self) -> Network:
        """The network with these times."""
        alone, factor = self._alone, max(0.0, float(self._likely[-1]))
        borders = [_scaled(border, factor) for border in alone.borders]
        return Network(
            alone.damage.tolist(), self._likely[:-1].tolist(), borders, alone.values, alone.doubt_us.tolist()
        )

    def doubts(self, those: Sequence[Spared]) -> Numbers:
        """Standard deviations that are left of files' times, in microseconds."""
        sums = self._summed(those)
        shared = sums * self._variance @ self._sums.T
        left = (sums**2 @ self._variance) - ((shared @ self._inverse) * shared).sum(1)
        doubts: Numbers = self._scale * np.sqrt(np.maximum(left, 0.0))
        return doubts

    def _summed(self, those: Sequence[Spared]) -> Numbers:
        """A row for each file: the groups that are in float, and what its conversions take."""
        sums = np.zeros((len(those), len(self._alone.extra_us) + 1))
        for row, spared in zip(sums, those, strict=True):
            row[sorted(spared)] = 1
            row[-1] = self._alone.conversions_us(spared)
        return sums


def _scaled(border: Border, factor: float) -> Border:
    return replace(border, up_us=border.up_us * factor, down_us=border.down_us * factor)
