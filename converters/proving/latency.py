"""How long a quantized file takes against its float file, measured, and what its forms bought."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_sdk.converters.workers.worker import Worker
from edge_sdk.findings import Finding
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.recipe import Recipe

_SECONDS = 2.0
# Noise of a two-second measurement; a ratio above it is worth a warning.
_SLOWER = 1.05


def measured(worker: Worker, paths: Sequence[Path]) -> tuple[Timing, ...]:
    """Latencies side by side: the float file, the one made, and, where there is one, the same in plain forms."""
    rows = worker.function(
        "edge_sdk.converters.proving.candidate:timings",
        "measuring latency",
        paths=[str(path) for path in paths],
        seconds=_SECONDS,
    )
    return tuple(Timing(**row) for row in rows)


def latency_findings(timings: Sequence[Timing], recipe: Recipe) -> list[Finding]:
    """Slower than float, and slower or faster than in plain forms; none where that is within the noise."""
    _, final, *plain = timings
    found = [_slower_than_float(final, recipe)] if final.ratio_low > _SLOWER else []
    return found + [one for other in plain if (one := _against_plain(final, other, recipe))]


def _slower_than_float(final: Timing, recipe: Recipe) -> Finding:
    return Finding(
        "slower-than-float",
        "warning",
        f"takes {final.ratio:.2f}x the time of the float file on this machine's CPU (measured, "
        f"{final.threads} thread, 95 % interval {final.ratio_low:.2f} to {final.ratio_high:.2f})",
        recipe.name,
        "the device may differ; static_wi8_ai8 is the fast int8 form on CPUs"
        if recipe.mode != "static_range"
        else "the device may differ",
    )


def _against_plain(final: Timing, plain: Timing, recipe: Recipe) -> Finding | None:
    value = final.ratio / plain.ratio
    what = f"takes {value:.2f}x the time of the same file in plain forms ({plain.median_us:.0f} us) here (measured)"
    if final.ratio_low > plain.ratio_high * _SLOWER:
        return Finding("forms-cost-time", "warning", what, recipe.name, "--forms plain; the device may differ")
    if final.ratio_high * _SLOWER < plain.ratio_low:
        return Finding("forms-save-time", "info", what, recipe.name)
    return None
