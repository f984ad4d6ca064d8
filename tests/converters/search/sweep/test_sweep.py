"""The command on real conversions: a table, errors in it, nothing done twice, and what became worse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.schema import schema
from edge_sdk.cli import cli
from tests.graphs import Graph

pytestmark = [pytest.mark.runtime, pytest.mark.slow]


def _plan(folder: Path) -> Path:
    draws, graph = np.random.default_rng(0), Graph()
    x, y = graph.tensor("x", [1, 64]), graph.tensor("y", [1, 32])
    weights = graph.constant("weights", draws.standard_normal((32, 64)).astype(np.float32))
    bias = graph.constant("bias", draws.standard_normal(32).astype(np.float32))
    graph.op("FULLY_CONNECTED", [x, weights, bias], [y], new_node(schema(), "FullyConnectedOptions"))
    (folder / "dense.tflite").write_bytes(graph.finish([x], [y]))
    plan = folder / "plan.toml"
    plan.write_text('sources = { dense = "dense.tflite" }\nrecipes = ["float16", "int8"]\n')
    return plan


def test_a_sweep_from_the_command_line(tmp_path: Path) -> None:
    plan, run = _plan(tmp_path), CliRunner()
    first = run.invoke(cli, ["sweep", str(plan), "--json", "-q"])
    # int8 has no calibration data: that is a row, and exit code 1.
    assert first.exit_code == 1, first.output
    made = json.loads(first.stdout)
    half, whole = made["rows"]
    assert (half["recipe"], half["state"]) == ("float16", "done")
    assert half["size_bytes"] < (tmp_path / "dense.tflite").stat().st_size
    assert whole["state"] == "failed"
    assert whole["error"].startswith("CalibrationError: recipe static_wi8_ai8 needs calibration data")
    assert made["done"] == 2

    folder = tmp_path / "plan.sweep"
    again = run.invoke(cli, ["sweep", str(plan), "--json", "-q"])
    assert json.loads(again.stdout)["done"] == 0
    assert json.loads(again.stdout)["rows"] == made["rows"]
    old = json.loads((folder / "table.json").read_text())
    old["rows"][0]["size_bytes"] //= 2
    (tmp_path / "old.json").write_text(json.dumps(old))
    worse = run.invoke(cli, ["sweep", str(plan), "-q", "--compare", str(tmp_path / "old.json")])
    assert worse.exit_code == 3
    assert "REGRESSION dense float16: size_bytes was" in worse.stdout


def test_more_workers_need_dask_and_say_so(tmp_path: Path) -> None:
    refused = CliRunner().invoke(cli, ["sweep", str(_plan(tmp_path)), "--executor", "local", "--jobs", "2"])
    assert refused.exit_code == 2
    assert "need dask" in refused.output
