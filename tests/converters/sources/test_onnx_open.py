"""A dimension that an exporter wrote as -1 is open, as one without a number is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact.model import read_artifact

pytestmark = [pytest.mark.onnx, pytest.mark.runtime]


def test_a_dimension_of_minus_one_is_open(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [-1, 3, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [-1, 3, "h", "w"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    source = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), source)
    report = edge_sdk.convert(source, tmp_path / "m.tflite", shapes={"x": (1, 3, 8, 8)}, timing=False)
    assert report.parity[0].max_abs_error == 0
    graph = read_artifact(tmp_path / "m.tflite").main
    assert int(np.prod(graph.tensors[graph.inputs[0]].shape)) == 3 * 8 * 8
