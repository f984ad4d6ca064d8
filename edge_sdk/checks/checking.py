"""One file held against one device profile: delegates, memory, runtimes. All of it is *predicted*, offline."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.budget import check_memory
from edge_sdk.checks.conclusions import conclusions
from edge_sdk.checks.delegates import check_delegate
from edge_sdk.checks.lint.linting import lint
from edge_sdk.checks.lint.scene import LintFinding
from edge_sdk.checks.runtimes import check_runtime
from edge_sdk.checks.verdict import CheckReport
from edge_sdk.errors import ProfileError, nearest
from edge_sdk.profile.records import Delegate, DeviceProfile


def check(
    artifact: Artifact,
    profile: DeviceProfile,
    *,
    delegates: Sequence[str] = (),
    measured: Sequence[LintFinding] = (),
) -> CheckReport:
    """Will the file fit the device, and where would each op run?

    Args:
        artifact: the file.
        profile: the device.
        delegates: rule sets to ask, instead of all that the device has.
        measured: what :func:`edge_sdk.checks.lint.activations.measure` found on data.

    Raises:
        ProfileError: the device has no delegate of a name asked for.
    """
    chosen = _chosen(profile, delegates)
    checked = tuple(check_delegate(artifact, delegate) for delegate in chosen)
    memory = check_memory(artifact, profile)
    runtimes = tuple(check_runtime(artifact, runtime) for runtime in profile.device.runtimes)
    findings = tuple(conclusions(checked, memory, runtimes))
    linted = (*measured, *lint(artifact))
    return CheckReport(
        artifact=str(artifact.path or "model"),
        profile=profile.id,
        fits=not any(finding.severity == "error" for finding in (*findings, *linted)),
        delegates=checked,
        memory=memory,
        runtimes=runtimes,
        findings=findings,
        lint=linted,
    )


def _chosen(profile: DeviceProfile, wanted: Sequence[str]) -> list[Delegate]:
    here = [delegate.rules for delegate in profile.device.delegates]
    for name in wanted:
        if name not in here:
            raise ProfileError(
                f"{profile.id} has no delegate with rules `{name}`{nearest(name, here)}",
                hint=f"it has {', '.join(here) or 'none'}",
            )
    return [delegate for delegate in profile.device.delegates if not wanted or delegate.rules in wanted]
