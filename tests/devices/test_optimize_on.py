"""``optimize --on``: the time that counts comes from the device, and is called by its name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.schema import schema
from tests.devices.ready import invoke, make_ready
from tests.graphs import Graph

pytestmark = [pytest.mark.keras, pytest.mark.runtime, pytest.mark.slow]

ADDRESS = "ssh://board"


def _model(path: Path) -> Path:
    draws, graph = np.random.default_rng(0), Graph()
    value = start = graph.tensor("x", [1, 16])
    for layer in range(2):
        result = graph.tensor(f"dense_{layer}", [1, 16])
        weights = draws.standard_normal((16, 16)).astype(np.float32) / 4
        constants = [graph.constant(f"w{layer}", weights), graph.constant(f"b{layer}", np.zeros(16, np.float32))]
        graph.op("FULLY_CONNECTED", [value, *constants], [result], new_node(schema(), "FullyConnectedOptions"))
        value = result
    path.write_bytes(graph.finish([start], [value]))
    return path


def test_times_are_the_devices_and_called_by_its_name(home: Path, tmp_path: Path) -> None:
    make_ready(home, tmp_path / "there")
    source, data, folder = _model(tmp_path / "m.tflite"), tmp_path / "x.npz", tmp_path / "out"
    np.savez(data, x=np.random.default_rng(1).standard_normal((60, 1, 16)).astype(np.float32))
    words = ("optimize", source, "--eval", data, "--max-drop", 5, "--move", "plain", "--on", ADDRESS, "-o", folder)
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.output
    front = json.loads((folder / "front.json").read_text())
    for point in (front["reference"], *front["points"]):
        assert point["latency"]["where"] == ADDRESS
        assert point["latency"]["truth"] == "measured"
        assert point["latency"]["low_ms"] <= point["latency"]["ms"] <= point["latency"]["high_ms"]
    assert not [told for told in front["findings"] if "this machine" in told]
    assert not list(home.rglob("*.tflite"))
    # The device is not asked again for what it told.
    (home / "prepared.json").unlink()
    again = invoke(*words, "--resume", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["points"] == json.loads(done.stdout)["points"]


def test_a_device_that_does_not_answer_is_told_before_anything_is_made(tmp_path: Path) -> None:
    source, data = _model(tmp_path / "m.tflite"), tmp_path / "x.npz"
    np.savez(data, x=np.zeros((60, 1, 16), np.float32))
    done = invoke("optimize", source, "--eval", data, "--on", "ssh://nobody.invalid", "-o", tmp_path / "out", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"] == "DeviceError"
    assert not (tmp_path / "out" / "archive.jsonl").exists()
