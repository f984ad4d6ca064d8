"""Sequences and optionals that are known as the graph is walked leave no trace in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import check, lowered, model

pytestmark = pytest.mark.onnx
X = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, outputs, **attributes)


def _kinds(nodes: list[Any], weights: dict[str, Any] | None = None) -> list[str]:
    arrays = {name: np.asarray(value) for name, value in (weights or {}).items()}
    graph = check(model(nodes, {"x": X}, ["y"], arrays, 18), {"x": X})
    return [op.kind for op in graph.graph.ops]


@pytest.mark.parametrize(("sizes", "keep"), [([2, 3], 1), (2, 1), (None, 1), (None, 0)])
def test_a_split_sequence_is_joined_again(sizes: Any, keep: int) -> None:
    inputs, weights = (["x"], {}) if sizes is None else (["x", "sizes"], {"sizes": sizes})
    nodes = [
        _node("SplitToSequence", inputs, ["s"], axis=0, keepdims=keep),
        _node("SequenceAt", ["s", "last"], ["a"]),
        _node("Neg", ["a"], ["n"]),
        _node("SequenceInsert", ["s", "n", "first"], ["t"]),
        _node("SequenceErase", ["t"], ["u"]),
        _node("ConcatFromSequence", ["u"], ["y"], axis=0, new_axis=1 - keep),
    ]
    assert "NEG" in _kinds(nodes, {**weights, "last": np.int64(-1), "first": np.int64(0)})


def test_a_sequence_goes_through_a_loop() -> None:
    """The loop's body adds an item at each step, so its steps become ops."""
    import onnx
    from onnx import helper

    rows = helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [5, 3]))
    body = helper.make_graph(
        [
            _node("Cast", ["i"], ["f"], to=1),
            _node("Add", ["x", "f"], ["item"]),
            _node("SequenceInsert", ["s", "item"], ["t"]),
            _node("Identity", ["on"], ["still"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, []),
            helper.make_value_info("s", rows),
        ],
        [helper.make_tensor_value_info("still", onnx.TensorProto.BOOL, []), helper.make_value_info("t", rows)],
    )
    nodes = [
        _node("SequenceEmpty", [], ["empty"]),
        _node("Loop", ["count", "yes", "empty"], ["all"], body=body),
        _node("ConcatFromSequence", ["all"], ["y"], axis=1),
    ]
    kinds = _kinds(nodes, {"count": np.int64(3), "yes": np.bool_(True)})
    assert set(kinds) == {"ADD", "CONCATENATION"}


def test_a_body_is_mapped_over_sequences() -> None:
    import onnx
    from onnx import helper

    float_row = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in "ab"]
    result = [helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [1, 3])]
    body = helper.make_graph([_node("Mul", ["a", "b"], ["c"])], "body", float_row, result)
    nodes = [
        _node("SplitToSequence", ["x"], ["s"]),
        _node("SequenceMap", ["s", "w"], ["t"], body=body),
        _node("ConcatFromSequence", ["t"], ["y"], axis=0),
    ]
    assert _kinds(nodes, {"w": X[:1]}).count("MUL") == len(X)


def test_optionals_are_what_they_hold() -> None:
    nodes = [
        _node("Optional", ["x"], ["o"]),
        _node("OptionalHasElement", ["o"], ["has"]),
        _node("OptionalGetElement", ["o"], ["e"]),
        _node("Where", ["has", "e", "zero"], ["y"]),
    ]
    assert _kinds(nodes, {"zero": np.zeros((), np.float32)}) == ["SELECT_V2"]


def test_a_sequence_as_an_output_is_refused() -> None:
    nodes = [_node("SplitToSequence", ["x"], ["y"])]
    with pytest.raises(UnsupportedOpError, match="a sequence or optional; TFLite has tensors only"):
        lowered(model(nodes, {"x": X}, ["y"], {}, 18), {"x": X})


def test_a_tensor_op_on_a_sequence_is_refused() -> None:
    nodes = [_node("SplitToSequence", ["x"], ["s"]), _node("Neg", ["s"], ["y"])]
    with pytest.raises(UnsupportedOpError, match="Neg at `y`: its input is a sequence"):
        lowered(model(nodes, {"x": X}, ["y"], {}, 18), {"x": X})


def test_a_dropout_that_trains_is_refused() -> None:
    node = _node("Dropout", ["x", "ratio", "yes"], ["y"])
    weights = {"ratio": np.array(0.5, np.float32), "yes": np.array(True)}
    with pytest.raises(UnsupportedOpError, match="draws random numbers"):
        lowered(model([node], {"x": X}, ["y"], weights, 18), {"x": X})
