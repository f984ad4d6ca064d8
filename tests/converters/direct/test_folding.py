"""Constants computed where the reference evaluator cannot, and constants that are too large to be folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, model

pytestmark = pytest.mark.onnx
X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)


def test_gathering_from_more_rows_than_the_reference_evaluator_takes() -> None:
    from onnx import helper

    data = np.random.default_rng(1).standard_normal((3, 40)).astype(np.float32)
    weights: dict[str, np.ndarray[Any, Any]] = {"data": data, "indices": np.array([[0, 39, 7], [5, -1, 38]], np.int64)}
    nodes = [
        helper.make_node("GatherElements", ["data", "indices"], ["g"], axis=1),
        helper.make_node("Add", ["x", "g"], ["y"]),
    ]
    check(model(nodes, {"x": X}, ["y"], weights), {"x": X})


def test_a_constant_beyond_the_limit_is_left_to_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx import helper

    from edge_sdk.converters.lower.direct import folding

    side = 32
    monkeypatch.setattr(folding, "_LIMIT_BYTES", 4 * side * side - 1)
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"], value=helper.make_tensor("v", 1, [1], [0.5])),
        helper.make_node("Gemm", ["x", "w"], ["y"], transB=1),
    ]
    x = np.ones((1, side), np.float32)
    proto = model(nodes, {"x": x}, ["y"], {"shape": np.array([side, side], np.int64)})
    made = check(proto, {"x": x})
    assert all(t is None or t.data is None or t.data.nbytes < 1024 for op in made.graph.ops for t in op.inputs)


@pytest.mark.parametrize("mode", ["cubic", "linear", "nearest"])
def test_a_constant_is_resized_before_the_file_runs(mode: str) -> None:
    from onnx import helper

    table = np.random.default_rng(2).standard_normal((1, 2, 6, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Resize", ["table", "", "", "sizes"], ["r"], mode=mode),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    x = np.ones((1, 2, 4, 7), np.float32)
    proto = model(nodes, {"x": x}, ["y"], {"table": table, "sizes": np.array([1, 2, 4, 7], np.int64)})
    assert [op.kind for op in check(proto, {"x": x}).graph.ops] == ["ADD"]


def _cells(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


_KNOWN: dict[str, tuple[str, list[np.ndarray[Any, Any]], dict[str, Any]]] = {
    "places beyond the ends": (
        "OneHot", [np.array([-4, -3, 1, 3]), np.array(3), np.array([0, 1], np.float32)], {"axis": 0},
    ),
    "axes of one": ("GlobalMaxPool", [_cells(0, 2, 3, 2, 2)], {}),
    "VALID over one axis": ("Conv", [_cells(1, 1, 2, 6), _cells(2, 3, 2, 2)], {"auto_pad": "VALID"}),
    "a border behind": ("MaxPool", [_cells(3, 1, 2, 3, 3)], {"kernel_shape": [3, 2], "pads": [0, 0, 1, 0]}),
    "three axes": ("ConvTranspose", [_cells(4, 1, 2, 2, 2, 2), _cells(5, 2, 1, 3, 1, 3)], {"strides": [2, 2, 2]}),
    "few channels": ("LRN", [_cells(6, 1, 2, 3, 3)], {"size": 5}),
    "magnitudes": ("LpNormalization", [_cells(7, 2, 3)], {"axis": 1, "p": 1}),
    "several at a place": ("ScatterElements", [_cells(13, 2, 3), np.array([[0, 0, 1]]), _cells(14, 1, 3)],
                           {"axis": 1, "reduction": "mul"}),
    "backwards": ("RNN", [_cells(8, 3, 1, 2), _cells(9, 1, 2, 2), _cells(10, 1, 2, 2)],
                  {"hidden_size": 2, "direction": "reverse"}),
}  # fmt: skip


@pytest.mark.parametrize("case", _KNOWN)
def test_what_the_reference_evaluator_computes_otherwise(case: str) -> None:
    """All inputs known: what the file holds is ONNX Runtime's result all the same."""
    from onnx import helper

    op, arrays, given = _KNOWN[case]
    names = [f"k{i}" for i in range(len(arrays))]
    nodes = [helper.make_node(op, names, ["r"], **given), helper.make_node("Add", ["r", "x"], ["y"])]
    x = np.ones((1,), np.float32)
    check(model(nodes, {"x": x}, ["y"], dict(zip(names, arrays, strict=True))), {"x": x})


_OLD: dict[str, tuple[str, int, dict[str, Any]]] = {
    "one of two axes of one": ("Squeeze", 11, {"axes": [0]}),
    "a sum over one axis": ("ReduceSum", 11, {"axes": [2], "keepdims": 0}),
    "a further axis": ("Unsqueeze", 9, {"axes": [0]}),
    "bounds that are no inputs": ("Clip", 7, {"min": -0.5, "max": 0.5}),
    "all axes from one on as one": ("Softmax", 11, {"axis": 2}),
    "the largest of them": ("Hardmax", 9, {"axis": 2}),
}


@pytest.mark.parametrize("case", _OLD)
def test_a_constant_is_computed_by_its_own_op_set(case: str) -> None:
    from onnx import helper

    op, opset, given = _OLD[case]
    nodes = [helper.make_node(op, ["k"], ["r"], **given), helper.make_node("Mul", ["r", "x"], ["y"])]
    x = np.full((1,), 2, np.float32)
    kinds = [
        made.kind
        for made in check(model(nodes, {"x": x}, ["y"], {"k": _cells(11, 1, 1, 3, 2)}, opset), {"x": x}).graph.ops
    ]
    assert "MUL" in kinds
    assert op in ("Softmax", "Hardmax") or kinds == ["MUL"]


def test_a_known_output_has_its_own_shape() -> None:
    from onnx import helper

    nodes = [helper.make_node("Squeeze", ["k"], ["r"], axes=[0]), helper.make_node("Relu", ["x"], ["y"])]
    check(model(nodes, {"x": X}, ["r", "y"], {"k": _cells(12, 1, 1)}, 11), {"x": X})
