"""The engine's own placement is ours: DELEGATE rows of small files, and whether they load at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.checks.partition import partition
from edge_sdk.checks.placement import Placement
from edge_sdk.checks.xnnpack import place_on_xnnpack, xnnpack_rules
from edge_sdk.runtime.engines import find_engine
from tests.core.xnnpack import FAMILIES, MANY

pytestmark = pytest.mark.runtime
ROOT = Path(__file__).parents[2]


def answers(*families: str) -> dict[tuple[str, str], Any]:
    """What the engine did with each probe, in a process of its own: some probes it does not survive."""
    engine = find_engine()
    if engine.name != "ai-edge-litert" or engine.version not in xnnpack_rules().engines:
        pytest.skip(f"the rules are those of ai-edge-litert {', '.join(xnnpack_rules().engines)}")
    command = [sys.executable, "-m", "tests.core.xnnpack.engine", *families]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return {(family, label): found for family, label, found in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def reality() -> dict[tuple[str, str], Any]:
    return answers(*FAMILIES)


def predicted(content: bytes) -> tuple[list[list[list[int]]], Placement]:
    artifact = parse_artifact(content)
    placement = place_on_xnnpack(artifact)[0]
    parts = partition(artifact.main, placement.claimed)
    return [[list(part.inputs), list(part.outputs)] for part in parts if part.delegated], placement


def differences(family: str, found: dict[tuple[str, str], Any]) -> tuple[int, list[str]]:
    """How many probes were compared, and those that came out otherwise than predicted."""
    probes = list({**FAMILIES, **MANY}[family]())
    assert len({label for label, _ in probes}) == len(probes)
    told = [_difference(label, content, found[family, label]) for label, content in probes]
    return len([one for one in told if one is not None]), [one for one in told if one]


def _difference(label: str, content: bytes, found: Any) -> str | None:
    """None where there is nothing to compare with: TFLite's own kernel died of an op that was left to it."""
    rows, placement = predicted(content)
    crash = any(reason.rule == "engine-crash" for reason in placement.failures.values())
    if found is None:
        return "" if placement.failures else f"{label}: the engine died" if placement.claimed else None
    if not crash and found[:2] == [rows, not placement.failures]:
        return ""
    reasons = [reason.message for reason in (*placement.refused.values(), *placement.failures.values())]
    return f"{label}: predicted {rows}, {reasons}; engine {found}"


@pytest.mark.parametrize("family", FAMILIES)
def test_placement_is_that_of_the_engine(reality: dict[tuple[str, str], Any], family: str) -> None:
    compared, different = differences(family, reality)
    assert not different, "\n".join(different)
    assert compared >= 0.9 * len(list(FAMILIES[family]()))


@pytest.mark.slow
@pytest.mark.parametrize("family", MANY)
def test_placement_after_one_change_is_that_of_the_engine(family: str) -> None:
    compared, different = differences(family, answers(family))
    assert not different, "\n".join(different)
    assert compared > {"tensors": 4000, "options": 500}[family]


def test_there_are_several_hundred_probes_on_both_sides() -> None:
    placements = [predicted(content)[1] for family in FAMILIES.values() for _, content in family()]
    claimed = [placement for placement in placements if placement.claimed]
    assert len(placements) > 900
    assert 300 < len(claimed) < len(placements) - 300
    assert len([placement for placement in claimed if placement.failures]) > 50
