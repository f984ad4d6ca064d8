"""A search as text: the answer, the front as a table, and what stood in the way."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.converters.search.optimizing import BEST, BUNDLE, RECIPE
from edge_sdk.converters.search.records import Latency, Point, Result, Score
from edge_sdk.report.lines import field, size_text, table


def optimizing_text(result: Result) -> str:
    """For a terminal; NOTHING FITS, or that the answer is not confirmed, in the first line where that is so."""
    best = result.best
    verdict = f"{best.recipe.name}" if best else "NOTHING FITS"
    verdict += {"confirmed": ", confirmed", "undecided": ", NOT CONFIRMED: undecided"}.get(
        result.confirmation or "", ""
    )
    lines = [f"{result.source}: {verdict}", field("why", result.why)]
    lines += _about(result)
    lines += ["", *table(_HEADERS, [_row(point, result) for point in (result.reference, *result.points)])]
    reasons = [(point, reason) for point in result.points for reason in point.misses]
    if reasons:
        lines += ["", *(f"  {_label(point, result)}: {reason}" for point, reason in reasons)]
    if result.findings:
        lines += ["", *(f"  {finding}" for finding in result.findings)]
    if best:
        lines += ["", field("written", f"{result.folder}/{BEST}, {BUNDLE} and {RECIPE}, which makes it again")]
    return "\n".join(lines)


_HEADERS = ("", "not in int8", "metric", "drop (interval)", "samples", "latency", "size", "int8 MACs")


def _about(result: Result) -> Iterator[str]:
    metric, budgets = result.metric, result.budgets
    unit = f" in {metric.unit}" if metric.unit else ""
    yield field("metric", f"{metric.name}, drops{unit}, on {metric.data}")
    yield field(
        "samples",
        f"{metric.search_samples} to search with, {metric.confirm_samples} to confirm; ranges: {metric.calibration}",
    )
    asked = {
        "drop": budgets.max_drop,
        "ms": budgets.max_latency_ms,
        "MiB of file": budgets.max_size_mib,
        "MiB of compressed file": budgets.max_compressed_mib,
        "MiB of memory": budgets.max_memory_mib,
    }
    yield field("budgets", ", ".join(f"at most {most:g} {name}" for name, most in asked.items() if most is not None))
    times = {point.latency.where: point.latency.truth for point in (result.reference, *result.points) if point.latency}
    if times:
        yield field("latency", "; ".join(f"{truth} on {where}" for where, truth in times.items()))
    if result.ranking:
        yield field("ranked by", result.ranking)
    errors = sorted(
        abs(p.expected_ms / p.latency.ms - 1) for p in result.points if p.expected_ms is not None and p.latency
    )
    if errors:
        off = f"{errors[len(errors) // 2]:.0%} in the middle and {errors[-1]:.0%} at most"
        yield field("front", f"times predicted before a file was made were off by {off}, of {len(errors)}")
    ended = {"max-evals": "the evaluations allowed were used", "budget": "the time allowed was used"}
    how = ended.get(result.stopped, result.stopped)
    tried = f"{result.evaluations} evaluations ({result.full_evaluations:g} full ones)"
    yield field(
        "effort",
        f"{tried}, {result.samples_run} samples run, {result.seconds:.0f} s; {how}",
    )


def _row(point: Point, result: Result) -> tuple[str, ...]:
    file = point.file
    return (
        _label(point, result),
        _spared(point),
        _value(point.score, result),
        _drop(point.score),
        "-" if point.score is None else f"{point.score.drop.samples}/{point.score.drop.of}",
        _latency(point.latency),
        size_text(file.size_bytes) if file else "-",
        f"{file.int8_macs:.0%}" if file else "-",
    )


def _spared(point: Point) -> str:
    if point.move == "reference":
        return "all"
    return f"{len(point.spared)} in {point.spared_in}" if point.spared else "0"


def _label(point: Point, result: Result) -> str:
    chosen = result.best is not None and point.order == result.best.order
    return f"{'->' if chosen else '  '} {point.recipe.name}"


def _value(score: Score | None, result: Result) -> str:
    if score is None:
        return "-"
    return f"{100 * score.value:.2f} %" if result.metric.unit else f"{score.value:.5g}"


def _drop(score: Score | None) -> str:
    if score is None:
        return "-"
    drop = score.drop
    ends = "" if drop.low is None or drop.high is None else f" ({drop.low:.2f} to {drop.high:.2f})"
    return f"{drop.value:.2f}{ends}"


def _latency(latency: Latency | None) -> str:
    return "-" if latency is None else f"{latency.ms:.3g} ms"
