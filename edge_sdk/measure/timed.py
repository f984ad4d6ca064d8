"""What was timed: latencies, warm-up, memory, ops, minutes; the inner records of a result, see ``records.py``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A statistic with the interval that holds it at 95 % (bootstrap); left out where there are too few queries."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LatencyMs:
    """Latency of one query in ms. Percentiles are samples (nearest rank); there is no p99 of fewer than 100."""

    mean: Figure
    p50: Figure
    min: float
    max: float
    stddev: float
    p90: Figure | None = None
    p99: Figure | None = None


@dataclass(frozen=True)
class LoadgenInfo:
    """MLPerf's summary, in seconds. ``is_result_valid`` is false wherever ``validity`` of the result holds a reason."""

    query_count: int
    latency_mean: float
    is_min_duration_met: bool
    is_min_query_met: bool
    is_result_valid: bool
    latency_90: float | None = None


@dataclass(frozen=True)
class Throughput:
    """Runs per second: queries one after the other, each a run of every replica."""

    value: float


@dataclass(frozen=True)
class PerformanceRun:
    """The timed queries.

    Attributes:
        start_datetime: ISO 8601 with its offset.
        measured_duration: seconds, the sum of the queries'.
        measured_samples: queries.
        queries_per_sample: how many queries were timed together: 1, unless one takes so little that reading the clock
            would show; percentiles are then of means of so many.
        overhead_us: what timing adds to one query: the same loop round an empty function.
        latency_ms: see there.
        trace_ms: latencies in the order in which they were taken; every ``trace_stride``-th.
        trace_at_s: when each began, in seconds from the start.
    """

    start_datetime: str
    measured_duration: float
    measured_samples: int
    throughput: Throughput
    loadgen_info: LoadgenInfo
    latency_ms: LatencyMs
    queries_per_sample: int = 1
    overhead_us: float | None = None
    trace_stride: int = 1
    trace_ms: tuple[float, ...] = ()
    trace_at_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class WarmUp:
    """What went before the timed queries. ``detected`` is false if latency had not settled when patience ended."""

    detected: bool
    queries: int
    duration_ms: float
    why: str


@dataclass(frozen=True)
class Memory:
    """Bytes.

    Attributes:
        peak_rss_bytes: the most that the whole process held, program and all, until the end of the run.
        opening_rss_bytes: by how much it grew at most while the model was opened and ran for the first time; the
            self-test's reference is in it.
        session_heap_bytes: what the open model holds of the heap: weights in the engine's order, values, scratch.
    """

    peak_rss_bytes: int | None = None
    opening_rss_bytes: int | None = None
    session_heap_bytes: int | None = None


@dataclass(frozen=True)
class OpTime:
    """One row of the engine's own profile: an op, or a kernel of a delegate. ``share`` is of the sum of all rows."""

    name: str
    mean_ms: float
    share: float
    count: int = 1


@dataclass(frozen=True)
class OpProfile:
    """Times of ops, from runs of their own beside the timed ones: reading clocks inside slows a run."""

    source: str
    runs: int
    ops: tuple[OpTime, ...]


@dataclass(frozen=True)
class Minute:
    """One minute of a sustained run, counted from 1."""

    minute: int
    queries: int
    p50_ms: Figure


@dataclass(frozen=True)
class Sustained:
    """Minute by minute; ``last_to_first`` is the last minute's median over the first one's."""

    minutes: tuple[Minute, ...]
    last_to_first: Figure
