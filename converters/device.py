"""What a device asks of a conversion: the recipe that serves it best, and the check of the file that was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge_sdk.android.properties import project, read_properties
from edge_sdk.artifact.borders import in_one_op
from edge_sdk.artifact.model import Artifact, parse_artifact, read_artifact
from edge_sdk.artifact.runtimes import missing_ops
from edge_sdk.checks.checking import check
from edge_sdk.checks.delegates.ethos_u.check import RULES as ETHOS_U
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.checks.runtimes import XnnpackEngine, xnnpack_engines
from edge_sdk.converters.compilers.compiling import compile_bytes
from edge_sdk.converters.compilers.seam import find_compiler
from edge_sdk.converters.quantize.forms.islands import Islands, with_integers_only, with_islands
from edge_sdk.converters.quantize.forms.windows import (
    MOST_PARTS_IN_INTEGERS,
    told_of_windows,
    wide_windows,
    with_narrow_windows,
)
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.errors import ConversionError, MissingDependencyError, NothingPlacedError
from edge_sdk.files import write_bytes
from edge_sdk.findings import Finding, Severity
from edge_sdk.profile.records import Delegate, DeviceProfile
from edge_sdk.recipe import Recipe, change_recipe, find_recipe

_INTEGER_ENDS = ETHOS_U | {"edgetpu"}
"""Rule sets whose compilers leave a float input or output to the CPU."""


@dataclass(frozen=True)
class Choice:
    """A recipe, and why: ``chosen for`` the device, and what its first delegate takes."""

    recipe: Recipe
    reason: str


def choose_recipe(profile: DeviceProfile) -> Choice:
    """The recipe for the delegate that a runtime should try first; int8 for the CPU where there is none.

    A GPU gets float16 storage, an NPU or DSP int8: integers at the ends too where its compiler leaves QUANTIZE to the
    CPU, one scale for all weights of an op where the accelerator knows no others.
    """
    delegate = next(iter(profile.device.delegates), None)
    if delegate is None:
        reason = f"chosen for {profile.id}: it has no delegate, and int8 is the smallest that its CPU computes in"
        return Choice(find_recipe("static_wi8_ai8"), reason)
    whom = f"chosen for {profile.id}: its first delegate, {delegate.rules} on {delegate.accelerator},"
    if delegate.accelerator == "gpu" and "float16" in delegate.precision:
        return Choice(find_recipe("float16"), f"{whom} computes in float16")
    if "int8" in delegate.precision:
        return _integers(delegate, whom)
    name = "float16" if "float16" in delegate.precision else "float32"
    return Choice(find_recipe(name), f"{whom} takes no int8")


def _integers(delegate: Delegate, whom: str) -> Choice:
    recipe, reason = find_recipe("static_wi8_ai8"), f"{whom} takes int8"
    if delegate.weights == "per_tensor":
        recipe = find_recipe("static_wi8_ai8_per_tensor")
        reason += ", with one scale for all weights of an op"
    if delegate.rules in _INTEGER_ENDS:
        per_channel = recipe.weights.granularity == "per_channel"
        recipe = find_recipe("static_wi8_ai8_io8") if per_channel else change_recipe(recipe, io="int8")
        reason += ", at the ends too"
    return Choice(recipe, reason)


def in_forms_of_delegate(
    data: bytes, recipe: Recipe, profile: DeviceProfile | None, reference: bytes | None = None
) -> Islands | None:
    """An integer file in the form that the device's first delegate takes; None where it is right as it is.

    XNNPACK alone computes in float as well as in integers, and so may have one between the other. Without a profile
    it is that of the newest LiteRT whose rules are known. An integer-only file stays without float, and as it is where
    no profile says that XNNPACK will run it: NPUs, which such files are for, have ops of their own. ``reference`` is
    the float file that it was made from.
    """
    if recipe.mode != "static_range" or recipe.activations.dtype != "int8" or recipe.forms == "plain":
        return None
    if recipe.integer_only:
        first = None if profile is None else _first_xnnpack(profile)
        return None if first is None else with_integers_only(data, first)
    engine = _xnnpack_of(profile)
    return None if engine is None else with_islands(data, engine, reference)


def in_narrow_windows(data: bytes, recipe: Recipe, profile: DeviceProfile | None) -> tuple[bytes, Finding] | None:
    """A float file whose wide depthwise convolutions are sums, for a recipe; None where it is right as it is.

    As :func:`in_forms_of_delegate`: for the device's first delegate where that is XNNPACK, without a profile for that
    of the newest LiteRT, and integer-only files as they are where no profile names it.
    """
    engine = _of_windows(recipe, profile)
    if engine is None:
        return None
    graph = parse_artifact(data).main
    claimed = place_by(engine.rules, graph, engine=engine.version).claimed
    chosen = wide_windows(graph, claimed, most_parts=MOST_PARTS_IN_INTEGERS if recipe.integer_only else None)
    if not chosen:
        return None
    return with_narrow_windows(data, chosen), told_of_windows(graph, chosen, recipe, engine.runtime)


def _of_windows(recipe: Recipe, profile: DeviceProfile | None) -> XnnpackEngine | None:
    """Whose kernels a recipe's file is written for; of int8 weights alone, and int16, XNNPACK takes no such op."""
    integers = recipe.mode == "static_range" and recipe.activations.dtype == "int8" and not recipe.int16
    if recipe.forms == "plain" or not (integers or recipe.mode in ("float", "float16")):
        return None
    if profile is not None:
        return _first_xnnpack(profile)
    return None if recipe.integer_only else _newest_xnnpack()


def floats_of_tuning(recipe: Recipe, profile: DeviceProfile | None) -> dict[str, Any]:
    """How much of its work ``--tune`` may leave in float, and for which engine; or why nothing."""
    engine = _xnnpack_of(profile)
    why = {
        "--tune-float is 0": not recipe.tune_float,
        "activations are float": recipe.mode != "static_range",
        f"an integer-only file (io = {recipe.io}) has none": recipe.integer_only,
        "--forms plain leaves every op in integers": recipe.forms == "plain",
        "what the device tries first is not XNNPACK, which alone computes in float between integers": engine is None,
    }
    first = next((reason for reason, holds in why.items() if holds), None)
    if first is not None or engine is None:
        return {"why": first}
    return {"percent": recipe.tune_float, "engine": asdict(engine)}


def _xnnpack_of(profile: DeviceProfile | None) -> XnnpackEngine | None:
    """XNNPACK that runs the file, the newest without a profile; None where something else is tried first."""
    return _newest_xnnpack() if profile is None else _first_xnnpack(profile)


def _newest_xnnpack() -> XnnpackEngine:
    version = rule_set("xnnpack").engines[-1]
    return XnnpackEngine(f"ai-edge-litert {version}", "xnnpack", version, exact=True)


def _first_xnnpack(profile: DeviceProfile) -> XnnpackEngine | None:
    """What a runtime there tries first, where that is XNNPACK: by name, or because there is nothing else."""
    first = next(iter(profile.device.delegates), None)
    if first is not None and first.name != "xnnpack":
        return None
    return next(iter(xnnpack_engines(profile)), None)


def compiled_path(output: Path, profile: DeviceProfile | None) -> Path | None:
    """Where the file that Vela compiles goes, beside the plain one; None where the device has no Ethos-U."""
    return output.with_name(f"{output.stem}_vela{output.suffix}") if profile and _ethos_u(profile) else None


def fit_to_device(report: ConversionReport, output: Path, profile: DeviceProfile) -> ConversionReport:
    """Checks the written file against the device, and has Vela compile it where the device has an Ethos-U."""
    artifact = read_artifact(output)
    checked = check(as_compiled(artifact, output.read_bytes(), profile), profile)
    if profile.device.os.family == "android":
        report = replace(report, findings=(*report.findings, *app_findings(artifact, output.name)))
    delegate, target = _ethos_u(profile), compiled_path(output, profile)
    if delegate is None or target is None or delegate.variant is None:
        return replace(report, check=checked)
    written, findings = _compile(output, target, delegate.variant)
    return replace(report, check=checked, compiled=written, findings=(*report.findings, *findings))


def as_compiled(artifact: Artifact, data: bytes, profile: DeviceProfile) -> Artifact:
    """A file as the device's compiler is given it: int8 meets int16 in one op for an Ethos-U.

    Args:
        artifact: the file.
        data: its bytes.
        profile: the device.
    """
    given = data if _ethos_u(profile) is None else in_one_op(data)
    return artifact if given is data else parse_artifact(given)


def app_findings(artifact: Artifact, name: str) -> Iterator[Finding]:
    """What the engine in `edge-sdk android build` cannot load, whatever newer ones a device may have."""
    engine = f"tensorflow {read_properties(project()).tflite}"
    for op, version in missing_ops(artifact, engine):
        message = f"needs {op} version {version}, which {engine} in the app of `edge-sdk android build` does not have"
        yield Finding(
            "apk-op-version", "warning", message, name, "take another recipe for that app: static_wi8_ai8, float16"
        )


def _ethos_u(profile: DeviceProfile) -> Delegate | None:
    return next((delegate for delegate in profile.device.delegates if delegate.rules in ETHOS_U), None)


def _compile(output: Path, target: Path, variant: str) -> tuple[str | None, list[Finding]]:
    try:
        made = compile_bytes(find_compiler("vela"), output.read_bytes(), variant)
    except MissingDependencyError as error:
        return None, [
            _not_written(target, "vela-not-asked", "warning", f"{error.package} is not installed", error.hint)
        ]
    except NothingPlacedError as error:
        return None, [_not_written(target, "vela-places-nothing", "error", str(error), error.hint)]
    except ConversionError as error:
        return None, [_not_written(target, "vela-fails", "error", str(error), error.hint)]
    write_bytes(target, made.content)
    message = f"compiled for {variant} by {made.tool}; it was not run: no NPU, no simulator here"
    return str(target), [Finding("vela-file-not-run", "info", message, target.name, f"the proof is {output.name}'s")]


def _not_written(target: Path, rule: str, severity: Severity, why: str, hint: str | None) -> Finding:
    message = f"no {target.name} was written: {why}"
    return Finding(rule, severity, message + _left_over(target), target.name, hint or "")


def _left_over(target: Path) -> str:
    return "; the one that is there is of another conversion" if target.exists() else ""
