"""Warm-up: queries are run until their latency has settled, which is looked for and not guessed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.measure.clock import Clock
from edge_sdk.measure.timed import WarmUp

_WINDOWS = 3
_WINDOW_NS, _WINDOW_RUNS, _LONGEST_WINDOW_NS = 50_000_000, 10, 1_000_000_000
_PATIENCE_S = 30.0
_MOST_RUNS = 100_000
# A window of one query has no spread of its own to judge by.
_TOLERANCE, _NOISIEST, _ALONE = 0.02, 0.2, 0.05
_SIGMAS = 3.0
# The standard error of a median is 1.2533 sigma / sqrt(n), and sigma 1.4826 times the median deviation, if normal.
_ERROR = 1.2533 * 1.4826


def settle(run: Callable[[], object], clock: Clock, *, patience_s: float = _PATIENCE_S) -> tuple[WarmUp, float]:
    """Runs until the medians of three windows in a row agree within 2 %, or their own noise up to 20 %.

    A window holds 10 queries and 50 ms at least, but lasts no longer than 1 s unless one query does.

    Args:
        run: one query.
        clock: what times it.
        patience_s: after which it counts as not settled.

    Returns:
        How it went, and the last window's median in ns.
    """
    medians: list[float] = []
    errors: list[float] = []
    count, begin = 0, clock.now_ns()
    while True:
        window = _window(run, clock)
        count += len(window)
        medians.append(float(np.median(window)))
        errors.append(_error(window))
        spent = clock.now_ns() - begin
        if _agree(medians, errors):
            why = f"the medians of {_WINDOWS} windows agree within {_allowed(errors):.1%}"
            return WarmUp(detected=True, queries=count, duration_ms=spent / 1e6, why=why), medians[-1]
        if spent > patience_s * 1e9 and len(medians) >= _WINDOWS:
            last = ", ".join(f"{median / 1e6:.4g}" for median in medians[-_WINDOWS:])
            why = f"after {spent / 1e9:.0f} s the medians of the last windows still differed: {last} ms"
            return WarmUp(detected=False, queries=count, duration_ms=spent / 1e6, why=why), medians[-1]


def _window(run: Callable[[], object], clock: Clock) -> list[int]:
    took: list[int] = []
    now, begin = clock.now_ns, clock.now_ns()
    while len(took) < _MOST_RUNS:
        before = now()
        run()
        after = now()
        took.append(max(1, after - before))
        spent = after - begin
        if spent > _LONGEST_WINDOW_NS or (spent >= _WINDOW_NS and len(took) >= _WINDOW_RUNS):
            break
    return took


def _error(window: list[int]) -> float:
    """Of the window's median, relative."""
    if len(window) < 2:
        return _ALONE / _SIGMAS
    values = np.asarray(window, np.float64)
    middle = float(np.median(values))
    return _ERROR * float(np.median(np.abs(values - middle))) / middle / float(np.sqrt(len(values)))


def _allowed(errors: list[float]) -> float:
    return min(_NOISIEST, max(_TOLERANCE, _SIGMAS * max(errors[-_WINDOWS:])))


def _agree(medians: list[float], errors: list[float]) -> bool:
    last = medians[-_WINDOWS:]
    return len(last) == _WINDOWS and max(last) / min(last) - 1 <= _allowed(errors)
