"""The runtimes of a device: which load a file, and whose rules and kernels XNNPACK follows there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.runtimes import measured_runtimes, missing_ops
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.checks.placement.rule_versions import order
from edge_sdk.checks.verdict import RuntimeCheck
from edge_sdk.profile.records import DeviceProfile, Runtime

# LiteRT's Android library is built from the same kernels; its op versions were not measured on Android.
_MEASURED_AS = {"litert-android": "ai-edge-litert"}
_LITERT = frozenset({"ai-edge-litert", "litert-android"})


@dataclass(frozen=True)
class XnnpackEngine:
    """XNNPACK as one runtime has it.

    Attributes:
        runtime: name and version.
        rules: the rule set that holds for it.
        version: of the rules; None where they know no version that fits.
        exact: whether the rules were measured on that very version.
    """

    runtime: str
    rules: str
    version: str | None
    exact: bool


def check_runtime(artifact: Artifact, runtime: Runtime) -> RuntimeCheck:
    """Whether a runtime has every op of the file at its version, as far as that was measured.

    Custom ops that its XNNPACK takes need no kernel of its own.
    """
    measured_as = f"{_MEASURED_AS.get(runtime.name, runtime.name)} {runtime.version}"
    if measured_as not in measured_runtimes():
        return RuntimeCheck(runtime.name, runtime.version, None, "")
    missing = tuple(one for one in missing_ops(artifact, measured_as) if not _taken(artifact, runtime, one[0]))
    return RuntimeCheck(runtime.name, runtime.version, not missing, measured_as, missing)


def _taken(artifact: Artifact, runtime: Runtime, name: str) -> bool:
    """Whether XNNPACK, as this runtime applies it by default, takes all custom ops of that name."""
    if not name.startswith("CUSTOM:") or runtime.name not in _LITERT:
        return False
    graph = artifact.main
    claimed = place_by(_engine(runtime).rules, graph, engine=runtime.version).claimed
    return all(one is graph and op.index in claimed for one, op in artifact.all_ops() if op.name == name)


def xnnpack_engines(profile: DeviceProfile) -> tuple[XnnpackEngine, ...]:
    """XNNPACK in each runtime of the device that is known to use it by default: LiteRT's newest first.

    Left out: Play services, which brings and updates its own, and tflite-runtime on 32-bit ARM, which was built
    without (research in :mod:`edge_sdk.checks.delegates.xnnpack.tflite_runtime`).
    """
    engines = [_engine(runtime) for runtime in _by_age(profile.device.runtimes) if runtime.name in _LITERT]
    if profile.soc.arch != "armv7l":
        older = [runtime for runtime in profile.device.runtimes if runtime.name == "tflite-runtime"]
        engines += [_engine(runtime) for runtime in _by_age(older)]
    return tuple(engines)


def _by_age(runtimes: Sequence[Runtime]) -> list[Runtime]:
    return sorted(runtimes, key=lambda runtime: order(runtime.version), reverse=True)


def _engine(runtime: Runtime) -> XnnpackEngine:
    name = "xnnpack" if runtime.name in _LITERT else "xnnpack_tflite_runtime"
    exact = runtime.version in rule_set(name).engines
    return XnnpackEngine(f"{runtime.name} {runtime.version}", name, runtime.version, exact)
