"""Pictures of latencies: over time, how they spread, minute by minute, and ratios with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_sdk.measure.timed import Figure, PerformanceRun, Sustained
from edge_sdk.report.html.svg import WIDTH, bars, box, coordinate, path, picture, steps

_HEIGHT = 90
_BINS = 120
_DOT = 2.4

Scale = tuple[float, float]
"""Least and largest latency, in ms. Places between them go by factors: a few slow queries would flatten the rest."""


def scale_of(values: Sequence[float]) -> Scale | None:
    """Common to all pictures of a page; None where nothing positive was measured."""
    positive = [value for value in values if value > 0]
    if not positive:
        return None
    least, most = min(positive), max(positive)
    return least * 0.98, most * 1.02


def over_time(run: PerformanceRun, scale: Scale) -> str:
    """A dot for each query."""
    end = max(run.trace_at_s) or 1.0
    dots = "".join(
        box(at / end * (WIDTH - _DOT), 3 + (1 - _place(value, scale)) * (_HEIGHT - 6), _DOT, 2)
        for at, value in zip(run.trace_at_s, run.trace_ms, strict=True)
    )
    label = f"{len(run.trace_ms)} queries in {end:.1f} s, {min(run.trace_ms):.4g} to {max(run.trace_ms):.4g} ms"
    shown = picture(_HEIGHT, (path("blue", dots), path("rule", f"M0 {_HEIGHT}H{WIDTH}")), label)
    return f'{shown}<div class="axis"><span>0 s</span><span>{end:.1f} s</span></div>'


def distribution(run: PerformanceRun, scale: Scale) -> str:
    """Counts in bins that grow by a factor, and the percentiles."""
    counts = [0] * _BINS
    for value in run.trace_ms:
        counts[min(int(_place(value, scale) * _BINS), _BINS - 1)] += 1
    latency = run.latency_ms
    marks = [one.value for one in (latency.p50, latency.p90, latency.p99) if one is not None]
    dashes = "".join(f"M{coordinate(_place(value, scale) * WIDTH)} 0V{_HEIGHT}" for value in marks)
    parts = (
        path("pale", steps(counts, max(counts), 4, _HEIGHT - 4, closed=True)),
        path("step", steps(counts, max(counts), 4, _HEIGHT - 4)),
        path("rule", f"M0 {_HEIGHT}H{WIDTH}"),
        path("dash", dashes),
    )
    label = f"latencies, most often about {latency.p50.value:.4g} ms"
    axis = f'<div class="axis"><span>{scale[0]:.4g} ms</span><span>{scale[1]:.4g} ms</span></div>'
    return picture(_HEIGHT, parts, label) + axis


def minutes(sustained: Sustained) -> str:
    """A bar for each minute's median."""
    values = [one.p50_ms.value for one in sustained.minutes]
    parts = (path("blue", bars(values, max(values), 4, _HEIGHT - 4)), path("rule", f"M0 {_HEIGHT}H{WIDTH}"))
    last = sustained.minutes[-1].minute
    shown = picture(_HEIGHT, parts, f"median of each of {len(values)} minutes")
    return f'{shown}<div class="axis"><span>minute 1</span><span>minute {last}</span></div>'


def interval(ratio: Figure, margin: float, least: float, most: float, words: str) -> str:
    """A ratio with its interval, on a line from ``least`` to ``most``, and the band that does not matter."""
    room = (most - least) * 0.04 or 0.01
    low, high = least - room, most + room

    def x(value: float) -> float:
        return (value - low) / (high - low) * WIDTH

    reach = (x(end) for end in (ratio.low or ratio.value, ratio.high or ratio.value))
    left, right = reach
    parts = (
        path("pale", box(x(1 / (1 + margin)), 2, x(1 + margin) - x(1 / (1 + margin)), 24)),
        path("rule", f"M{coordinate(x(1))} 0V28"),
        path("ink", box(left, 13, max(right - left, 1.5), 2) + box(x(ratio.value) - 3, 8, 6, 12)),
    )
    axis = f'<div class="axis"><span>{low:.3f}</span><span>{high:.3f}</span></div>'
    return picture(28, parts, f"ratio {ratio.value:.3f}: {words}") + axis


def _place(value: float, scale: Scale) -> float:
    """From 0 to 1."""
    if value <= scale[0]:
        return 0.0
    return min(math.log(value / scale[0]) / math.log(scale[1] / scale[0]), 1.0)
