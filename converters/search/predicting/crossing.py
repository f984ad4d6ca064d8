"""Where along a family the drop crosses what is allowed: which member to try next.

Bisection needs ``log2`` of the members, wherever the crossing is. What was measured of some members and what the
ranking expects of all says more: drops follow a power of the expected damage, whose exponent the last two measured
members give. The guess is taken as far as bisection's own bound allows, by one step more at most (ITP: Oliveira and
Takahashi, ACM Trans. Math. Softw. 47, 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FIRST_POWER = 0.5
"""Before two members are measured: flips of classes go with the root of a squared movement. Measured were 0.28 on a
detector by its kept power, where ranges clip, and 0.49 on EfficientNetB0 by agreement."""
_POWERS = (0.25, 2.0)
_AIM = 0.8
"""Share of what is allowed that is aimed at until a member holds: one that just fails is worth nothing."""
NOTHING = 0.05
"""Share of what is allowed that stands for a drop of nothing, of which there is no logarithm."""
_SLACK = 1
_FAR = 2.0
"""Times what was expected, and what is allowed: a member that fails by more contradicts the damage."""


class Crossing:
    """One search along a family.

    Args:
        damage: expected of each member, falling.
        most: what may be lost, in the metric's unit.
        low: a member that fails.
        high: one that holds, or one past the end.

    Attributes:
        surprised: whether the last member that was noted failed by far, where the damage said otherwise.
    """

    def __init__(self, damage: Sequence[float], most: float, low: int, high: int) -> None:
        self._damage, self._most = damage, most
        self.low, self.high = low, high
        self._steps = math.ceil(math.log2(max(2, high - low))) + _SLACK
        self._measured: dict[int, float] = {}
        self._beside: list[tuple[float, float]] = []
        self.surprised = False

    def note(self, place: int, drop: float | None, *, holds: bool) -> None:
        """What came of a member; None where it could not be measured. The first member may be noted too."""
        due = self._expected(place)
        far = due is not None and drop is not None and drop > _FAR * max(due, self._most)
        self.surprised = far and not holds
        if drop is not None:
            self._measured[place] = max(drop, NOTHING * self._most)
        if holds:
            self.high = min(self.high, place)
        else:
            self.low = max(self.low, place)

    def note_beside(self, damage: float, drop: float | None) -> None:
        """What came of a choice that is no member and fails, and the damage that is expected of it."""
        if drop is not None and damage > 0:
            self._beside.append((damage, drop))

    def next_place(self) -> int:
        """The member to try next, between both ends; there is one."""
        self._steps -= 1
        middle = (self.low + self.high) / 2
        reach = max(0.0, 2.0**self._steps - (self.high - self.low) / 2)
        guess = self._guess()
        place = middle if guess is None else min(max(guess, middle - reach), middle + reach)
        return min(max(math.floor(place), self.low + 1), self.high - 1)

    def _guess(self) -> float | None:
        """The first member of which so much is expected to be lost as is aimed at; None where nothing tells."""
        damage, drop = self._at(self.low)
        if damage <= 0 or drop <= self._most:
            return None
        aim = self._most if self.high in self._measured else _AIM * self._most
        wanted = damage * (aim / drop) ** (1 / self._power()) if aim > 0 else 0.0
        places = range(self.low + 1, self.high)
        return next((place for place in places if self._damage[place] <= wanted), self.high - 1)

    def _expected(self, place: int) -> float | None:
        """The drop that the damage of a member tells, from that which fails; None where nothing tells."""
        damage, drop = self._at(self.low)
        return None if damage <= 0 else drop * (self._damage[place] / damage) ** self._power()

    def _at(self, place: int) -> tuple[float, float]:
        return (self._damage[place], self._measured[place]) if place in self._measured else (0.0, 0.0)

    def _power(self) -> float:
        """Of the drop by the damage, from the member that fails and its nearest measured neighbour."""
        damage, drop = self._at(self.low)
        others = [place for place in self._measured if place != self.low and self._damage[place] > 0]
        if others:
            beside, lost = self._at(self.high if self.high in others else max(others))
        elif self._beside:
            beside, lost = min(self._beside)
        else:
            return FIRST_POWER
        if beside == damage or lost == drop:
            return _POWERS[0]
        return min(max(math.log(lost / drop) / math.log(beside / damage), _POWERS[0]), _POWERS[1])
