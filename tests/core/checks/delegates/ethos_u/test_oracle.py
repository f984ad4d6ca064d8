"""Vela's own placement is ours: small files on both sides of each limit, and int8 files as conversions make them.

How the two are compared: op by op, by the place of the op in the file, which Vela's database keeps. Ops that Vela took
out of the graph (absorbed, or read by nobody) may be either. Files that Vela refuses as a whole, dies of or does not
end with are left out: there is no placement to agree with.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.artifact import Artifact, parse_artifact, read_artifact
from edge_sdk.checks.delegates.ethos_u.check import differing_ops
from edge_sdk.checks.delegates.ethos_u.vela import compile_for_ethos_u, vela_version
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from tests.core.checks.delegates.ethos_u.families import FAMILIES, OWN, SOME
from tests.core.checks.delegates.xnnpack import FAMILIES as ONE_OP
from tests.graphs import conv_model, padded_pool_model

pytestmark = pytest.mark.ethos_u
ROOT = Path(__file__).parents[5]
RULES = {"ethos-u65-256": "ethos_u", "ethos-u85-256": "ethos_u85"}
SHORT = ("ethos_u dense", "ethos_u moves", "ethos_u graphs")


def rules_are_of_this_vela() -> None:
    version = vela_version() or ""
    if version not in rule_set("ethos_u").source.version:
        pytest.skip(f"the rules are those of {rule_set('ethos_u').source.version}, not of {version}")


def answers(accelerator: str, families: tuple[str, ...]) -> dict[tuple[str, str], Any]:
    """Vela's placement of each probe, in a process of its own: some probes it does not survive."""
    rules_are_of_this_vela()
    command = [sys.executable, "-m", "tests.core.checks.delegates.ethos_u.compiler", accelerator, *families]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return {(family, label): found for family, label, found in map(json.loads, done.stdout.splitlines())}


def differences(accelerator: str, families: tuple[str, ...]) -> tuple[int, int, list[str]]:
    """How many probes were compared, how many ops of them stay on the CPU, and what came out otherwise."""
    reality = answers(accelerator, families)
    probes = [(family, label, content) for family in families for label, content in FAMILIES[family]()]
    assert len(reality) == len(probes)
    compared, kept, different = 0, 0, []
    for family, label, content in probes:
        found = reality[family, label]
        if isinstance(found, list):
            ours = place_by(RULES[accelerator], parse_artifact(content).main)
            compared, kept = compared + 1, kept + bool(found[0])
            if set(ours.refused) - set(found[1]) != set(found[0]):
                different.append(f"{label}: {_words(ours)}; Vela keeps {found[0]}: {found[2]}")
    return compared, kept, different


def _words(ours: Placement) -> str:
    return "; ".join(f"{index}: {reason.message}" for index, reason in ours.refused.items()) or "all taken"


def test_placement_is_that_of_vela() -> None:
    compared, kept, different = differences("ethos-u65-256", SHORT)
    assert not different, "\n".join(different)
    # Both answers must be there in number, or agreement proves nothing.
    assert min(kept, compared - kept) > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accelerator", "families"),
    [("ethos-u65-256", (*OWN, *ONE_OP, *SOME)), ("ethos-u85-256", tuple(OWN))],
    ids=["u65", "u85"],
)
def test_placement_on_both_sides_of_each_limit_is_that_of_vela(accelerator: str, families: tuple[str, ...]) -> None:
    compared, kept, different = differences(accelerator, families)
    assert not different, "\n".join(different)
    assert compared > {"ethos-u65-256": 2000, "ethos-u85-256": 550}[accelerator]
    assert min(kept, compared - kept) > 100


@pytest.mark.slow
def test_u55_places_as_u65_does() -> None:
    """One rule set stands for both."""
    assert answers("ethos-u55-128", SHORT) == answers("ethos-u65-256", SHORT)


@pytest.mark.slow
@pytest.mark.keras
@pytest.mark.torch
def test_placement_of_int8_files_is_that_of_vela(tmp_path: Path, workers: Any, demo: tuple[Path, list[Any]]) -> None:
    rules_are_of_this_vela()
    files = [*_converted(tmp_path, workers), *sorted(demo[0].glob("*static*.tflite"))]
    assert len(files) >= 20
    ops, different = 0, []
    for place, file in enumerate(files):
        artifact = read_artifact(file)
        # The U85 asks the same of most ops: each fourth file.
        for accelerator, rules in list(RULES.items())[: 1 if place % 4 else 2]:
            found = _differing(artifact, file.read_bytes(), accelerator, rules)
            different += [f"{file.name} on {accelerator}: op {index}" for index in found]
            ops += len(artifact.main.ops)
    assert not different, different
    assert ops > 150


def _differing(artifact: Artifact, content: bytes, accelerator: str, rules: str) -> tuple[int, ...]:
    return differing_ops(place_by(rules, artifact.main), compile_for_ethos_u(content, accelerator).answer)


def _converted(folder: Path, workers: Any) -> list[Path]:
    """int8 files of small models of all front ends, in each static recipe that their ops allow."""
    from edge_sdk.converters import convert_all
    from tests.contract import samples_for
    from tests.store import KERAS, torch_source, write

    image, rows = {"image": ((1, 16, 16, 3), "float32")}, {"x": ((1, 6), "float32")}
    picture = {"image": ((1, 3, 16, 16), "float32")}
    sources: list[tuple[str, str, Any]] = [
        ("keras_cnn", write(workers, KERAS, "save", name="cnn", path=str(folder / "cnn.keras")), image)
    ]
    sources += [("sine", write(workers, KERAS, "save", name="sine", path=str(folder / "sine.keras")), rows)]
    sources += [(f"torch_{form}", torch_source(workers, folder, "cnn", form), picture) for form in ("pt2", "onnx")]
    for name, content in (("conv", conv_model()), ("pool", padded_pool_model())):
        (folder / f"{name}.tflite").write_bytes(content)
        sources.append((name, str(folder / f"{name}.tflite"), {"image": ((1, 8, 8, 3), "float32")}))
    recipes = ("static_wi8_ai8", "static_wi8_ai8_io8", "static_wi8_ai8_iou8", "static_wi8_ai8_per_tensor")
    made = []
    for name, path, inputs in sources:
        calibration = samples_for(inputs)
        # A sine has no integer kernel: its file keeps it in float.
        fitting = (*recipes, "static_wi8_ai16") if name != "sine" else (recipes[0], recipes[3])
        outputs = {recipe: folder / f"{name}_{recipe}.tflite" for recipe in fitting}
        options: dict[str, Any] = {"timing": False, "keep_unverified": True, "workers": workers}
        made += [Path(str(one.output)) for one in convert_all(path, outputs, calibration=calibration, **options)]
    return made
