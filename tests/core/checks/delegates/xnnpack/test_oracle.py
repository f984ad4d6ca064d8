"""The engine's own placement is ours: DELEGATE rows of small files, and whether they load at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.checks.on_device import with_fixed_sizes
from edge_sdk.checks.placement.partition import partition
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.engines.installed import Engine, find_engine
from tests.core.checks.delegates.xnnpack import FAMILIES, MANY

pytestmark = pytest.mark.runtime
ROOT = Path(__file__).parents[5]


RULES = {"ai-edge-litert": "xnnpack", "tflite-runtime": "xnnpack_tflite_runtime"}
# What the data does not say of older engines: LiteRT 1.4.0 claims these and then refuses the file; tflite-runtime
# takes a RESHAPE to what SHAPE gives.
KNOWN = {
    "ai-edge-litert 1.4.0": {"MEAN ()", "float by uint8 None", "float by uint8 0"},
    "tflite-runtime 2.14.0": {"known_shape"},
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine that is installed, if the rules are known to be its own."""
    found = find_engine()
    known = rule_set(RULES[found.name]).engines
    if found.version not in known:
        pytest.skip(f"the rules are those of {found.name} {', '.join(known)}")
    return found


def answers(*families: str) -> dict[tuple[str, str], Any]:
    """What the engine did with each probe, in a process of its own: some probes it does not survive."""
    command = [sys.executable, "-m", "tests.core.checks.delegates.xnnpack.engine", *families]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return {(family, label): found for family, label, found in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def reality(engine: Engine) -> dict[tuple[str, str], Any]:
    return answers(*FAMILIES)


def predicted(content: bytes, engine: Engine) -> tuple[list[list[list[int]]], Placement]:
    artifact = parse_artifact(content)
    placement = place_by(RULES[engine.name], artifact.main, engine=engine.version)
    rules = rule_set(RULES[engine.name], engine.version)
    placement = with_fixed_sizes(placement, artifact.main, rules) if rules.fixed_sizes else placement
    parts = partition(artifact.main, placement.claimed)
    return [[list(part.inputs), list(part.outputs)] for part in parts if part.delegated], placement


def differences(family: str, found: dict[tuple[str, str], Any], engine: Engine) -> tuple[int, list[str]]:
    """How many probes were compared, and those that came out otherwise than predicted."""
    probes = list({**FAMILIES, **MANY}[family]())
    assert len({label for label, _ in probes}) == len(probes)
    known = KNOWN.get(f"{engine.name} {engine.version}", set())
    told = [
        _difference(label, content, found[family, label], engine) for label, content in probes if label not in known
    ]
    return len([one for one in told if one is not None]), [one for one in told if one]


def _difference(label: str, content: bytes, found: Any, engine: Engine) -> str | None:
    """None where there is nothing to compare with: TFLite's own kernel died of an op that was left to it.

    tflite-runtime prepares its own kernels first: a file that these refuse never gets to the delegate.
    """
    rows, placement = predicted(content, engine)
    if engine.name == "tflite-runtime" and found and found[2] and not found[0]:
        return None
    crash = any(reason.rule == "engine-crash" for reason in placement.failures.values())
    if found is None:
        return "" if placement.failures else f"{label}: the engine died" if placement.claimed else None
    if not crash and found[:2] == [rows, not placement.failures]:
        return ""
    reasons = [reason.message for reason in (*placement.refused.values(), *placement.failures.values())]
    return f"{label}: predicted {rows}, {reasons}; engine {found}"


@pytest.mark.parametrize("family", FAMILIES)
def test_placement_is_that_of_the_engine(reality: dict[tuple[str, str], Any], engine: Engine, family: str) -> None:
    compared, different = differences(family, reality, engine)
    assert not different, "\n".join(different)
    # tflite-runtime's own kernels refuse many probes for what they are, and it opens no file with a custom op.
    least = 0.9 if engine.name == "ai-edge-litert" else 0.3 * (family != "custom")
    assert compared >= least * len(list(FAMILIES[family]()))


@pytest.mark.slow
@pytest.mark.parametrize("family", MANY)
def test_placement_after_one_change_is_that_of_the_engine(engine: Engine, family: str) -> None:
    compared, different = differences(family, answers(family), engine)
    assert not different, "\n".join(different)
    assert compared > {"tensors": 4000, "options": 500}[family]


def test_there_are_several_hundred_probes_on_both_sides() -> None:
    graphs = (parse_artifact(content).main for family in FAMILIES.values() for _, content in family())
    placements = [place_by("xnnpack", graph) for graph in graphs]
    claimed = [placement for placement in placements if placement.claimed]
    assert len(placements) > 900
    assert 300 < len(claimed) < len(placements) - 300
    assert len([placement for placement in claimed if placement.failures]) > 50
