"""What ONNX Runtime's quantize_dynamic left: its weights in float products, within what its own rounding costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters import convert
from edge_sdk.converters.sources.onnx_dynamic import in_float_products, rounds_as_it_runs
from edge_sdk.runtime import Runner

pytestmark = pytest.mark.onnx
STEPS, WIDE, HIDDEN, OUT = 5, 8, 6, 4


def _float_model(*, both_ways: bool) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    ways = 2 if both_ways else 1
    shapes = {"w": (ways, 4 * HIDDEN, WIDE), "r": (ways, 4 * HIDDEN, HIDDEN), "b": (ways, 8 * HIDDEN)}
    shapes |= {"m": (ways * HIDDEN, OUT), "k": (3, 1, 3, 3)}
    stored = [
        numpy_helper.from_array((rng.standard_normal(s) / 2).astype(np.float32), name) for name, s in shapes.items()
    ]
    stored.append(numpy_helper.from_array(np.array([STEPS, 1, ways * HIDDEN], np.int64), "flat"))
    stored.append(numpy_helper.from_array(np.array([1, 1, STEPS, WIDE], np.int64), "picture"))
    direction = "bidirectional" if both_ways else "forward"
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], "lstm", hidden_size=HIDDEN, direction=direction),
        helper.make_node("Transpose", ["y"], ["turned"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["turned", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "m"], ["scores"], "head"),
        helper.make_node("Reshape", ["x", "picture"], ["image"]),
        helper.make_node("Conv", ["image", "k"], ["seen"], "conv", pads=[1, 1, 1, 1]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("scores", "seen")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [STEPS, 1, WIDE])]
    graph = helper.make_graph(nodes, "rounded", inputs, ports, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _rounded(folder: Path, **form: bool) -> Path:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx.save(_float_model(**form), str(folder / "float.onnx"))
    # Of ConvInteger ONNX Runtime has a kernel for unsigned weights alone.
    quantize_dynamic(folder / "float.onnx", folder / "rounded.onnx", weight_type=QuantType.QUInt8)
    return folder / "rounded.onnx"


@pytest.mark.parametrize("both_ways", [False, True])
def test_weights_are_those_of_the_file(tmp_path: Path, both_ways: bool) -> None:
    import onnx
    import onnxruntime

    path = _rounded(tmp_path, both_ways=both_ways)
    model = onnx.load(str(path))
    kinds = {node.op_type for node in model.graph.node}
    assert {"DynamicQuantizeLSTM", "MatMulInteger", "ConvInteger"} <= kinds, "ONNX Runtime rounds other ops now"
    assert rounds_as_it_runs(model)
    left = {node.op_type for node in in_float_products(model).graph.node}
    assert left == {"LSTM", "Transpose", "Reshape", "MatMul", "Conv"}
    report = convert(str(path), tmp_path / "f.tflite", recipe="float32")
    assert report.verified
    assert "quantized-weights" in {finding.rule for finding in report.findings}
    session, runner = onnxruntime.InferenceSession(str(path)), Runner(str(tmp_path / "f.tflite"))
    rng = np.random.default_rng(1)
    errors = dict.fromkeys(("scores", "seen"), 0.0)
    power = dict.fromkeys(errors, 0.0)
    for _ in range(20):
        x = rng.standard_normal((STEPS, 1, WIDE)).astype(np.float32)
        got = runner.run({"x": x})
        for name, wanted in zip(errors, session.run(list(errors), {"x": x}), strict=True):
            place = np.moveaxis(got[name], -1, 1) if got[name].shape != wanted.shape else got[name]
            errors[name] += float(np.sum((place - wanted) ** 2))
            power[name] += float(np.sum(wanted**2))
    # Its activations have 8 bits, of the range of each run: 35 dB and more; weights of another layer would leave none.
    assert all(power[name] > 1000 * errors[name] for name in errors)


def test_a_float_model_is_none() -> None:
    assert not rounds_as_it_runs(_float_model(both_ways=False))
