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


def squeezing_model() -> Any:
    """As MobileNetV3 and ResNet have it: a product with a hard sigmoid, a pool with borders, a mean, a dense layer."""
    from onnx import helper

    generator = np.random.default_rng(3)
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 8, 1, 1), "w3": (5, 8)}
    weights = {name: generator.standard_normal(shape).astype(np.float32) * 0.5 for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="c1", pads=[1, 1, 1, 1]),
        helper.make_node("HardSigmoid", ["c1"], ["h"], name="h", alpha=1 / 6),
        helper.make_node("Mul", ["c1", "h"], ["m"], name="m"),
        helper.make_node("MaxPool", ["m"], ["p"], name="p", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["p", "w2"], ["c2"], name="c2"),
        helper.make_node("GlobalAveragePool", ["c2"], ["g"], name="g"),
        helper.make_node("Flatten", ["g"], ["f"], name="f"),
        helper.make_node("Gemm", ["f", "w3"], ["y"], name="y", transB=1),
    ]
    return model(nodes, {"x": np.zeros(SHAPE, np.float32)}, ["y"], weights, opset=17)


def quantized_model(folder: Path, source_model: Any = float_model, **options: Any) -> Any:
    """A model as ONNX Runtime quantizes it."""
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
    onnx.save(onnx.shape_inference.infer_shapes(source_model()), str(source))
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


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("activations", ["QInt8", "QUInt8"])
def test_nothing_between_two_grids_stays_in_float(tmp_path: Path, form: str, activations: str) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType

    kinds = {"quant_format": QuantFormat[form], "activation_type": QuantType[activations]}
    proto = quantized_model(tmp_path, squeezing_model, weight_type=QuantType.QInt8, **kinds)
    worst = []
    for seed in range(8):
        feeds = {"x": np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)}
        graph = lowered(proto, feeds, grids=True)
        floats = [op.kind for op in graph.graph.ops if op.outputs[0].dtype == "float32"]
        assert floats in (["TRANSPOSE", "DEQUANTIZE"], ["DEQUANTIZE"])
        (result,), (want,) = run(graph, feeds), expected(proto, feeds)
        worst.append(np.abs(result - want).max() / step_of(graph))
    # The hard sigmoid is ADD with its clamp and a product, of which only the first rounds.
    assert [op.kind for op in graph.graph.ops].count("ADD") == 1
    assert max(worst) <= 1.001


@pytest.mark.parametrize("upper", [6.0, 6.02])
def test_a_clamp_and_a_mean_without_a_grid_between_them(upper: float) -> None:
    """As PyTorch's eager mode exports MobileNetV2's end: the pool with `as_strided`, which gathers all in order."""
    from onnx import helper

    generator = np.random.default_rng(4)
    weights = {
        "w": generator.standard_normal((8, 3, 3, 3)).astype(np.float32) * 2,
        "s": np.array(0.05, np.float32),
        "t": np.array(upper / 200, np.float32),
        "z": np.array(-100, np.int8),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
        "axes": np.array([-1, -2]),
        "flat": np.array([8]),
        "order": np.arange(8).reshape(1, 8, 1, 1),
        "rows": np.array([1, 8]),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("QuantizeLinear", ["w", "s"], ["wq"], output_dtype=3),
        helper.make_node("DequantizeLinear", ["wq", "s"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "t", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "t", "z"], ["cd"]),
        helper.make_node("Clip", ["cd", "low", "high"], ["k"]),
        helper.make_node("ReduceMean", ["k", "axes"], ["m"], keepdims=1),
        helper.make_node("Reshape", ["m", "flat"], ["f"]),
        helper.make_node("Gather", ["f", "order"], ["g"], axis=0),
        helper.make_node("Reshape", ["g", "rows"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "t", "z"], ["rq"]),
        helper.make_node("DequantizeLinear", ["rq", "t", "z"], ["y"]),
    ]
    feeds = {"x": np.abs(np.random.default_rng(5).standard_normal(SHAPE)).astype(np.float32) * 3}
    proto = model(nodes, feeds, ["y"], weights, opset=21)
    graph = lowered(proto, feeds, grids=True)
    kinds = [op.kind for op in graph.graph.ops if op.kind != "TRANSPOSE"]
    assert kinds == ["QUANTIZE", "CONV_2D", "RELU6", "MEAN", "DEQUANTIZE"]
    (result,), (want,) = run(graph, feeds), expected(proto, feeds)
    assert np.ptp(want) > 10 * step_of(graph)
    assert np.abs(result - want).max() <= step_of(graph) * 1.001


def test_a_number_of_a_sum_is_exact_on_its_own_grid() -> None:
    from edge_sdk.converters.lower.direct.graph import Op, Tensor
    from edge_sdk.converters.lower.direct.passes.engines.integer_constants import as_product, factor_of, numbers_grid

    def number(value: float) -> Tensor:
        return Tensor("n", (), "float32", np.array(value, np.float32))

    x = Tensor("x", (4,), "float32")
    for value in (3.0, -0.1, 0.0, 1e-3):
        made = numbers_grid(Op("ADD", (x, number(value)), (x,)), number(value), "int8")
        assert made is not None
        assert made.data is not None
        assert made.quantization is not None
        # Half a unit of float32 in the scale.
        np.testing.assert_allclose(int(made.data) * made.quantization.scale[0], value, rtol=1e-7)
    assert numbers_grid(Op("MAXIMUM", (x, number(3)), (x,)), number(3), "int8") is None
    assert as_product(Op("DIV", (x, number(8)), (x,))).kind == "MUL"
    assert factor_of(Op("DIV", (x, number(8)), (x,))) == 0.125
    assert factor_of(Op("DIV", (number(8), x), (x,))) is None
    assert factor_of(Op("MUL", (x, number(-2)), (x,))) is None


def test_quantizers_are_left_out_of_a_float_file(tmp_path: Path) -> None:
    proto = quantized_model(tmp_path)
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    graph = lowered(proto, feeds)
    assert {op.outputs[0].dtype for op in graph.graph.ops} == {"float32"}
    from edge_sdk.converters.lower.direct.quantizers import in_float

    (result,), (want,) = run(graph, feeds), expected(in_float(proto), feeds)
    np.testing.assert_allclose(result, want, rtol=0, atol=1e-5 * np.abs(want).max())


def rectified_model() -> Any:
    """Convolutions with ReLU and ReLU6 behind them, which ONNX Runtime leaves to the ranges of what follows."""
    from onnx import helper

    generator = np.random.default_rng(4)
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 8, 3, 3), "w3": (5, 2048)}
    weights = {name: generator.standard_normal(shape).astype(np.float32) * 0.4 for name, shape in shapes.items()}
    weights |= {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="c1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="r1"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="c2", pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c2", "zero", "six"], ["r2"], name="r2"),
        helper.make_node("Flatten", ["r2"], ["f"], name="f"),
        helper.make_node("Gemm", ["f", "w3"], ["y"], name="y", transB=1),
    ]
    return model(nodes, {"x": np.zeros(SHAPE, np.float32)}, ["y"], weights, opset=17)


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("activations", ["QInt8", "QUInt8"])
def test_what_a_range_cuts_off_is_cut_off_in_float_too(tmp_path: Path, form: str, activations: str) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType

    kinds = {
        "quant_format": QuantFormat[form],
        "activation_type": QuantType[activations],
        "weight_type": QuantType.QInt8,
    }
    proto = quantized_model(tmp_path, rectified_model, **kinds)
    assert not {"Relu", "Clip"} & {node.op_type for node in proto.graph.node}
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    (result,), (want,) = run(lowered(proto, feeds), feeds), expected(rectified_model(), feeds)
    # Weights are rounded to 8 bits with one scale: 1 % of their size, and of the result's.
    assert np.linalg.norm(result - want) < 0.03 * np.linalg.norm(want)


def test_who_quantized_it_is_told(tmp_path: Path) -> None:
    from edge_sdk.converters.lower.direct.quantizers import quantized_by

    assert "onnx.quantize" in (quantized_by(quantized_model(tmp_path)) or "")
    assert quantized_by(float_model()) is None


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_weights_with_a_zero_point_are_integers(tmp_path: Path, form: str) -> None:
    """ONNX Runtime's unsigned weights are as lopsided as they come: TFLite's uint8 kernels take them."""
    from onnxruntime.quantization import QuantFormat, QuantType

    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
    proto = quantized_model(tmp_path, lopsided_model, quant_format=QuantFormat[form], **kinds)
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    graph = lowered(proto, feeds, grids=True)
    weighted = [op for op in graph.graph.ops if op.kind in ("CONV_2D", "FULLY_CONNECTED")]
    assert {op.output.dtype for op in weighted} == {"uint8"}
    # XNNPACK has no kernel that changes the sign, and takes weights of one scale along the first axis only.
    begins = {(op.inputs[0].dtype, op.output.dtype) for op in graph.graph.ops if op.kind == "QUANTIZE" and op.inputs[0]}
    assert begins <= {("float32", "uint8"), ("uint8", "uint8")}
    assert {op.output.dtype for op in graph.graph.ops if op.kind in ("ADD", "MUL", "LOGISTIC")} == {"uint8"}
    assert {op.inputs[1].quantization.axis for op in weighted if op.inputs[1] and op.inputs[1].quantization} == {0}
    assert "float32" not in {op.output.dtype for op in graph.graph.ops if op.kind not in ("TRANSPOSE", "DEQUANTIZE")}
    (result,), (want,) = run(graph, feeds), expected(proto, feeds)
    assert np.abs(result - want).max() <= step_of(graph) * 1.001


def lopsided_model() -> Any:
    """:func:`float_model` with weights that reach three times as far above zero as below."""
    import onnx

    made = float_model()
    for weight in made.graph.initializer:
        if weight.name.startswith("w"):
            numbers = onnx.numpy_helper.to_array(weight)
            weight.CopyFrom(onnx.numpy_helper.from_array(np.where(numbers > 0, 3 * numbers, numbers), weight.name))
    del made.graph.value_info[:]
    return made


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("activations", ["QInt16", "QUInt16"])
def test_activations_in_16_bits(tmp_path: Path, activations: str, symmetric: bool) -> None:
    from onnxruntime.quantization import QuantType

    from edge_sdk.converters.lower.direct.quantizers import wide_grids

    proto = quantized_model(
        tmp_path,
        squeezing_model,
        activation_type=QuantType[activations],
        weight_type=QuantType.QInt8,
        extra_options={"UseQDQContribOps": True, "ActivationSymmetric": symmetric},
    )
    # Of 65,536 numbers from zero on none is in the middle; ONNX Runtime takes the one below.
    assert bool(wide_grids(proto).off_centre) is not (symmetric and activations == "QInt16")
    feeds = {"x": np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)}
    graph = lowered(proto, feeds, grids=True)
    grids = [t for op in graph.graph.ops for t in op.outputs if t.dtype == "int16"]
    assert grids
    assert all(t.quantization is not None and t.quantization.zero_point == (0,) for t in grids)
    (result,), (want,) = run(graph, feeds), expected(proto, feeds)
    # Ten roundings on the way, each of at most twice the source's step, and TFLite's multipliers of 16 bits.
    assert np.abs(result - want).max() <= 20 * step_of(graph)


def test_a_range_that_begins_at_zero_cuts_as_in_the_source() -> None:
    """ONNX Runtime leaves the ReLU out where the quantizer does it."""
    from onnx import helper

    weights: dict[str, Any] = {"s": np.array(0.001, np.float32), "z": np.array(-32768, np.int16)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    feeds = {"x": np.array([[-3, -0.4, 0, 0.7, 60]], np.float32)}
    graph = lowered(model(nodes, feeds, ["y"], weights, opset=21), feeds, grids=True)
    assert np.abs(run(graph, feeds)[0] - [[0, 0, 0, 0.7, 60]]).max() <= step_of(graph)


def test_a_sum_that_the_kernel_aborts_on_stays_in_float() -> None:
    """A mask of -1e9 added to scores whose sum has a step of 1e-4 (attention, quantized to 16 bits)."""
    from onnx import helper

    weights: dict[str, Any] = {
        name: np.array(scale, np.float32) for name, scale in (("a", 0.001), ("b", 3e4), ("c", 1e-4))
    }
    weights["z"] = np.array(0, np.int16)
    nodes = [
        node
        for name, scale in (("x", "a"), ("m", "b"))
        for node in (
            helper.make_node("QuantizeLinear", [name, scale, "z"], [f"{name}q"]),
            helper.make_node("DequantizeLinear", [f"{name}q", scale, "z"], [f"{name}d"]),
        )
    ]
    nodes += [
        helper.make_node("Add", ["xd", "md"], ["t"]),
        helper.make_node("QuantizeLinear", ["t", "c", "z"], ["tq"]),
        helper.make_node("DequantizeLinear", ["tq", "c", "z"], ["y"]),
    ]
    feeds = {"x": np.array([[0.5, 1.25, -2]], np.float32), "m": np.array([[0, -1e9, 0]], np.float32)}
    graph = lowered(model(nodes, feeds, ["y"], weights, opset=21), feeds, grids=True)
    assert np.abs(run(graph, feeds)[0] - [[0.5, -3.2768, -2]]).max() <= 1e-4


def test_scales_of_channels_and_weights_that_are_cut_and_turned() -> None:
    """NNCF gives each channel before a depthwise convolution a scale; Brevitas cuts weights, PyTorch turns them."""
    from onnx import helper

    generator = np.random.default_rng(5)
    weights: dict[str, Any] = {
        "w": generator.standard_normal((4, 1, 3, 3)).astype(np.float32),
        "w2": generator.standard_normal((5, 64)).astype(np.float32),
        "s": np.array([0.01, 0.02, 0.05, 0.03], np.float32),
        "z": np.zeros(4, np.int8),
        "t": np.array(0.02, np.float32),
        "u": np.linspace(0.02, 0.03, 5, dtype=np.float32),
        "u0": np.zeros(5, np.int8),
        "zero": np.array(0, np.int8),
        "low": np.array(-127, np.int8),
        "high": np.array(127, np.int8),
    }

    def pair(x: str, scale: str, zero: str, axis: int = 1) -> list[Any]:
        cut = helper.make_node("Clip", [f"{x}q", "low", "high"], [f"{x}c"]) if x in weights else None
        return [
            helper.make_node("QuantizeLinear", [x, scale, zero], [f"{x}q"], axis=axis),
            *([cut] if cut is not None else []),
            helper.make_node("DequantizeLinear", [f"{x}{'c' if cut else 'q'}", scale, zero], [f"{x}d"], axis=axis),
        ]

    nodes = [
        *pair("x", "s", "z"),
        *pair("w", "s", "z", 0),
        helper.make_node("Conv", ["xd", "wd"], ["c"], group=4, pads=[1, 1, 1, 1]),
        *pair("c", "t", "zero"),
        helper.make_node("Flatten", ["cd"], ["f"]),
        *pair("w2", "u", "u0", 0),
        helper.make_node("Transpose", ["w2d"], ["w2t"], perm=[1, 0]),
        helper.make_node("MatMul", ["f", "w2t"], ["m"]),
        *pair("m", "t", "zero"),
        helper.make_node("Identity", ["md"], ["y"]),
    ]
    feeds = {"x": generator.standard_normal((1, 4, 4, 4)).astype(np.float32)}
    proto = model(nodes, feeds, ["y"], weights, opset=18)
    graph = lowered(proto, feeds, grids=True)
    (dense,) = (op for op in graph.graph.ops if op.kind == "FULLY_CONNECTED")
    assert dense.output.dtype == "int8"
    assert dense.inputs[1] is not None
    assert dense.inputs[1].quantization is not None
    assert len(dense.inputs[1].quantization.scale) == 5
    assert np.abs(run(graph, feeds)[0] - expected(proto, feeds)[0]).max() <= step_of(graph) * 1.001


def test_weights_with_a_scale_for_each_block() -> None:
    """As ONNX Runtime's MatMulNBitsQuantizer writes them in QDQ form: a block shares a scale and a zero point."""
    from onnx import helper

    generator = np.random.default_rng(6)
    weights: dict[str, Any] = {
        "w": generator.integers(0, 256, (40, 6)).astype(np.uint8),
        "s": generator.uniform(0.01, 0.03, (3, 6)).astype(np.float32),
        "z": generator.integers(100, 150, (3, 6)).astype(np.uint8),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"], axis=0, block_size=16),
        helper.make_node("MatMul", ["x", "wd"], ["y"]),
    ]
    feeds = {"x": generator.standard_normal((3, 40)).astype(np.float32)}
    proto = model(nodes, feeds, ["y"], weights, opset=21)
    scales, zeros = (np.repeat(weights[name], 16, 0)[:40] for name in "sz")
    want = feeds["x"] @ ((weights["w"].astype(np.float32) - zeros) * scales)
    np.testing.assert_allclose(run(lowered(proto, feeds), feeds)[0], want, atol=1e-4)
