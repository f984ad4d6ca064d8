"""Ops that ONNX Runtime's optimizer and its quantizers write, held to ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import check, expected, lowered, model

pytestmark = pytest.mark.onnx
Numbers = npt.NDArray[Any]
RNG = np.random.default_rng(0)


def _floats(*shape: int) -> Numbers:
    return RNG.standard_normal(shape).astype(np.float32)


X, ROWS, WORDS = _floats(2, 6, 8), _floats(2, 6, 8), RNG.integers(0, 10, (2, 6)).astype(np.int32)
KEPT = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], np.int32)
IMAGE, KERNEL = _floats(1, 3, 5, 6), _floats(4, 3, 3, 3)
NORM = {"gamma": _floats(8), "beta": _floats(8), "bias": _floats(8)}
TABLES = {"words": _floats(10, 8), "places": _floats(9, 8), "segments": _floats(2, 8)}
HEADS = {"w": _floats(8, 24), "b": _floats(24)}
PACKED = {"w": RNG.integers(0, 256, (5, 2, 8)).astype(np.uint8), "s": np.abs(_floats(10)) + 0.1}
ZEROS = {"z": RNG.integers(0, 256, (5,)).astype(np.uint8)}

# Op, inputs that the model has, weights, names in order, attributes, results.
Case = tuple[str, dict[str, Numbers], dict[str, Numbers], str, dict[str, Any], str]
CASES: dict[str, Case] = {
    "Gelu": ("Gelu", {"x": X}, {}, "x", {}, "y"),
    "FastGelu": ("FastGelu", {"x": X}, {"bias": NORM["bias"]}, "x bias", {}, "y"),
    "BiasGelu": ("BiasGelu", {"x": X}, {"bias": NORM["bias"]}, "x bias", {}, "y"),
    "QuickGelu": ("QuickGelu", {"x": X}, {}, "x", {"alpha": 1.5}, "y"),
    "sum and norm": (
        "SkipLayerNormalization",
        {"x": X, "r": ROWS},
        NORM,
        "x r gamma beta bias",
        {"epsilon": 1e-3},
        "y - - t",
    ),
    "sum and plain norm": ("SkipSimplifiedLayerNormalization", {"x": X, "r": ROWS}, NORM, "x r gamma bias", {}, "y"),
    "embedding": (
        "EmbedLayerNormalization",
        {"i": WORDS, "s": KEPT, "m": KEPT},
        {**TABLES, **NORM},
        "i s words places segments gamma beta m",
        {},
        "y c",
    ),
    "embedding at places": (
        "EmbedLayerNormalization",
        {"i": WORDS, "p": WORDS[:, ::-1] % 9},
        {**TABLES, **NORM},
        "i - words places - gamma beta - p",
        {},
        "y c",
    ),
    "attention": ("Attention", {"x": X}, HEADS, "x w b", {"num_heads": 2}, "y"),
    "attention to what came before": (
        "Attention",
        {"x": X},
        HEADS,
        "x w b",
        {"num_heads": 4, "unidirectional": 1, "scale": 0.3},
        "y",
    ),
    "attention under a mask": ("Attention", {"x": X, "m": KEPT}, HEADS, "x w b m", {"num_heads": 2}, "y"),
    "attention of some keys": (
        "Attention",
        {"x": X, "m": np.array([4, 6], np.int32)},
        HEADS,
        "x w b m",
        {"num_heads": 2},
        "y",
    ),
    "several heads": (
        "MultiHeadAttention",
        {"x": X, "k": ROWS, "v": X + 1},
        {"b": HEADS["b"]},
        "x k v b",
        {"num_heads": 2},
        "y",
    ),
    "convolution and ReLU": ("FusedConv", {"x": IMAGE}, {"w": KERNEL}, "x w", {"activation": "Relu"}, "y"),
    "convolution, sum and slope": (
        "FusedConv",
        {"x": IMAGE, "z": _floats(1, 4, 3, 4)},
        {"w": KERNEL, "b": _floats(4)},
        "x w b z",
        {"activation": "LeakyRelu", "activation_params": [0.2]},
        "y",
    ),
    "convolution and clip": (
        "FusedConv",
        {"x": IMAGE},
        {"w": KERNEL, "b": _floats(4)},
        "x w b",
        {"activation": "Clip", "activation_params": [-1.0, 2.0], "pads": [1] * 4},
        "y",
    ),
    "dense and ReLU": (
        "FusedGemm",
        {"x": _floats(3, 8)},
        {"w": _floats(5, 8), "b": _floats(5)},
        "x w b",
        {"activation": "Relu", "transB": 1},
        "y",
    ),
    "turned product": ("FusedMatMul", {"x": X, "r": ROWS}, {}, "x r", {"transB": 1, "alpha": 0.25}, "y"),
    "both turned": ("FusedMatMul", {"x": X, "r": _floats(2, 8, 6)}, {}, "x r", {"transA": 1, "transB": 1}, "y"),
    "four bits": ("MatMulNBits", {"x": _floats(3, 20)}, PACKED, "x w s", {"K": 20, "N": 5, "block_size": 16}, "y"),
    "four bits, zero points": (
        "MatMulNBits",
        {"x": _floats(3, 32)},
        {**PACKED, **ZEROS},
        "x w s z",
        {"K": 32, "N": 5, "block_size": 16},
        "y",
    ),
}
# Of four bits ONNX Runtime wants to know how many there are.
for _name in ("four bits", "four bits, zero points"):
    CASES[_name][4]["bits"] = 4


def _model(case: Case) -> Any:
    from onnx import helper

    op, feeds, weights, names, options, results = case
    read = ["" if name == "-" else name for name in names.split()]
    made = ["" if name == "-" else name for name in results.split()]
    node = helper.make_node(op, read, made, name="node", domain="com.microsoft", **options)
    own = {name: values for name, values in weights.items() if name in read}
    proto = model([node], feeds, [name for name in made if name], own, opset=17)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    for output in proto.graph.output:
        output.type.tensor_type.elem_type = 6 if output.name == "c" else 1
    return proto


@pytest.mark.parametrize("name", list(CASES))
def test_it_computes_what_onnx_runtime_does(name: str) -> None:
    check(_model(CASES[name]), CASES[name][1], oracle=_as_it_is)


def _as_it_is(proto: Any, feeds: Any) -> list[Numbers]:
    """By ONNX Runtime, which shall not optimize what it has optimized: it fails on some of it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


REFUSED = {
    "a cache": (("Attention", {"x": X}, HEADS, "x w b", {"num_heads": 2}, "y p"), "keys and values of steps before"),
    "five bits": (
        ("MatMulNBits", {"x": _floats(3, 20)}, PACKED, "x w s", {"K": 20, "N": 5, "block_size": 16, "bits": 5}, "y"),
        "weights of 5 bits",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_has_no_form_is_refused_by_name(name: str) -> None:
    case, words = REFUSED[name]
    with pytest.raises(UnsupportedOpError, match=f"com.microsoft::{case[0]} at `node`: {words}"):
        lowered(_model(case), case[1])


def test_products_that_round_as_they_run_become_those_of_floats() -> None:
    from edge_sdk.converters.sources.onnx_dynamic import in_float_products, rounds_as_it_runs

    weights: dict[str, Numbers] = {
        "w": RNG.integers(-90, 90, (8, 5)).astype(np.int8),
        "s": np.array(0.02, np.float32),
        "z": np.array(3, np.int8),
        "b": _floats(5),
    }
    case: Case = ("DynamicQuantizeMatMul", {"x": _floats(3, 8)}, weights, "x w s z b", {}, "y")
    proto = _model(case)
    assert rounds_as_it_runs(proto)
    made = in_float_products(proto)
    assert [node.op_type for node in made.graph.node] == ["MatMul", "Add"]
    check(made, case[1])
    # Within the rounding of activations to 256 steps of their range.
    rounded, real = expected(proto, case[1])[0], expected(made, case[1])[0]
    step = np.ptp(case[1]["x"]) / 255
    assert np.abs(rounded - real).max() <= step / 2 * np.abs((weights["w"] - 3.0) * 0.02).sum(0).max()
