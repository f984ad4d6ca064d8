"""Runtimes of a device that do not run weights of less than 8 bits as they are meant, *measured* by version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.lint.narrow import form_of
from edge_sdk.checks.placement.rule_versions import order
from edge_sdk.findings import Finding
from edge_sdk.profile.records import DeviceProfile

_LITERT = frozenset({"ai-edge-litert", "litert-android"})


class _Form(NamedTuple):
    """The first ai-edge-litert that runs a form, None where none does, and what those before it do."""

    since: str | None
    before: str


# Tried: 2.0.3, 2.1.0, 2.1.2, 2.1.5, 2.2.0, 2.3.0. Blocks came out at -30 dB on 2.0.3, without a word; int2 by channel
# is refused there, and fails in its first run on 2.1.0; int2 in blocks is refused by all or fails in its first run.
_FORMS = {
    "int4 blocks": _Form("2.1.0", "it does not read their scales, and computes something else without a word"),
    "int2": _Form("2.1.2", "it refuses the file, or fails in its first run"),
    "int2 blocks": _Form(None, "it refuses the file, or fails in its first run"),
}


def narrow_engines(artifact: Artifact, profile: DeviceProfile) -> Iterator[Finding]:
    """An error for each runtime and form that do not go together."""
    forms = sorted(form_of(artifact) & _FORMS.keys())
    for runtime in profile.device.runtimes:
        if runtime.name not in _LITERT:
            continue
        for form in forms:
            since, before = _FORMS[form]
            if since is None or order(runtime.version) < order(since):
                hint = f"ai-edge-litert {since} or newer, or weights in int8" if since else "int4 weights"
                message = f"has weights of {form}, which {runtime.name} {runtime.version} does not run: {before}"
                yield Finding("narrow-weights", "error", message, f"{runtime.name} {runtime.version}", hint)
