"""A benchmark as text."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.measure.records import Benchmark, Comparison, Conditions, Look, Result, Validity
from edge_sdk.measure.timed import Figure, Sustained

_OPS = 10
_VERDICTS = {"faster": "faster", "slower": "slower", "equal": "equal", "undecided": "undecided: more time would tell"}


def as_text(benchmark: Benchmark) -> str:
    """All of it, the verdict on each number first."""
    lines = [line for result in benchmark.results for line in _result(result, benchmark.meta.run_mode)]
    for one in benchmark.comparisons:
        lines += comparison_text(one)
    return "\n".join([*lines, *_conditions(benchmark.conditions)])


def quotable(result: Result, run_mode: str) -> str:
    """Whether a number may be quoted, in words."""
    run = result.performance_run
    if not result.validity.valid:
        return "INVALID"
    if run_mode == "sustained":
        return "VALID, sustained"
    if run_mode == "quotable" and run.loadgen_info.is_min_duration_met and run.loadgen_info.is_min_query_met:
        return "VALID"
    if run_mode == "quotable":
        asked = f"{result.min_samples:,} queries and {result.min_duration:g} s"
        return (
            f"VALID, but not to be quoted: {run.measured_samples:,} queries in {run.measured_duration:.1f} s of {asked}"
        )
    return f"VALID, {run_mode}: not to be quoted (MLPerf asks for 1,024 queries and 60 s)"


def _result(result: Result, run_mode: str) -> Iterator[str]:
    run, info = result.performance_run, result.backend_info
    latency = run.latency_ms
    yield f"{result.benchmark_name}: {quotable(result, run_mode)}"
    yield from reasons_text(result.validity)
    yield f"  ran on    {info.delegate_name} on {info.accelerator_name}; {info.backend_name}; {_placement(result)}"
    yield f"  p50       {_ms(latency.p50)}"
    for name, figure in (("p90", latency.p90), ("p99", latency.p99)):
        yield f"  {name}       {_ms(figure) if figure else f'too few queries ({run.measured_samples})'}"
    yield f"  mean      {_ms(latency.mean)}, from {latency.min:.4g} to {latency.max:.4g}"
    count = f"{run.measured_samples:,} in {run.measured_duration:.1f} s, {run.throughput.value:.4g} a second"
    yield f"  queries   {count}{_batches(result)}"
    yield f"  opening   init {_plain_ms(result.init_ms)}, first run {_plain_ms(result.first_run_ms)}"
    yield f"  warm-up   {_warm_up(result)}"
    yield f"  memory    {_memory(result)}"
    if result.op_profile is not None:
        yield f"  ops       {result.op_profile.source}, {result.op_profile.runs} runs of their own"
        ranked = sorted(result.op_profile.ops, key=lambda op: -op.mean_ms)
        yield from (f"            {op.share:6.1%}  {op.mean_ms:.4g} ms  {op.name}" for op in ranked[:_OPS])
        if len(ranked) > _OPS:
            rest = sum(op.share for op in ranked[_OPS:])
            yield f"            {rest:6.1%}  {len(ranked) - _OPS} others"
    if result.sustained is not None:
        yield from _sustained(result.sustained)


def reasons_text(validity: Validity) -> Iterator[str]:
    """A line for each reason why a number cannot be believed."""
    for reason in validity.reasons:
        yield f"  because   {reason.message}{f' ({reason.hint})' if reason.hint else ''} [{reason.rule}]"


def comparison_text(one: Comparison) -> Iterator[str]:
    """One against the other: the verdict, the ratio."""
    mark = "" if one.validity.valid else "INVALID, "
    yield f"{one.candidate} against {one.base}: {mark}{_VERDICTS[one.verdict]}"
    interval = f", 95 % {one.ratio.low:.3f} to {one.ratio.high:.3f}" if one.ratio.low is not None else ""
    yield f"  ratio     {one.ratio.value:.3f}{interval}; {one.sittings} sittings, a margin of {one.margin:.0%}"


def _sustained(sustained: Sustained) -> Iterator[str]:
    first, last = sustained.minutes[0], sustained.minutes[-1]
    interval = sustained.last_to_first
    words = f", 95 % {interval.low:.3f} to {interval.high:.3f}" if interval.low is not None else ""
    yield f"  sustained minute {first.minute}: p50 {_ms(first.p50_ms)}"
    yield f"            minute {last.minute}: p50 {_ms(last.p50_ms)}; {interval.value:.3f} times the first{words}"


def _placement(result: Result) -> str:
    info = result.backend_info
    if info.delegated_ops is None or info.delegate_name == "cpu":
        return "the engine's own kernels" if info.delegate_name == "cpu" else "nobody knows which ops it took"
    return f"{info.delegated_ops} of {info.ops} ops ({info.delegated_told_by})"


def _batches(result: Result) -> str:
    run = result.performance_run
    cost = f"; timing adds {run.overhead_us:.3f} us to a query" if run.overhead_us is not None else ""
    if run.queries_per_sample == 1:
        return cost
    return f", timed by {run.queries_per_sample}: percentiles are of means of so many{cost}"


def _warm_up(result: Result) -> str:
    warm_up = result.warm_up
    if not warm_up.detected:
        return f"not warm after {warm_up.queries} queries"
    return f"warm after {warm_up.queries} queries and {warm_up.duration_ms:.0f} ms ({warm_up.why})"


def _memory(result: Result) -> str:
    memory = result.memory
    named = (
        ("the open model holds", memory.session_heap_bytes if memory else None),
        ("opening took at most", memory.opening_rss_bytes if memory else None),
        ("the process at most", memory.peak_rss_bytes if memory else None),
    )
    parts = [f"{what} {count / 1048576:.1f} MiB" for what, count in named if count is not None]
    return ", ".join(parts) or "this system does not tell"


def seen_of_machine(conditions: Conditions) -> Iterator[tuple[str, str]]:
    """What was seen of the machine: names and words."""
    looks = (conditions.before, *conditions.during, conditions.after)
    yield from ((name, words) for name, words in _seen(looks) if words)
    if conditions.not_seen:
        yield "not seen", "; ".join(conditions.not_seen)
    yield from (("note", note) for note in conditions.notes)


def _conditions(conditions: Conditions) -> Iterator[str]:
    yield f"conditions: {len(conditions.during) + 2} looks at the machine"
    yield from (f"  {name:<9} {words}" for name, words in seen_of_machine(conditions))


def _seen(looks: tuple[Look, ...]) -> Iterator[tuple[str, str]]:
    own = [(look.cpu_mhz or {}).get(str(look.on_cpu)) for look in looks]
    clocks = [mhz for mhz in own if mhz is not None]
    yield "clock", f"{min(clocks)} to {max(clocks)} MHz" if clocks else ""
    yield "governor", ", ".join(sorted({name for look in looks for name in (look.governor or {}).values()}))
    before, after = looks[0].temperature_c or {}, looks[-1].temperature_c or {}
    yield "heat", "; ".join(f"{zone} {before[zone]:.0f} to {after.get(zone, 0):.0f} C" for zone in before)
    loads = [look.load for look in looks[1:] if look.load is not None]
    yield "others", f"at most {max(loads):.2f} CPUs busy with other programs" if loads else ""
    waits = [look.waited_share for look in looks[1:] if look.waited_share is not None]
    yield "waited", f"for a CPU at most {max(waits):.1%} of the time" if waits else ""
    states = [look.thermal_status for look in looks if look.thermal_status is not None]
    yield "thermal", f"status {min(states)} to {max(states)}" if states else ""


def _ms(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g} ms (too few for an interval)"
    return f"{figure.value:.4g} ms (95 % {figure.low:.4g} to {figure.high:.4g})"


def _plain_ms(value: float | None) -> str:
    return "not timed" if value is None else f"{value:.4g} ms"
