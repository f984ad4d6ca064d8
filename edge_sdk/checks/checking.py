"""One file held against one device profile: delegates, memory, runtimes. All of it is *predicted*, offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.artifact.sound import formed
from edge_sdk.checks.advice.advising import advise
from edge_sdk.checks.budget import check_memory
from edge_sdk.checks.conclusions import conclusions
from edge_sdk.checks.delegation import Placed, check_delegate, place_delegate, summed_up
from edge_sdk.checks.lint.linting import lint
from edge_sdk.checks.lint.scene import LintFinding
from edge_sdk.checks.narrow_engines import narrow_engines
from edge_sdk.checks.refusals import refusals
from edge_sdk.checks.runtimes import XnnpackEngine, check_runtime, xnnpack_engines
from edge_sdk.checks.timeline import timeline
from edge_sdk.checks.traits import traits
from edge_sdk.checks.verdict import CheckReport, DelegateCheck
from edge_sdk.errors import ProfileError, nearest
from edge_sdk.findings import has_error
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import Delegate, DeviceProfile


def check(
    artifact: Artifact | str | Path,
    profile: DeviceProfile | str | Path,
    *,
    delegates: Sequence[str] = (),
    measured: Sequence[LintFinding] = (),
    signature: str | None = None,
) -> CheckReport:
    """Will the file fit the device, and where would each op run?

    Args:
        artifact: the file, or its path.
        profile: the device, its id, or the path of its profile.
        delegates: rule sets to ask, instead of all that the device has.
        measured: what :func:`edge_sdk.checks.lint.activations.measure` found on data.
        signature: key of the entry point whose ops are placed; ``serving_default`` or the first. Lint reads all.

    Raises:
        ProfileError: there is no such device, or it has no delegate of a name asked for.
        ModelError: the file is damaged, or an op is not formed as its kernel needs it.
        SignatureError: it has no such signature.
    """
    read = artifact if isinstance(artifact, Artifact) else read_artifact(artifact)
    read = read if signature is None else read.with_signature(signature)
    device = profile if isinstance(profile, DeviceProfile) else find_profile(profile)
    with formed(read.path):
        return _check(read, device, delegates, measured)


def _check(
    artifact: Artifact, profile: DeviceProfile, delegates: Sequence[str], measured: Sequence[LintFinding]
) -> CheckReport:
    chosen = _chosen(profile, delegates)
    engines = xnnpack_engines(profile)
    engine = next(iter(engines), None)
    placed = [(one, place_delegate(artifact, one, engine if one.rules == "xnnpack" else None)) for one in chosen]
    checked = tuple(_summed_up(artifact, one, where, engine) for one, where in placed)
    memory = check_memory(artifact, profile, placed, engine)
    runtimes = tuple(check_runtime(artifact, runtime) for runtime in profile.device.runtimes)
    said = conclusions(checked, memory, runtimes, _elsewhere(artifact, placed, engines))
    findings = (*refusals(artifact), *narrow_engines(artifact, profile), *said, *traits(artifact, placed))
    linted = (*measured, *lint(artifact))
    return CheckReport(
        artifact=str(artifact.path or "model"),
        signature=artifact.entry,
        profile=profile.id,
        fits=not has_error((*findings, *linted)),
        delegates=checked,
        memory=memory,
        runtimes=runtimes,
        findings=findings,
        lint=linted,
        timeline=timeline(artifact),
    )


def _summed_up(
    artifact: Artifact, delegate: Delegate, placed: Placed | None, engine: XnnpackEngine | None
) -> DelegateCheck:
    engine = engine if delegate.rules == "xnnpack" else None
    check = summed_up(placed, delegate, engine) if placed else check_delegate(artifact, delegate)
    # Advice comes from our own rules: it has no say where the device's compiler places ops otherwise.
    return check if check.vela_differs else replace(check, advice=advise(artifact.main, delegate, engine))


def _elsewhere(
    artifact: Artifact, placed: Sequence[tuple[Delegate, Placed | None]], engines: Sequence[XnnpackEngine]
) -> list[tuple[XnnpackEngine, DelegateCheck]]:
    """XNNPACK in each runtime of the device, where it was asked about."""
    asked = next(((delegate, where) for delegate, where in placed if delegate.rules == "xnnpack" and where), None)
    if asked is None:
        return []
    delegate, where = asked
    newest, others = engines[:1], engines[1:]
    first = [(engine, summed_up(where, delegate, engine)) for engine in newest]
    return [*first, *((engine, check_delegate(artifact, delegate, engine)) for engine in others)]


def _chosen(profile: DeviceProfile, wanted: Sequence[str]) -> list[Delegate]:
    here = [delegate.rules for delegate in profile.device.delegates]
    for name in wanted:
        if name not in here:
            raise ProfileError(
                f"{profile.id} has no delegate with rules `{name}`{nearest(name, here)}",
                hint=f"it has {', '.join(here) or 'none'}",
            )
    return [delegate for delegate in profile.device.delegates if not wanted or delegate.rules in wanted]
