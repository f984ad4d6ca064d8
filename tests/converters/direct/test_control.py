"""Branches and loops: what is known is followed, what depends on data becomes IF and WHILE."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import check, lowered, model

pytestmark = pytest.mark.onnx
X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
W = np.random.default_rng(1).standard_normal((3, 3)).astype(np.float32)


def _info(name: str, shape: list[int] | None, kind: str = "FLOAT") -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, outputs, **attributes)


def _graph(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Any:
    from onnx import helper

    return helper.make_graph(nodes, "body", inputs, outputs)


def _kinds(graph: Any) -> list[str]:
    return [op.kind for op in graph.graph.ops]


def _if_model(x: npt.NDArray[Any]) -> Any:
    """Both branches read a value of the graph around them, one gives it as it is, one a weight."""
    then_nodes = [_node("MatMul", ["h", "w"], ["t"]), _node("Identity", ["w"], ["v"])]
    then = _graph(then_nodes, [], [_info("t", [2, 3]), _info("v", [3, 3])])
    other_nodes = [_node("MatMul", ["w", "w"], ["u"]), _node("Identity", ["h"], ["s"])]
    other = _graph(other_nodes, [], [_info("s", [2, 3]), _info("u", [3, 3])])
    nodes = [
        _node("Exp", ["x"], ["h"]),
        _node("ReduceSum", ["x"], ["sum"], keepdims=0),
        _node("Greater", ["sum", "zero"], ["positive"]),
        _node("If", ["positive"], ["y", "z"], then_branch=then, else_branch=other),
    ]
    return model(nodes, {"x": x}, ["y", "z"], {"w": W, "zero": np.float32(0) + np.zeros((), np.float32)}, 13)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_branch_that_depends_on_data_is_an_if(sign: int) -> None:
    x = np.abs(X) * np.float32(sign)
    graph = check(_if_model(x), {"x": x})
    assert _kinds(graph) == ["EXP", "SUM", "GREATER", "IF"]


def test_a_branch_that_is_known_is_followed() -> None:
    then = _graph([_node("Neg", ["x"], ["t"])], [], [_info("t", [2, 3])])
    other = _graph([_node("Exp", ["x"], ["e"])], [], [_info("e", [2, 3])])
    nodes = [
        _node("Shape", ["x"], ["shape"]),
        _node("ReduceMax", ["shape"], ["most"], keepdims=0),
        _node("Equal", ["most", "three"], ["is_three"]),
        _node("If", ["is_three"], ["y"], then_branch=then, else_branch=other),
    ]
    graph = check(model(nodes, {"x": X}, ["y"], {"three": np.array(3)}, 13), {"x": X})
    assert _kinds(graph) == ["NEG"]


def test_branches_of_different_shapes_are_refused() -> None:
    then = _graph([_node("Neg", ["x"], ["t"])], [], [_info("t", [2, 3])])
    other = _graph([_node("ReduceSum", ["x"], ["e"], keepdims=0)], [], [_info("e", [])])
    node = _node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    feeds = {"x": X, "c": np.array(True)}
    with pytest.raises(UnsupportedOpError, match="float32 \\[2, 3\\] and float32 \\[\\]"):
        lowered(model([node], feeds, ["y"], {}, 13), feeds)


def _loop_body(condition: str = "going") -> Any:
    """``h = h @ w + i``; each step gives the sum of ``h``."""
    nodes = [
        _node("MatMul", ["h", "w"], ["p"]),
        _node("Cast", ["i"], ["f"], to=1),
        _node("Add", ["p", "f"], ["q"]),
        _node("Tanh", ["q"], ["r"]),
        _node("ReduceSum", ["r"], ["sum"], keepdims=0),
        _node("Less", ["sum", "limit"], ["small"]),
        _node("Identity", [condition], ["on"]),
    ]
    inputs = [_info("i", [], "INT64"), _info("going", [], "BOOL"), _info("h", [2, 3])]
    outputs = [_info("on", [], "BOOL"), _info("r", [2, 3])]
    return nodes, inputs, outputs


@pytest.mark.parametrize(("count", "kind"), [(3, "FULLY_CONNECTED"), (40, "WHILE"), (1, "FULLY_CONNECTED")])
def test_a_loop_with_a_known_count(count: int, kind: str) -> None:
    nodes, inputs, outputs = _loop_body()
    body = _graph(nodes, inputs, [*outputs, _info("sum", [])])
    node = _node("Loop", ["n", "yes", "x"], ["y", "sums"], body=body)
    weights = {"n": np.array(count), "yes": np.array(True), "w": W, "limit": np.array(9, np.float32)}
    graph = check(model([node], {"x": X}, ["y", "sums"], weights, 13), {"x": X})
    assert _kinds(graph).count(kind) == (count if kind != "WHILE" else 1)
    unrolled = check(model([node], {"x": X}, ["y", "sums"], weights, 13), {"x": X}, unroll=True)
    assert _kinds(unrolled).count("FULLY_CONNECTED") == count


@pytest.mark.parametrize("counted", [True, False])
def test_a_loop_that_ends_by_data_is_a_while(counted: bool) -> None:
    body = _graph(*_loop_body("small"))
    node = _node("Loop", ["n" if counted else "", "yes", "x"], ["y"], body=body)
    feeds = {"x": X, "n": np.array(4), "yes": np.array(True)} if counted else {"x": X}
    weights = {"w": W, "limit": np.array(4, np.float32), "yes": np.array(True)}
    used = {name: value for name, value in weights.items() if name not in feeds}
    assert _kinds(check(model([node], feeds, ["y"], used, 13), feeds)) == ["WHILE"]


def test_scan_outputs_whose_count_depends_on_data_are_refused() -> None:
    nodes, inputs, outputs = _loop_body("small")
    node = _node("Loop", ["", "yes", "x"], ["y", "s"], body=_graph(nodes, inputs, [*outputs, _info("sum", [])]))
    weights = {"w": W, "limit": np.array(4, np.float32), "yes": np.array(True)}
    with pytest.raises(UnsupportedOpError, match="how many rows its scan outputs have depends on data"):
        lowered(model([node], {"x": X}, ["y", "s"], weights, 13), {"x": X})


@pytest.mark.parametrize("steps", [5, 40])
@pytest.mark.parametrize("backwards", [[0, 0], [1, 0], [1, 1]])
def test_a_scan_over_any_axis_and_direction(steps: int, backwards: list[int]) -> None:
    nodes = [_node("Mul", ["h", "half"], ["g"]), _node("Add", ["g", "part"], ["r"]), _node("Neg", ["r"], ["out"])]
    body = _graph(nodes, [_info("h", [2, 3]), _info("part", [2, 3])], [_info("r", [2, 3]), _info("out", [2, 3])])
    node = _node(
        "Scan", ["x", "s"], ["y", "z"], body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[-1],
        scan_input_directions=backwards[:1], scan_output_directions=backwards[1:],
    )  # fmt: skip
    feeds = {"x": X, "s": np.random.default_rng(2).standard_normal((2, steps, 3)).astype(np.float32)}
    graph = check(model([node], feeds, ["y", "z"], {"half": np.array(0.5, np.float32)}), feeds)
    assert ("WHILE" in _kinds(graph)) == (steps > 32)
