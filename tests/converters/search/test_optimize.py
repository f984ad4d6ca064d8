"""The whole way on a model that int8 spoils in one known place: found, proven, made again, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.schema import schema
from tests.graphs import Graph

pytestmark = [pytest.mark.keras, pytest.mark.runtime, pytest.mark.slow]

_WIDTH, _LAYERS, _SPOILT, _CLASSES = 16, 6, 2, 8
_RELU = 1


def _model(path: Path) -> Path:
    """Dense layers; channels of one have sizes from 1 to 30,000, which the next one takes back: the same in float.

    With one scale for all of them the small ones round to nothing.
    """
    draws, graph = np.random.default_rng(0), Graph()
    sizes = np.geomspace(1, 3e4, _WIDTH).astype(np.float32)
    x = graph.tensor("x", [1, _WIDTH])
    value = x
    for layer in range(_LAYERS):
        width = _CLASSES if layer == _LAYERS - 1 else _WIDTH
        weights = (draws.standard_normal((width, _WIDTH)) * np.sqrt(2 / _WIDTH)).astype(np.float32)
        if layer == _SPOILT:
            weights *= sizes[:, None]
        if layer == _SPOILT + 1:
            weights /= sizes[None, :]
        result = graph.tensor(f"dense_{layer}", [1, width])
        options = new_node(schema(), "FullyConnectedOptions", fused_activation_function=0 if width != _WIDTH else _RELU)
        bias = graph.constant(f"bias_{layer}", np.zeros(width, np.float32))
        graph.op("FULLY_CONNECTED", [value, graph.constant(f"weights_{layer}", weights), bias], [result], options)
        value = result
    path.write_bytes(graph.finish([x], [value]))
    return path


def _data(path: Path) -> Path:
    np.savez(path, x=np.random.default_rng(1).standard_normal((500, 1, _WIDTH)).astype(np.float32))
    return path


def test_found_proven_made_again_and_resumed(tmp_path: Path) -> None:
    source, data, folder = _model(tmp_path / "m.tflite"), _data(tmp_path / "x.npz"), tmp_path / "out"
    heard: list[edge_sdk.Budgets] = []
    told: dict[str, Any] = {
        "evaluation": data,
        "budgets": edge_sdk.Budgets(max_drop=3.0),
        "moves": ("plain", "spare"),
        "callback": lambda result: heard.append(result.budgets),
    }
    result = edge_sdk.optimize(source, folder, **told)
    plain, best = result.points[0], result.best
    assert plain.state == "misses"
    assert best is not None
    assert best.move == "spare"
    # What rounds to nothing is the result of the spoilt layer, so that it and its reader are in float.
    assert {f"dense_{_SPOILT}", f"dense_{_SPOILT + 1}"} <= set(best.spared)
    assert len(best.spared) < _LAYERS
    assert best.confirmed is not None
    assert result.evaluations <= 3 + 3
    assert "gradients" in result.ranking
    # The reference, each point, the confirmation and the end.
    assert len(heard) == 1 + len(result.points) + 2
    front = json.loads((folder / "front.json").read_text())
    assert front["chosen"] == best.order
    assert [member["spared"] for member in front["predicted_front"]] == list(range(len(front["groups"]) + 1))

    assert f"edge-sdk convert {source} -r {folder / 'recipe.toml'} " in (folder / "recipe.toml").read_text()
    held = (folder / "best.tflite").read_bytes()
    edge_sdk.convert(
        source,
        tmp_path / "again.tflite",
        recipe=folder / "recipe.toml",
        calibration=folder / "calibration.npz",
        timing=False,
    )
    assert (tmp_path / "again.tflite").read_bytes() == held
    edge_sdk.verify_bundle(folder / "best.edge")

    before = (folder / "archive.jsonl").read_bytes()
    again = edge_sdk.optimize(source, folder, resume=True, **told)
    assert again.samples_run == 0
    assert (folder / "archive.jsonl").read_bytes() == before
    assert (folder / "best.tflite").read_bytes() == held
    assert [point.as_json() for point in again.points] == [point.as_json() for point in result.points]


def test_neither_ctrl_c_nor_a_kill_loses_what_was_found_out(tmp_path: Path) -> None:
    source, data, folder = _model(tmp_path / "m.tflite"), _data(tmp_path / "x.npz"), tmp_path / "out"
    words = [sys.executable, "-m", "edge_sdk", "optimize", str(source), "--eval", str(data), "--max-drop", "3"]
    # A relative folder: workers have working directories of their own.
    words += ["-o", "out", "--json", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(edge_sdk.__file__).parent.parent)}

    def begun(*more: str, until: int, ended_by: signal.Signals) -> tuple[int, str]:
        # In a group of its own, as a terminal has it: Ctrl-C reaches the workers as well.
        with subprocess.Popen(
            [*words, *more], cwd=tmp_path, env=environment, text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        ) as running:  # fmt: skip
            while _lines(folder) < until and running.poll() is None:
                time.sleep(0.01)
            os.killpg(running.pid, ended_by)
            told = running.communicate()[1]
            return running.returncode, told

    code, told = begun(until=6, ended_by=signal.SIGINT)
    assert code == 130, told
    assert told.strip().endswith("go on with --resume")
    assert "the best so far is out/best.tflite" in told
    assert json.loads((folder / "front.json").read_text())["stopped"] == "interrupted"
    assert (folder / "best.tflite").exists()
    begun("--resume", until=_lines(folder) + 3, ended_by=signal.SIGKILL)
    known = (folder / "archive.jsonl").read_bytes()
    done = subprocess.run(
        [*words, "--resume"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "archive.jsonl").read_bytes().startswith(known[: known.rfind(b"\n") + 1])
    assert json.loads(done.stdout)["chosen"] is not None


def _lines(folder: Path) -> int:
    path = folder / "archive.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0
