"""Points and drops in words."""

from __future__ import annotations

from edge_sdk.converters.search.records import MIB, Point, Score


def number_text(value: float | None) -> str:
    """A number, or that it is not known."""
    return "an unknown number of" if value is None else f"{value:.4g}"


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


def confirmation_text(point: Point) -> str:
    """What unseen data said of a point."""
    if point.confirmed is None:
        return ""
    drop = point.confirmed.drop
    words = {"within": "confirmed", "undecided": "not contradicted"}.get(drop.state, drop.state)
    return f"; {words} on unseen data, drop {drop_text(point.confirmed)}"
