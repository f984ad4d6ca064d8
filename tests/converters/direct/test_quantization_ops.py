"""Quantizers as arithmetic, and exact products of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import check, lowered, model, run

pytestmark = pytest.mark.onnx
RNG = np.random.default_rng(4)
FLOAT = np.float32


def _node(op: str, *inputs: str, output: str = "y", **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, list(inputs), [output], **attributes)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_halves_go_to_the_even_number_and_ends_saturate(dtype: str) -> None:
    x = {"x": np.array([-1e6, -2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 3.4999998, 1e6], FLOAT)}
    weights = {"s": np.array(1, FLOAT), "z": np.array(3, dtype)}
    check(model([_node("QuantizeLinear", "x", "s", "z")], x, ["y"], weights, opset=21), x)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_scale_for_each_of_an_axis(axis: int) -> None:
    x = {"x": RNG.standard_normal((4, 4, 4)).astype(FLOAT)}
    weights: Any = {"s": RNG.uniform(0.01, 0.1, 4).astype(FLOAT), "z": RNG.integers(-9, 9, 4).astype(np.int8)}
    check(model([_node("QuantizeLinear", "x", "s", "z", axis=axis)], x, ["y"], weights, opset=21), x)
    q = {"x": RNG.integers(-128, 127, (4, 4, 4)).astype(np.int8)}
    check(model([_node("DequantizeLinear", "x", "s", "z", axis=axis)], q, ["y"], weights, opset=21), q)


def test_a_scale_for_each_block() -> None:
    x = {"x": RNG.integers(-128, 127, (2, 6, 3)).astype(np.int8)}
    weights = {"s": RNG.uniform(0.01, 0.1, (2, 3, 3)).astype(FLOAT)}
    proto = model([_node("DequantizeLinear", "x", "s", axis=1, block_size=2)], x, ["y"], weights, opset=21)
    (result,) = run(lowered(proto, x), x)
    np.testing.assert_allclose(result, x["x"] * weights["s"].repeat(2, 1), rtol=1e-6)


@pytest.mark.parametrize("inner", [3, 257, 700])
@pytest.mark.parametrize("dtypes", [("uint8", "uint8"), ("int8", "int8"), ("uint8", "int8")])
def test_products_of_integer_matrices_are_exact(dtypes: tuple[str, str], inner: int) -> None:
    """700 products of 255 * 255 are beyond what one float32 sum holds."""
    ends = [np.iinfo(dtype) for dtype in dtypes]
    a, b = (
        RNG.choice([end.min, end.max, end.max - 1], shape).astype(dtype)
        for end, dtype, shape in zip(ends, dtypes, ((3, inner), (inner, 3)), strict=True)
    )
    zeros = [np.array(end.min if end.min else end.max, dtype) for end, dtype in zip(ends, dtypes, strict=True)]
    feeds = {"a": a, "b": b}
    proto = model([_node("MatMulInteger", "a", "b", "za", "zb")], feeds, ["y"], {"za": zeros[0], "zb": zeros[1]})
    (result,) = run(lowered(proto, feeds), feeds)
    want = (a.astype(np.int64) - int(zeros[0])) @ (b.astype(np.int64) - int(zeros[1]))
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize("channels", [2, 70])
def test_convolutions_of_integers_are_exact(channels: int) -> None:
    feeds = {"x": RNG.choice([0, 254, 255], (1, channels, 5, 5)).astype(np.uint8)}
    weights = {"w": RNG.choice([0, 255], (4, channels, 3, 3)).astype(np.uint8), "zx": np.array(0, np.uint8)}
    proto = model([_node("ConvInteger", "x", "w", "zx", pads=[1, 1, 1, 1])], feeds, ["y"], weights)
    check(proto, feeds, tolerance=0)


def test_a_quantized_convolution() -> None:
    feeds = {"x": RNG.integers(0, 255, (1, 3, 6, 6)).astype(np.uint8)}
    weights: dict[str, Any] = {
        "sx": np.array(0.02, FLOAT),
        "zx": np.array(120, np.uint8),
        "w": RNG.integers(-128, 127, (4, 3, 3, 3)).astype(np.int8),
        "sw": RNG.uniform(0.01, 0.02, 4).astype(FLOAT),
        "zw": np.zeros(4, np.int8),
        "sy": np.array(0.2, FLOAT),
        "zy": np.array(100, np.uint8),
        "b": RNG.integers(-3000, 3000, 4).astype(np.int32),
    }
    proto = model([_node("QLinearConv", "x", *weights)], feeds, ["y"], weights)
    check(proto, feeds, tolerance=0)


def test_a_quantized_product_of_matrices() -> None:
    feeds = {"a": RNG.integers(-128, 127, (3, 5)).astype(np.int8)}
    weights: dict[str, Any] = {
        "sa": np.array(0.02, FLOAT),
        "za": np.array(-3, np.int8),
        "b": RNG.integers(-128, 127, (5, 4)).astype(np.int8),
        "sb": np.array(0.01, FLOAT),
        "zb": np.array(5, np.int8),
        "sy": np.array(0.05, FLOAT),
        "zy": np.array(7, np.int8),
    }
    check(model([_node("QLinearMatMul", "a", *weights)], feeds, ["y"], weights), feeds, tolerance=0)


def test_dtypes_that_tflite_does_not_compute_in_are_refused_by_name() -> None:
    from onnx import TensorProto

    x = {"x": np.ones(3, FLOAT)}
    proto = model([_node("Cast", "x", to=TensorProto.FLOAT8E4M3FN)], x, ["y"], {})
    with pytest.raises(UnsupportedOpError, match=r"Cast at `.*`: TFLite has no CAST for float8_e4m3fn"):
        lowered(proto, x)
