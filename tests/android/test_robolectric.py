"""The app on the JVM: its screens, intents and assets with Robolectric in Android's place, on an engine that knows the
golden outputs by heart. What it writes is held against the schema that ``edge-sdk benchmark`` has.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge_sdk.android.locked import read_lock
from edge_sdk.android.properties import project
from edge_sdk.measure.schema import read_benchmark
from tests.android.maven import run_tests
from tests.android.models import write_models, write_overlays
from tests.android.robolectric import prepare

POM = project() / "robolectric-pom.xml"
pytestmark = [pytest.mark.android, pytest.mark.runtime, pytest.mark.signing, pytest.mark.slow]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tests of the app ran, once."""
    models, folder = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("app")
    words = prepare(folder, write_models(models))
    write_overlays(folder, models)
    (folder / "printed").write_text(run_tests(POM, words, folder))
    return folder


def test_all_of_them_ran(work: Path) -> None:
    last = re.findall(
        r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0$", (work / "printed").read_text(), re.MULTILINE
    )
    source = "".join(path.read_text() for path in (project() / "app/src/robolectric").rglob("*Test.java"))
    assert int(last[-1]) == source.count("@Test\n")


@pytest.mark.parametrize("name", ["r1.json", "bare.json"])
def test_results_are_in_the_shared_schema(work: Path, name: str) -> None:
    result = read_benchmark(json.loads((work / "results" / name).read_text()))
    assert result.build_info.kind == "android-app"
    (one,) = result.results
    latency = one.performance_run.latency_ms
    assert latency.min <= latency.p50.value <= latency.max
    # Queries too short for the clock are timed together: a number in the trace stands for several.
    assert one.performance_run.measured_samples >= len(one.performance_run.trace_ms) > 0


def test_what_robolectric_runs_is_locked() -> None:
    pom, lock = POM.read_text(), read_lock(project())
    android = lock["android-all"].coordinates.split(":")[2]
    assert f"<version>{android}</version>" in pom
    assert lock["android-all-instrumented"].coordinates.split(":")[2].startswith(f"{android}-i")
