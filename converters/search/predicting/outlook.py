"""What is expected of every choice of groups, and by which ranking: that which explains what was evaluated.

A ranking is to first order, or looks at each op alone: either can be far off. Which of them is, evaluations tell, for
each file that was evaluated has a drop and every ranking an expectation of it, from what plain int8 loses. No ranking
may choose the power by which drops follow damage to its own advantage: it is the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edge_sdk.converters.search.predicting.crossing import FIRST_POWER, NOTHING
from edge_sdk.converters.search.predicting.cut import Member, Network, Spared, family
from edge_sdk.converters.search.predicting.forecast import Forecast

Evaluated = Sequence[tuple[Spared, float]]
_FIRST = "the first ranking"


class Outlook:
    """The predicted front.

    Args:
        network: groups with their damage by the first ranking, and their times alone.
        plain_us: what the file with all groups in int8 takes; None where no time is known.

    Attributes:
        forecast: of times.
        members: the front, once it was laid.
        why: by which ranking, and how far all were off; empty while the first was not contradicted.
    """

    def __init__(self, network: Network, plain_us: float | None) -> None:
        self._first, self._leads = network, _FIRST
        self.forecast = Forecast(network, plain_us)
        self.members: tuple[Member, ...] = ()
        self.why = ""

    def lay(self) -> None:
        """The front by what is known now."""
        self.members = family(self.forecast.network)

    def turned(self, others: Mapping[str, Network], evaluated: Evaluated, most: float) -> bool:
        """Whether another ranking than that which led explains the evaluations best; the front is its own then.

        Args:
            others: networks by how they rank.
            evaluated: what is in float, and the drop; plain int8 (nothing in float) among them.
            most: what may be lost.
        """
        if not others:
            self.why = f"{_FIRST} was contradicted by what was evaluated, and there is no other"
            return False
        networks = {_FIRST: self._first, **others}
        off = {name: misfit(network, evaluated, most) for name, network in networks.items()}
        # Of equals the one that leads goes on.
        best = min(off, key=lambda name: (off[name], name != self._leads))
        told = ", ".join(f"{name} {_times(value)}" for name, value in off.items())
        self.why = f"{_FIRST} was contradicted: drops of {len(evaluated)} files were off from {told}; {best} leads"
        if best == self._leads:
            return False
        self._leads, self.forecast = best, self.forecast.ranked(networks[best])
        self.lay()
        return True

    def damage(self, group: int) -> float:
        """See :class:`~.view.View`."""
        return float(self.forecast.network.shares[group])

    def worth(self, group: int) -> float:
        """Likewise."""
        network = self.forecast.network
        return float(network.extra_us[group] / max(network.shares[group], 1e-30))


def misfit(network: Network, evaluated: Evaluated, most: float) -> float:
    """By how much drops were off from what the damage tells: the root mean square of the logarithm of their ratio.

    Args:
        network: groups with their damage by a ranking.
        evaluated: what is in float, and the drop; plain int8 among them.
        most: what may be lost; drops below a twentieth of it are told apart from nothing by no one.
    """
    plain = next(drop for spared, drop in evaluated if not spared)
    whole, least = network.member(frozenset()).damage, max(NOTHING * most, 1e-9)
    ratios = []
    for spared, drop in evaluated:
        if spared:
            share = network.member(spared).damage / whole if whole > 0 else 1.0
            due = plain * max(share, 0.0) ** FIRST_POWER
            ratios.append(math.log(max(drop, least) / max(due, least)))
    return math.sqrt(sum(ratio**2 for ratio in ratios) / max(1, len(ratios)))


def _times(off: float) -> str:
    return f"{math.exp(off):.1f}-fold"
