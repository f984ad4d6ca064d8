"""Points and drops in words."""

from __future__ import annotations

from edge_sdk.converters.search.paired import CONFIDENCE
from edge_sdk.converters.search.records import MIB, Budgets, Point, Score


def number_text(value: float | None) -> str:
    """A number, or that it is not known."""
    return "an unknown number of" if value is None else f"{value:.4g}"


def over(budgets: Budgets, point: Point) -> tuple[str, ...]:
    """Budgets of time, size and memory that a file misses; what is not known misses them too."""
    file = point.file
    memory = file.memory_bytes if file else None
    asked = (
        ("takes {} ms", budgets.max_latency_ms, point.latency.ms if point.latency else None),
        ("has {} MiB", budgets.max_size_mib, file.size_bytes / MIB if file else None),
        ("has {} MiB compressed", budgets.max_compressed_mib, file.compressed_bytes / MIB if file else None),
        ("needs {} MiB (predicted)", budgets.max_memory_mib, None if memory is None else memory / MIB),
    )
    return tuple(
        f"{text.format(number_text(value))}, {most:g} allowed"
        for text, most, value in asked
        if most is not None and (value is None or value > most)
    )


def drop_text(score: Score) -> str:
    """A drop with its interval, and on how many samples."""
    drop = score.drop
    ends = "" if drop.low is None or drop.high is None else f" ({drop.low:.3g} to {drop.high:.3g})"
    return f"{drop.value:.3g}{ends} on {drop.samples} of {drop.of} samples"


def facts_text(point: Point) -> str:
    """Time, size and drop of a point, in brackets."""
    parts = [f"{point.latency.ms:.3g} ms {point.latency.truth}"] if point.latency else []
    parts += [f"{point.file.size_bytes / MIB:.2f} MiB"] if point.file else []
    parts += [f"drop {drop_text(point.score)}"] if point.score and point.move != "reference" else []
    return f" ({', '.join(parts)})" if parts else ""


def confirmation_text(point: Point, most: float | None) -> str:
    """What unseen data said of a point: confirmed, contradicted or undecided, how surely, and what would decide."""
    if point.confirmed is None:
        return ""
    seen = f"drop {drop_text(point.confirmed)}"
    if point.confirmation is None or most is None:
        return f"; on unseen data {seen}"
    return f"; {point.confirmation} on unseen data: {seen}{sureness_text(point.confirmed, most)}"


def sureness_text(score: Score, most: float) -> str:
    """How sure samples are that a drop is within what is allowed, or beyond it, and how many would decide."""
    drop = score.drop
    side = "within" if drop.value <= most else "beyond"
    sure = "too few to say how surely" if drop.confidence is None else f"{drop.confidence:.1%} sure"
    if drop.state != "undecided":
        return f", {side} {most:g} allowed ({sure})"
    more = f"about {drop.needed:,} would decide" if drop.needed else "no number of samples tells how many would decide"
    return f", {side} {most:g} allowed but only {sure} of {CONFIDENCE:.0%} wanted; {more}"
