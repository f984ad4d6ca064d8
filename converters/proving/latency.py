"""How long a quantized file takes against its float file, measured, and what its forms bought."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, read_artifact
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.converters.quantize.kept import kinds_in_words
from edge_sdk.converters.workers.worker import Worker
from edge_sdk.errors import SlowError
from edge_sdk.findings import Finding
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.recipe import Recipe

_SECONDS = 2.0
# Noise of a two-second measurement; a ratio above it is worth a warning.
_SLOWER = 1.05
# Ops of a slow file: some hundredths of a second each.
_TIMED, _NAMED = 150, 3
_ELSE = "the device may differ; static_wi8_ai8 is the fast int8 form on CPUs"
_HINTS = defaultdict(
    lambda: _ELSE,
    {
        "static_range": "the device may differ",
        "int16": "16-bit activations are for NPUs with kernels for them (Ethos-U, Hexagon), not for CPUs: "
        "static_wi8_ai8, with ops in float by --repair where it is not accurate enough",
    },
)


def measured(worker: Worker, paths: Sequence[Path]) -> tuple[Timing, ...]:
    """Latencies side by side: the float file, the one made, and, where there is one, the same in plain forms."""
    rows = worker.function(
        "edge_sdk.converters.proving.candidate:timings",
        "measuring latency",
        paths=[str(path) for path in paths],
        seconds=_SECONDS,
    )
    return tuple(Timing(**row) for row in rows)


@dataclass(frozen=True)
class Outside:
    """What XNNPACK leaves of a file to TFLite's own kernels.

    Attributes:
        ops: type to how many; *predicted* by the rules of ``engine``.
        engine: version of ai-edge-litert whose rules were asked.
        share: of the file's time that they take, each *measured* alone; None where none could be.
        inside: ops that XNNPACK takes and that lost most against the float file, type to microseconds of all of them
            there and here, each *measured* alone.
    """

    ops: Mapping[str, int]
    engine: str
    share: float | None
    inside: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        lost = ", ".join(f"{kind} {here:.0f} us for {there:.0f}" for kind, (there, here) in self.inside.items())
        if not self.ops:
            whole = f"XNNPACK takes every op (predicted for ai-edge-litert {self.engine})"
            return f"{whole}: its kernels are slow here" + (f", most at {lost} (each measured alone)" if lost else "")
        listing = kinds_in_words(Counter(self.ops).elements())
        share = "" if self.share is None else f" take {self.share:.0%} of its time (each measured alone) and"
        left = f"{listing}{share} stay outside XNNPACK (predicted for ai-edge-litert {self.engine})"
        return left + (f"; inside, most is lost at {lost}" if lost else "")


def outside(worker: Worker, path: Path, folder: Path, final: Timing, base: Path) -> Outside:
    """Ops of a file outside XNNPACK, and their share of its time; and what is slow inside.

    Args:
        worker: times them.
        path: the file.
        folder: to work in.
        final: how long the file takes.
        base: the float file.
    """
    known, version = rule_set("xnnpack").engines, final.engine.split(" ")[-1]
    engine = version if version in known else known[-1]
    graph = read_artifact(path).main
    refused = sorted(place_by("xnnpack", graph, engine=engine).refused)
    kinds = Counter(graph.ops[index].name for index in refused)
    there, here = _alone(worker, base, folder), _alone(worker, path, folder, refused)
    taken = [here[index] for index in refused if index in here]
    share = min(1.0, sum(taken) / final.median_us) if taken else None
    return Outside(dict(kinds.most_common()), engine, share, _lost(there, here, refused, (base, path)))


def _lost(
    there: Mapping[int, float], here: Mapping[int, float], refused: Sequence[int], paths: tuple[Path, Path]
) -> dict[str, tuple[float, float]]:
    """Types of ops that take longer in the second file than in the first, the worst first."""
    sums: list[dict[str, float]] = []
    for taken, path in zip((there, here), paths, strict=True):
        ops = read_artifact(path).main.ops
        total: dict[str, float] = defaultdict(float)
        for index, us in taken.items():
            total[ops[index].name] += us if taken is there or index not in refused else 0.0
        sums.append(total)
    before, after = sums
    lost = sorted((before.get(kind, 0.0) - us, kind) for kind, us in after.items() if us > before.get(kind, 0.0))
    return {kind: (before.get(kind, 0.0), after[kind]) for _, kind in lost[:_NAMED]}


def _alone(worker: Worker, path: Path, folder: Path, more: Sequence[int] = ()) -> dict[int, float]:
    """Microseconds of a file's costly ops, and of more, each alone, by index."""
    graph = read_artifact(path).main

    def cost(op: Op) -> int:
        return macs(graph, op) + sum(tensor.elements for tensor in (*graph.operands(op), *graph.results(op)))

    costly = [op.index for op in sorted(graph.ops, key=cost)[-_TIMED:]]
    arguments: dict[str, Any] = {"path": str(path), "folder": str(folder), "ops": sorted({*costly, *more})}
    place = "edge_sdk.converters.proving.candidate:times_of"
    taken: Mapping[str, float] = worker.function(place, "timing ops alone", **arguments)
    return {int(index): us for index, us in taken.items()}


def is_slower(timings: Sequence[Timing]) -> bool:
    """Whether the file takes longer than the float file, beyond the noise."""
    return len(timings) > 1 and timings[1].ratio_low > _SLOWER


def refuse_slow(
    timings: Sequence[Timing], recipe: Recipe, profile: DeviceProfile | None, left: Sequence[Finding]
) -> None:
    """Activations in int16 are for accelerators: a CPU has no fast kernels for them.

    Args:
        timings: the float file's and the file's; none where nothing was measured, and nothing is refused.
        recipe: of the file.
        profile: the device; not asked where an NPU or DSP comes first there.
        left: what was found of the latency.

    Raises:
        SlowError: the file is slower than the float file.
    """
    if not _is_wide(recipe) or _has_accelerator(profile) or not timings or not is_slower(timings):
        return
    ratio = timings[1].ratio
    said = next(finding.message for finding in left if finding.rule == "slower-than-float")
    where = f"{profile.id} has no accelerator for" if profile else "no device was named that has an accelerator for"
    raise SlowError(
        f"recipe {recipe.name} refused: {said}; {where} activations in int16",
        ratio=ratio,
        hint="static_wi8_ai8 is the fast form on CPUs, --repair keeps what it loses in float; --profile names a device "
        "with an NPU or DSP; --allow-slow writes it all the same",
    )


def untimed(recipe: Recipe, profile: DeviceProfile | None) -> list[Finding]:
    """What to say of a file whose latency nobody asked for, and which CPUs are known to be slow on."""
    if not _is_wide(recipe) or _has_accelerator(profile):
        return []
    message = "activations in int16 were not timed: CPUs have no fast kernels for them, and a timed file is refused"
    hint = "leave --no-timing out to see what it costs here; --profile names a device with an NPU or DSP"
    return [Finding("int16-not-timed", "warning", message, recipe.name, hint)]


def _is_wide(recipe: Recipe) -> bool:
    return recipe.activations.dtype == "int16" or bool(recipe.int16)


def _has_accelerator(profile: DeviceProfile | None) -> bool:
    first = next(iter(profile.device.delegates), None) if profile else None
    return first is not None and first.accelerator in ("npu", "dsp")


def latency_findings(timings: Sequence[Timing], recipe: Recipe, left: Outside | None = None) -> list[Finding]:
    """Slower than float, and slower or faster than in plain forms; none where that is within the noise.

    Args:
        timings: the float file's, the file's, and that in plain forms.
        recipe: of the file.
        left: what is outside of the delegate, where the file is slower.
    """
    if not timings:
        return []
    _, final, *plain = timings
    found = [_slower_than_float(final, recipe, left)] if is_slower(timings) else []
    return found + [one for other in plain if (one := _against_plain(final, other, recipe))]


def against_whole(final: Timing, whole: Sequence[Timing], recipe: Recipe) -> list[Finding]:
    """What wide windows in parts bought: the float file against the same with whole ones; none within the noise.

    Args:
        final: the float file's latency; ratios are to it.
        whole: that with whole windows, where there is one.
        recipe: of the file.
    """
    found = []
    for one in whole:
        what = (
            f"the float file takes {final.median_us:.0f} us, {one.median_us:.0f} with its wide windows whole (measured)"
        )
        if one.ratio_high * _SLOWER < 1:
            found.append(
                Finding("forms-cost-time", "warning", what, recipe.name, "--forms plain; the device may differ")
            )
        elif one.ratio_low > _SLOWER:
            found.append(Finding("forms-save-time", "info", what, recipe.name))
    return found


def _slower_than_float(final: Timing, recipe: Recipe, left: Outside | None) -> Finding:
    return Finding(
        "slower-than-float",
        "warning",
        f"takes {final.ratio:.2f}x the time of the float file on this machine's CPU (measured, "
        f"{final.threads} thread, 95 % interval {final.ratio_low:.2f} to {final.ratio_high:.2f})"
        + (f"; {left}" if left else ""),
        recipe.name,
        _HINTS["int16" if recipe.activations.dtype == "int16" else recipe.mode],
    )


def _against_plain(final: Timing, plain: Timing, recipe: Recipe) -> Finding | None:
    value = final.ratio / plain.ratio
    what = f"takes {value:.2f}x the time of the same file in plain forms ({plain.median_us:.0f} us) here (measured)"
    if final.ratio_low > plain.ratio_high * _SLOWER:
        return Finding("forms-cost-time", "warning", what, recipe.name, "--forms plain; the device may differ")
    if final.ratio_high * _SLOWER < plain.ratio_low:
        return Finding("forms-save-time", "info", what, recipe.name)
    return None
