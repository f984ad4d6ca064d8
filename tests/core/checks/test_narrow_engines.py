"""Weights of a few bits, and runtimes of a device that do not run them as they are meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.checking import check
from edge_sdk.checks.lint.narrow import form_of
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile, Runtime
from tests.core.checks.lint.cases import _dense


def device(version: str) -> DeviceProfile:
    known = find_profile("raspberry-pi-4")
    return replace(known, device=replace(known.device, runtimes=(Runtime("ai-edge-litert", version),)))


@pytest.mark.parametrize(
    ("dtype", "blocks", "version", "said"),
    [
        ("int4", True, "2.0.3", "computes something else without a word"),
        ("int4", True, "2.1.0", ""),
        ("int4", False, "2.0.3", ""),
        ("int2", False, "2.1.0", "refuses the file, or fails in its first run"),
        ("int2", False, "2.1.2", ""),
        ("int2", True, "2.3.0", "refuses the file, or fails in its first run"),
    ],
)
def test_runtimes_that_do_not_run_a_form_are_named(dtype: str, blocks: bool, version: str, said: str) -> None:
    artifact = parse_artifact(_dense(dtype, blocks=blocks))
    assert form_of(artifact) == {f"{dtype} blocks" if blocks else dtype}
    found = [one for one in check(artifact, device(version)).findings if one.rule == "narrow-weights"]
    assert [said in one.message and version in one.message for one in found] == [True] * bool(said)
    assert check(artifact, device(version)).fits or bool(said) or blocks
