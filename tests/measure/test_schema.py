"""The published form of results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_sdk.errors import ModelError
from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.measure.schema import PATH, read_benchmark
from edge_sdk.profile.schema import schema_text
from edge_sdk.progress import Silent
from tests.measure.simulated import Model, Simulation


@pytest.fixture
def found(tmp_path: Path) -> Benchmark:
    simulation = Simulation(tmp_path)
    pair = [Model(simulation, 5.0, name="a").subject(), Model(simulation, 6.0, name="b").subject()]
    return measure(pair, Plan("custom", 60, 0.3), machine=simulation.machine(), progress=Silent())


def test_the_published_schema_is_what_the_records_say() -> None:
    assert PATH.read_text() == schema_text(Benchmark), "python -m edge_sdk.measure.schema"


def test_a_result_comes_back_as_it_was(found: Benchmark) -> None:
    table = json.loads(json.dumps(found.as_json()))
    assert "null" not in json.dumps(table)
    assert read_benchmark(table).as_json() == found.as_json()


def test_names_are_mlperf_mobiles(found: Benchmark) -> None:
    """Keys of ``ExtendedResult`` and what is in it, as mobile_app_open writes them."""
    table = found.as_json()
    assert {"meta", "results", "environment_info", "build_info"} <= set(table)
    result = table["results"][0]
    assert {"benchmark_id", "benchmark_name", "loadgen_scenario", "backend_settings", "backend_info"} <= set(result)
    assert {"performance_run", "min_duration", "min_samples"} <= set(result)
    run = result["performance_run"]
    assert {"throughput", "measured_duration", "measured_samples", "start_datetime", "loadgen_info"} <= set(run)
    assert {"query_count", "latency_mean", "latency_90", "is_min_duration_met", "is_min_query_met"} <= set(
        run["loadgen_info"]
    )
    # Theirs are seconds, ours say ms.
    assert run["loadgen_info"]["latency_mean"] == pytest.approx(run["latency_ms"]["mean"]["value"] / 1e3)


def test_faults_are_told_with_their_path(found: Benchmark) -> None:
    table = found.as_json()
    del table["results"][0]["validity"]
    table["results"][0]["performance_run"]["throughput"]["valeu"] = 1
    with pytest.raises(ModelError, match="validity") as caught:
        read_benchmark(table)
    assert "unknown key `valeu`, did you mean `value`" in str(caught.value)
    with pytest.raises(ModelError, match="`schema` is 'other/1', expected 'edge-sdk-benchmark/1'"):
        read_benchmark({"schema": "other/1"})
