"""Names that TensorFlow's quantizer would cut off at an `@` (Paddle writes `Conv@0`) are whole in the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact.model import read_artifact
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]


def _model(path: Path) -> Path:
    draws, graph = np.random.default_rng(0), Graph()
    x = value = graph.tensor("x", [1, 8])
    for layer in range(3):
        weights = graph.constant(f"weights_{layer}", draws.standard_normal((8, 8)).astype(np.float32))
        bias = graph.constant(f"bias_{layer}", np.zeros(8, np.float32))
        result = graph.tensor(f"Gemm@{layer}", [1, 8])
        graph.op("FULLY_CONNECTED", [value, weights, bias], [result], options("FullyConnectedOptions"))
        value = result
    path.write_bytes(graph.finish([x], [value]))
    return path


def test_ops_are_known_again_in_the_int8_file(tmp_path: Path) -> None:
    data = {"x": np.random.default_rng(1).standard_normal((50, 1, 8)).astype(np.float32)}
    file = tmp_path / "m.tflite"
    edge_sdk.convert(_model(tmp_path / "s.tflite"), file, recipe="int8", calibration=data, timing=False)
    graph = read_artifact(file).main
    made = [graph.tensors[op.outputs[0]].name for op in graph.ops if op.name == "FULLY_CONNECTED"]
    assert made[:2] == ["Gemm_0", "Gemm_1"]
    # By name, too: a recipe's patterns meet the same.
    edge_sdk.convert(
        tmp_path / "s.tflite",
        file,
        recipe="int8",
        keep_float_tensors=["^Gemm_1$"],
        calibration=data,
        timing=False,
    )
    graph = read_artifact(file).main
    floats = [
        t.name for op in graph.ops for t in graph.results(op) if op.name == "FULLY_CONNECTED" and t.dtype == "float32"
    ]
    assert floats == ["Gemm_1"]
