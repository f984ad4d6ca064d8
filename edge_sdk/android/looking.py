"""A phone while its kernels are timed: what the app sees of heat and power, and what adb's shell sees of other work.

Android hides from an app what other programs do, and tells adb's shell. So both are asked, and put together here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from edge_sdk.errors import ModelError
from edge_sdk.measure.clock import Reading
from edge_sdk.measure.records import Conditions, Look
from edge_sdk.records import RecordError, read_record

# USER_HZ, which Linux fixes for all that reads /proc on Android's architectures.
_TICKS: Final = 100
_OTHERS: Final = "time that other programs took"


@dataclass(frozen=True)
class Sight:
    """One look by the shell; seconds, None where Android does not let it.

    Attributes:
        up_s: since the device started, sleep included.
        wall_s: since 1970.
        busy_s: of all CPUs together.
        own_s: of the app.
    """

    up_s: float
    wall_s: float
    busy_s: float | None
    own_s: float | None

    @property
    def reading(self) -> Reading:
        """Of the clocks that the shell has."""
        return Reading(now_s=self.up_s, wall_s=self.wall_s, raw_s=None, boot_s=None)

    @staticmethod
    def of(text: str) -> Sight:
        """From ``/proc/uptime``, the date in seconds, ``/proc/stat``'s first line and the app's ``/proc/PID/stat``.

        Raises:
            ModelError: the first two are not there.
        """
        lines = [line.strip() for line in text.strip().splitlines()]
        if len(lines) < 2 or not re.match(r"[\d.]+ ", lines[0]) or not lines[1].isdigit():
            raise ModelError(f"the device's clocks cannot be read: {text[:200]!r}")
        stat = next((line.split() for line in lines if line.startswith("cpu ")), [])
        own = next((line.rpartition(")")[2].split() for line in lines if ")" in line), [])
        ticks = [int(word) for word in stat[1:9]]
        return Sight(
            up_s=float(lines[0].split()[0]),
            wall_s=float(lines[1]),
            busy_s=sum(ticks[i] for i in (0, 1, 2, 5, 6)) / _TICKS if len(ticks) == 8 else None,
            own_s=(int(own[11]) + int(own[12])) / _TICKS if len(own) > 12 else None,
        )


@dataclass(frozen=True)
class Seen:
    """One start of the app: its result, and the shell's looks meanwhile."""

    result: Mapping[str, Any]
    sights: Sequence[Sight]


def conditions_of(seen: Sequence[Seen], notes: Sequence[str]) -> Conditions:
    """The device before, during and after, over all starts of the app.

    Raises:
        ModelError: the app's looks are not in the form of a benchmark's.
    """
    looks = [look for one in seen for look in _looks(one)]
    blind = {str(name) for one in seen for name in one.result.get("not_seen", ())} - {_OTHERS}
    if all(look.load is None for look in looks):
        blind.add(_OTHERS)
    before, *during = looks
    return Conditions(before, tuple(during), during[-1] if during else before, tuple(sorted(blind)), tuple(notes))


def _looks(seen: Seen) -> list[Look]:
    try:
        told = [read_record(Look, look) for look in seen.result["looks"]]
    except (KeyError, RecordError) as error:
        raise ModelError(f"the app's looks at the device cannot be read: {error}") from error
    loads = list(_loads(seen.sights))
    # Both began when the app did, within the time that it takes to start.
    return [replace(look, load=_at(loads, look.at_s)) for look in told]


def _loads(sights: Sequence[Sight]) -> list[tuple[float, float]]:
    """Until when, from the first look on, and how many CPUs others kept busy."""
    found = []
    for before, now in pairwise(sights):
        if None in (before.busy_s, before.own_s, now.busy_s, now.own_s) or now.up_s <= before.up_s:
            continue
        others = (now.busy_s - before.busy_s) - (now.own_s - before.own_s)  # type: ignore[operator]
        found.append((now.up_s - sights[0].up_s, round(max(0.0, others / (now.up_s - before.up_s)), 4)))
    return found


def _at(loads: Sequence[tuple[float, float]], at_s: float) -> float | None:
    return next((load for until, load in loads if at_s <= until), loads[-1][1] if loads else None)
