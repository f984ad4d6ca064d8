"""What a check says of op versions is what the installed engine does: it loads the file, or finds no kernel.

Runs for whichever engine is there: LiteRT by default, tflite-runtime by ``make test-tflite-runtime``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.runtimes import measured_runtimes
from edge_sdk.checks.runtimes import check_runtime
from edge_sdk.engines.installed import find_engine
from edge_sdk.profile.records import Runtime
from tests.core.checks.delegates.xnnpack import loading
from tests.graphs import Graph

pytestmark = pytest.mark.runtime
ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    engine = find_engine()
    if f"{engine.name} {engine.version}" not in measured_runtimes():
        pytest.skip(f"the op versions of {engine.name} {engine.version} were not measured")
    return Runtime(engine.name, engine.version)  # type: ignore[arg-type]


def real(kind: str) -> dict[str, bool | None]:
    """Whether the engine loads each file; None where it died. In a process of its own, for it forks."""
    command = [sys.executable, "-m", "tests.core.checks.delegates.xnnpack.loading", kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return dict(map(json.loads, done.stdout.splitlines()))


def different(runtime: Runtime, kind: str) -> tuple[int, list[str]]:
    found = real(kind)
    wrong = []
    for name, content in loading.FILES[kind]():
        check = check_runtime(parse_artifact(content), runtime)
        if check.loads is not found[name]:
            wrong.append(f"{name}: predicted {check.loads}, lacks {check.missing}; the engine: {found[name]}")
    return len(found), wrong


def test_every_op_and_version_loads_as_predicted(runtime: Runtime) -> None:
    compared, wrong = different(runtime, "probes")
    assert not wrong, "\n".join(wrong)
    assert compared > 2000


def test_every_model_loads_as_predicted(runtime: Runtime) -> None:
    compared, wrong = different(runtime, "models")
    assert not wrong, "\n".join(wrong)
    assert compared >= 30


@pytest.mark.parametrize(("name", "dtype"), [("LOG", "int8"), ("LOG", "int16"), ("RSQRT", "int8"), ("RSQRT", "int16")])
def test_type_that_a_kernel_lacks_counts_as_the_version_that_brought_it(
    runtime: Runtime, name: str, dtype: str
) -> None:
    """Files of 16 bits that state version 1 exist; tflite-runtime 2.14 has neither LOG of int8 nor RSQRT of int16."""
    graph = Graph()
    x, y = (graph.tensor(one, (1, 4), dtype, scale=[0.01], zero_point=[0]) for one in "xy")
    graph.op(name, (x,), (y,))
    content = graph.finish((x,), (y,))
    interpreter = find_engine().module.Interpreter(model_content=content)
    try:
        interpreter.allocate_tensors()
        opens = True
    except RuntimeError:
        opens = False
    assert check_runtime(parse_artifact(content), runtime).loads is opens


def test_sixteen_bits_of_rsqrt_need_a_runtime_that_has_them() -> None:
    graph = Graph()
    x, y = (graph.tensor(one, (1, 4), "int16", scale=[0.01], zero_point=[0]) for one in "xy")
    graph.op("RSQRT", (x,), (y,))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    assert check_runtime(artifact, Runtime("tflite-runtime", "2.14.0")).missing == (("RSQRT", 3),)
    assert check_runtime(artifact, Runtime("ai-edge-litert", "2.1.0")).loads
