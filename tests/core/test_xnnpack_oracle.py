"""The engine's own placement is ours: DELEGATE rows of small files, and whether they load at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.check.partition import partition
from edge_sdk.check.placement import Placement
from edge_sdk.check.xnnpack import place_on_xnnpack, xnnpack_rules
from edge_sdk.runtime.engines import find_engine
from tests.core.xnnpack import FAMILIES

pytestmark = pytest.mark.runtime
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reality() -> dict[tuple[str, str], Any]:
    """What the engine did with each probe, in a process of its own: a probe too odd for it would end this one."""
    engine = find_engine()
    if engine.name != "ai-edge-litert" or engine.version not in xnnpack_rules().engines:
        pytest.skip(f"the rules are those of ai-edge-litert {', '.join(xnnpack_rules().engines)}")
    command = [sys.executable, "-m", "tests.core.xnnpack.engine"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    *answers, last = done.stdout.splitlines()
    assert done.returncode == 0, f"the engine died of {last}: {done.stderr[-200:]}"
    return {(family, label): found for family, label, *found in map(json.loads, [*answers[1::2], last])}


def predicted(content: bytes) -> tuple[list[list[list[int]]], Placement]:
    artifact = parse_artifact(content)
    placement = place_on_xnnpack(artifact)[0]
    parts = partition(artifact.main, placement.claimed)
    return [[list(part.inputs), list(part.outputs)] for part in parts if part.delegated], placement


@pytest.mark.parametrize("family", FAMILIES)
def test_placement_is_that_of_the_engine(reality: dict[tuple[str, str], Any], family: str) -> None:
    probes = list(FAMILIES[family]())
    assert len({label for label, _ in probes}) == len(probes)
    different = []
    for label, content in probes:
        rows, placement = predicted(content)
        found = reality[family, label]
        if found[:2] != [rows, not placement.failures]:
            reasons = [r.message for r in (*placement.refused.values(), *placement.failures.values())]
            different.append(f"{label}: predicted {rows}, {reasons}; engine {found}")
    assert not different, "\n".join(different)


def test_there_are_several_hundred_probes_on_both_sides() -> None:
    placements = [predicted(content)[1] for family in FAMILIES.values() for _, content in family()]
    claimed = [placement for placement in placements if placement.claimed]
    assert len(placements) > 900
    assert 300 < len(claimed) < len(placements) - 300
    assert len([placement for placement in claimed if placement.failures]) > 50
