"""How far ``edge-sdk benchmark`` can be believed here: equal files, a planted slowdown, its own cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.measure.clock import Clock
from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.measure.subjects import Opened, Subject, session_subject
from edge_sdk.measure.taking import overhead_ns
from edge_sdk.progress import Silent

_PLAN = Plan("custom", min_queries=60, min_seconds=0.3, patience_s=0.5)
_PLANTED = 1.1


def rows(model: Path, runs: int, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """A row for equal files, one for a planted slowdown, one for the cost of timing.

    Args:
        model: a .tflite of some ms.
        runs: benchmarks of each.
        say: hears of each benchmark.
    """
    base = session_subject(model, "xnnpack", 1)
    for what, factor in (("every query 10 % longer", _PLANTED), ("the same file twice", 1.0)):
        found = []
        for seed in range(runs):
            found.append(_pair(base, factor, seed))
            (one,) = found[-1].comparisons
            say(f"{what}: {one.ratio.value:.3f}, {one.sittings} sittings, {one.verdict}, valid: {found[-1].valid}")
        yield _row(what, found)
    clock = Clock()
    yield {"what": "cost of timing one query, us", "value": round(overhead_ns(clock) / 1e3, 3)}


def _pair(base: Subject, factor: float, seed: int) -> Benchmark:
    other = replace(base, id="other", open=lambda: _Longer(base.open(), factor) if factor > 1 else base.open())
    return measure([base, other], replace(_PLAN, seed=seed), progress=Silent())


class _Longer:
    """A subject whose queries last longer by a factor: it goes on until then."""

    def __init__(self, opened: Opened, factor: float) -> None:
        self.about = opened.about
        self.close = opened.close
        self._run = opened.run
        self._factor = factor

    def run(self) -> None:
        began = time.perf_counter()
        self._run()
        end = began + self._factor * (time.perf_counter() - began)
        while time.perf_counter() < end:
            pass


def _row(what: str, found: list[Benchmark]) -> dict[str, Any]:
    comparisons = [one.comparisons[0] for one in found]
    medians = [[result.performance_run.latency_ms.p50.value for result in one.results] for one in found]
    apart = [abs(second / first - 1) for first, second in medians]
    return {
        "what": what,
        "runs": len(found),
        "ratios": [round(one.ratio.value, 4) for one in comparisons],
        "above_1": sum(one.ratio.value > 1 for one in comparisons),
        "verdicts": dict(Counter(one.verdict for one in comparisons)),
        "others_busy_cpus": [round(_busy(one), 2) for one in found],
        "valid": sum(one.valid for one in found),
        "apart_2_percent_and_valid": sum(gap >= 0.02 and one.valid for gap, one in zip(apart, found, strict=True)),
    }


def _busy(one: Benchmark) -> float:
    loads = [look.load for look in one.conditions.during if look.load is not None]
    return sum(loads) / len(loads) if loads else 0.0
