"""What other viewers open: Model Explorer's node data, Perfetto's trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.errors import EdgeSdkError
from edge_sdk.report.exports import node_data, trace, write_model_explorer
from tests.core.report.html.results import as_read, check_result, conversion

# Fields of GraphNodeData and NodeDataResult in Model Explorer 0.1.34; others it does not know.
_GRAPH = {"name", "results", "thresholds", "gradient", "hideInAggregatedStatsTable", "hideInChildrenStatsTable"}
_NODE = {"value", "bgColor", "textColor"}


def times(ops: list[dict[str, Any]]) -> dict[str, Any]:
    """As a calibration table predicts them; nothing is known of the second."""
    rows = [
        {"op": op["op"], "op_name": op["name"], "result": op["result"], "place": "xnnpack", "bound": "compute"}
        | {"us": None if op["op"] == 1 else 10.0}
        for op in ops
    ]
    return {"subject": "a board, 1 thread", "ops": rows}


def test_node_data_has_the_fields_that_model_explorer_knows(tmp_path: Path) -> None:
    data = check_result(9)
    paths = write_model_explorer({**data, "time": times(data["timeline"]["ops"])}, tmp_path / "nodes")
    names = {path.stem for path in paths}
    assert names == {"macs", "live_bytes", "predicted_us", "outside_gpu_v2", "outside_nnapi", "outside_xnnpack"}
    results = {op["result"] for op in data["timeline"]["ops"]}
    for path in paths:
        told = json.loads(path.read_text())
        assert set(told) <= _GRAPH
        assert {one["stop"] for one in told["gradient"]} == {0, 1}
        assert set(told["results"]) <= results
        for node in told["results"].values():
            assert set(node) <= _NODE
            assert isinstance(node["value"], int | float)
    outside = json.loads((tmp_path / "nodes/outside_nnapi.json").read_text())["results"]
    (nnapi,) = (one for one in data["delegates"] if one["rules"] == "nnapi")
    assert sum(node["value"] for node in outside.values()) == nnapi["ops"] - nnapi["claimed"]


def test_noise_of_a_conversion_is_node_data(tmp_path: Path) -> None:
    paths = write_model_explorer(conversion(), tmp_path)
    assert {path.stem for path in paths} == {"macs", "live_bytes", "sqnr_db"}
    assert node_data("macs", {"a": 1.0})["results"] == {"a": {"value": 1.0}}


def test_a_trace_has_an_event_for_each_op_one_after_the_other() -> None:
    data = check_result(6)
    events = trace({**data, "time": times(data["timeline"]["ops"])})["traceEvents"]
    spans = [one for one in events if one["ph"] == "X"]
    assert len(spans) == 5, "of the second op no time is known"
    assert [one["ts"] for one in spans] == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert all(one["dur"] == 10.0 and one["args"]["truth"] == "predicted" for one in spans)
    counters = [one["args"]["bytes"] for one in events if one["ph"] == "C"]
    assert counters == [op["live_bytes"] for op in data["timeline"]["ops"]]
    (process,) = (one for one in events if one["ph"] == "M")
    assert "predicted for a board" in process["args"]["name"]


def test_a_benchmark_with_ops_is_a_trace() -> None:
    profile = {
        "source": "the engine",
        "runs": 50,
        "ops": [{"name": "CONV_2D #0", "mean_ms": 0.5, "share": 1.0, "count": 1}],
    }
    events = trace({"results": [{"benchmark_name": "a", "op_profile": profile}, {"benchmark_name": "b"}]})[
        "traceEvents"
    ]
    assert [one["ph"] for one in events] == ["M", "X"]
    assert events[1] == {**events[1], "ts": 0.0, "dur": 500.0, "cat": "op", "pid": 1, "tid": 1}


@pytest.mark.parametrize("data", [check_result(2), {"results": [{"benchmark_name": "b"}]}], ids=["check", "benchmark"])
def test_without_times_the_error_says_where_they_come_from(data: dict[str, Any]) -> None:
    with pytest.raises(EdgeSdkError, match="no times of ops") as caught:
        trace(data)
    assert "benchmark --ops" in str(caught.value.hint)


def test_the_command_writes_both(tmp_path: Path) -> None:
    data = check_result(3)
    (tmp_path / "r.json").write_text(json.dumps(as_read({**data, "time": times(data["timeline"]["ops"])})))

    def invoke(*words: str) -> Any:
        return CliRunner().invoke(cli, ["report", str(tmp_path / "r.json"), *words, "--json"])

    done = invoke("--model-explorer", str(tmp_path / "n"), "--perfetto", str(tmp_path / "t.json"))
    assert done.exit_code == 0, done.stderr
    assert all(Path(path).exists() for path in json.loads(done.stdout)["files"])
    assert invoke("--perfetto", "t.json", "-o", "x.html").exit_code == 2
    (tmp_path / "r.json").write_text("{}")
    assert invoke("--model-explorer", str(tmp_path / "m")).exit_code == 1
