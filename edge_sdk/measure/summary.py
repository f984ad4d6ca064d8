"""Samples of one subject to its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from edge_sdk.errors import MeasurementError
from edge_sdk.measure.clock import Reading
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Reason, Result, Validity
from edge_sdk.measure.statistics import Samples, latency_ms, ratio_in_blocks
from edge_sdk.measure.subjects import About
from edge_sdk.measure.taking import Taken
from edge_sdk.measure.timed import LoadgenInfo, Memory, Minute, PerformanceRun, Sustained, Throughput, WarmUp
from edge_sdk.measure.validity import sample_reasons

_TRACE = 5000
_MINUTE_S = 60.0


@dataclass(frozen=True)
class Run:
    """All that is known of one subject after its last sitting."""

    id: str
    name: str
    about: About
    taken: Taken
    warm_ups: Sequence[WarmUp]
    overhead_ns: float
    begin: Reading
    peak_rss_bytes: int | None


def result_of(run: Run, plan: Plan, shared: Sequence[Reason]) -> Result:
    """The result, with every reason against it.

    Args:
        run: what was taken.
        plan: what was asked for.
        shared: reasons against all that ran at that time.

    Raises:
        MeasurementError: the clock ran backwards all the time.
    """
    sustained = plan.sustained_minutes is not None
    if not run.taken.took:
        raise MeasurementError(f"{run.name}: the clock ran backwards, so that no query could be timed")
    took_ms = np.frombuffer(run.taken.took, np.float64) / 1e6
    at_s = np.frombuffer(run.taken.began, np.int64) / 1e9 - run.begin.now_s
    warm_up = _warm_up(run.warm_ups)
    latency = latency_ms(took_ms)
    reasons = (*shared, *sample_reasons(took_ms, latency, warm_up, sustained=sustained), *_backwards(run.taken))
    about = run.about
    abreast = about.settings.replicas or 1
    stride = -(-len(took_ms) // _TRACE)
    performance = PerformanceRun(
        start_datetime=_later(run.begin, float(at_s[0])),
        measured_duration=run.taken.timed_ns / 1e9,
        measured_samples=run.taken.queries,
        throughput=Throughput(abreast * run.taken.queries / max(run.taken.timed_ns / 1e9, 1e-9)),
        loadgen_info=LoadgenInfo(
            query_count=run.taken.queries,
            latency_mean=latency.mean.value / 1e3,
            is_min_duration_met=sustained or run.taken.timed_ns / 1e9 >= plan.min_seconds,
            is_min_query_met=run.taken.queries >= plan.min_queries,
            is_result_valid=not reasons,
            latency_90=latency.p90.value / 1e3 if latency.p90 else None,
        ),
        latency_ms=latency,
        queries_per_sample=run.taken.batch,
        overhead_us=run.overhead_ns / 1e3,
        trace_stride=stride,
        trace_ms=tuple(float(f"{value:.6g}") for value in took_ms[::stride]),
        trace_at_s=tuple(round(float(value), 4) for value in at_s[::stride]),
    )
    return Result(
        benchmark_id=run.id,
        benchmark_name=run.name,
        loadgen_scenario="SingleStream" if abreast == 1 else "MultiStream",
        backend_settings=about.settings,
        backend_info=about.info,
        warm_up=warm_up,
        performance_run=performance,
        validity=Validity(not reasons, reasons),
        min_duration=plan.min_seconds,
        min_samples=plan.min_queries,
        memory=replace(about.memory or Memory(), peak_rss_bytes=run.peak_rss_bytes),
        init_ms=about.init_ms,
        first_run_ms=about.first_run_ms,
        sustained=sustained_of(took_ms, at_s) if sustained else None,
    )


def sustained_of(took_ms: Samples, at_s: Samples) -> Sustained:
    """Minute by minute.

    Args:
        took_ms: latencies.
        at_s: when each began.
    """
    minute = np.floor_divide(at_s, _MINUTE_S).astype(int)
    # The last queries may begin a minute that was never meant: less than half of one does not count.
    whole = [number for number in np.unique(minute) if at_s[-1] - number * _MINUTE_S >= _MINUTE_S / 2]
    parts = [took_ms[minute == number] for number in whole]
    rows = tuple(
        Minute(int(number) + 1, len(part), latency_ms(part).p50) for number, part in zip(whole, parts, strict=True)
    )
    return Sustained(rows, ratio_in_blocks(parts[0], parts[-1]))


def _warm_up(listed: Sequence[WarmUp]) -> WarmUp:
    """The first sitting's, unless a later one did not settle."""
    return next((one for one in listed if not one.detected), listed[0])


def _backwards(taken: Taken) -> tuple[Reason, ...]:
    if not taken.backwards:
        return ()
    return (Reason("clock-jump", f"{taken.backwards} queries took less than nothing by the clock"),)


def _later(begin: Reading, seconds: float) -> str:
    return (datetime.fromisoformat(begin.datetime) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
