"""Clocks: one to time with, and others to notice that it jumped or that the machine slept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from edge_sdk.measure.records import Reason

# Linux slews its monotonic clock by 500 ppm at most (adjtimex); a jump shows beyond that and a hundredth of a second.
_SLEW, _SLACK_S = 1e-3, 0.01
_SLEPT_S = 0.1
_WALL_S = 1.0


def _reader(name: str) -> Callable[[], int] | None:
    number = getattr(time, name, None)
    if number is None:
        return None
    return lambda: time.clock_gettime_ns(number)


@dataclass(frozen=True)
class Clock:
    """Readings in ns. ``raw_ns`` is not steered by anyone, ``boot_ns`` runs on while the machine sleeps; None where the
    system has no such clock.
    """

    now_ns: Callable[[], int] = time.perf_counter_ns
    wall_ns: Callable[[], int] = time.time_ns
    raw_ns: Callable[[], int] | None = _reader("CLOCK_MONOTONIC_RAW")
    boot_ns: Callable[[], int] | None = _reader("CLOCK_BOOTTIME")
    sleep_s: Callable[[float], None] = time.sleep

    def read(self) -> Reading:
        """All of them at one moment."""
        return Reading(
            now_s=self.now_ns() / 1e9,
            wall_s=self.wall_ns() / 1e9,
            raw_s=self.raw_ns() / 1e9 if self.raw_ns else None,
            boot_s=self.boot_ns() / 1e9 if self.boot_ns else None,
        )


@dataclass(frozen=True)
class Reading:
    """All clocks at one moment, in seconds."""

    now_s: float
    wall_s: float
    raw_s: float | None
    boot_s: float | None

    @property
    def datetime(self) -> str:
        """ISO 8601 with the offset of this machine."""
        return datetime.fromtimestamp(self.wall_s).astimezone().isoformat(timespec="milliseconds")


def jumps(begin: Reading, end: Reading) -> tuple[list[Reason], list[str]]:
    """Why times between two readings cannot be trusted; and what does them no harm."""
    passed = end.now_s - begin.now_s
    reasons, notes = [], []
    allowed = _SLACK_S + _SLEW * abs(passed)
    if passed < 0 or (_both(begin.raw_s, end.raw_s) and abs(_gap(begin.raw_s, end.raw_s) - passed) > allowed):
        raw = f"{_gap(begin.raw_s, end.raw_s):.3f} s" if _both(begin.raw_s, end.raw_s) else "it ran backwards"
        reasons.append(
            Reason("clock-jump", f"the clock that times says {passed:.3f} s passed, one that none sets {raw}")
        )
    slept = _gap(begin.boot_s, end.boot_s) - passed if _both(begin.boot_s, end.boot_s) else 0.0
    if slept > _SLEPT_S + allowed:
        reasons.append(Reason("slept", f"the machine slept for {slept:.1f} s during the run", "keep it awake"))
    shift = end.wall_s - begin.wall_s - passed - max(0.0, slept)
    if abs(shift) > _WALL_S + allowed:
        notes.append(f"the wall clock was set by {shift:+.1f} s during the run; latencies are not taken from it")
    return reasons, notes


def _both(begin: float | None, end: float | None) -> bool:
    return begin is not None and end is not None


def _gap(begin: float | None, end: float | None) -> float:
    return (end or 0.0) - (begin or 0.0)
