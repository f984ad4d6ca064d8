"""Models that are quantized already, by ONNX Runtime's own quantizer: their scales are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.lower.direct.lowering import Lowered
from tests.converters.direct.compare import expected, lowered, model, run

pytestmark = pytest.mark.onnx
SHAPE = (1, 3, 16, 16)


def float_model() -> Any:
    """Convolutions of two kinds, a residual sum, a pool, a join, a product with a sigmoid and a dense layer."""
    from onnx import helper

    generator = np.random.default_rng(0)
    shapes = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "w3": (8, 8, 1, 1), "w4": (5, 1024), "b4": (5,)}
    weights = {name: generator.standard_normal(shape).astype(np.float32) * 0.3 for name, shape in shapes.items()}
    padded = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="c1", **padded),
        helper.make_node("Relu", ["c1"], ["r1"], name="r1"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="c2", group=8, **padded),
        helper.make_node("Add", ["r1", "c2"], ["a"], name="a"),
        helper.make_node("MaxPool", ["a"], ["p"], name="p", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p", "w3"], ["c3"], name="c3", kernel_shape=[1, 1]),
        helper.make_node("Concat", ["c3", "p"], ["j"], name="j", axis=1),
        helper.make_node("Sigmoid", ["j"], ["s"], name="s"),
        helper.make_node("Mul", ["j", "s"], ["m"], name="m"),
        helper.make_node("Flatten", ["m"], ["f"], name="f"),
        helper.make_node("Gemm", ["f", "w4", "b4"], ["y"], name="y", transB=1),
    ]
    return model(nodes, {"x": np.zeros(SHAPE, np.float32)}, ["y"], weights, opset=17)


def quantized_model(folder: Path, **options: Any) -> Any:
    """The same, as ONNX Runtime quantizes it."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            generator = np.random.default_rng(1)
            self._left = iter([{"x": generator.standard_normal(SHAPE).astype(np.float32)} for _ in range(8)])

        def get_next(self) -> Any:
            return next(self._left, None)

    source, target = folder / "float.onnx", folder / "quantized.onnx"
    # The quantizer wants the results' shapes.
    onnx.save(onnx.shape_inference.infer_shapes(float_model()), str(source))
    quantize_static(str(source), str(target), Reader(), **options)
    return onnx.load(str(target))


def step_of(graph: Lowered) -> float:
    """The step of the last DEQUANTIZE."""
    last = [op for op in graph.graph.ops if op.kind == "DEQUANTIZE"][-1]
    assert last.inputs[0] is not None
    assert last.inputs[0].quantization is not None
    return last.inputs[0].quantization.scale[0]


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("activations", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_scales_of_the_source_are_kept(tmp_path: Path, form: str, activations: str, per_channel: bool) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType

    proto = quantized_model(
        tmp_path,
        quant_format=QuantFormat[form],
        activation_type=QuantType[activations],
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
    )
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    graph = lowered(proto, feeds, grids=True)
    kinds = {op.kind for op in graph.graph.ops}
    floats = [op.kind for op in graph.graph.ops if op.outputs[0].dtype == "float32"]
    assert floats in (["TRANSPOSE", "DEQUANTIZE"], ["DEQUANTIZE"])
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "CONCATENATION", "LOGISTIC", "MUL", "FULLY_CONNECTED"} <= kinds
    (result,), (want,) = run(graph, feeds), expected(proto, feeds)
    # One step, and what float32 makes of a difference of one step.
    assert np.abs(result - want).max() <= step_of(graph) * 1.001


def test_quantizers_are_left_out_of_a_float_file(tmp_path: Path) -> None:
    proto = quantized_model(tmp_path)
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    graph = lowered(proto, feeds)
    assert {op.outputs[0].dtype for op in graph.graph.ops} == {"float32"}
    from edge_sdk.converters.lower.direct.quantizers import in_float

    (result,), (want,) = run(graph, feeds), expected(in_float(proto), feeds)
    np.testing.assert_allclose(result, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_who_quantized_it_is_told(tmp_path: Path) -> None:
    from edge_sdk.converters.lower.direct.quantizers import quantized_by

    assert "onnx.quantize" in (quantized_by(quantized_model(tmp_path)) or "")
    assert quantized_by(float_model()) is None
