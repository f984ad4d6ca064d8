"""Whether the runtimes of a device load a file, as far as that was measured."""

from __future__ import annotations

from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.runtimes import measured_runtimes, missing_ops
from edge_sdk.checks.verdict import RuntimeCheck
from edge_sdk.profile.records import Runtime

# LiteRT's Android library is built from the same kernels; its op versions were not measured on Android.
_MEASURED_AS = {"litert-android": "ai-edge-litert"}


def check_runtime(artifact: Artifact, runtime: Runtime) -> RuntimeCheck:
    """Whether a runtime has every op of the file at its version, as far as that was measured."""
    measured_as = f"{_MEASURED_AS.get(runtime.name, runtime.name)} {runtime.version}"
    if measured_as not in measured_runtimes():
        return RuntimeCheck(runtime.name, runtime.version, None, "")
    missing = missing_ops(artifact, measured_as)
    return RuntimeCheck(runtime.name, runtime.version, not missing, measured_as, missing)
