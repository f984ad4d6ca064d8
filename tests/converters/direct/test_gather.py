"""Indices, counted from both ends; rows and elements gathered and scattered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, expected, lowered, model, run

pytestmark = pytest.mark.onnx
RNG = np.random.default_rng(2)
# Axes of different extents, two equal, all equal: the ops must be the same.
SHAPES = [(3, 4, 5), (4, 4, 5), (4, 4, 4)]
FLOAT = np.float32


def _node(op: str, *inputs: str, outputs: tuple[str, ...] = ("y",), **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def _apart(arrays: dict[str, Any], known: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs, and the weight among them."""
    return {name: array for name, array in arrays.items() if name != known}, {known: arrays[known]}


def _kinds(graph: Any) -> list[str]:
    return [op.kind for op in graph.graph.ops]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("known", [True, False])
def test_gather_along_any_axis_from_both_ends(axis: int, known: bool) -> None:
    found = []
    for shape in SHAPES:
        x = RNG.standard_normal(shape).astype(FLOAT)
        indices = RNG.integers(-shape[axis], shape[axis], (2, 3))
        indices[0, 0], indices[0, 1] = -shape[axis], shape[axis] - 1
        both: dict[str, Any] = {"x": x, "i": indices}
        feeds, weights = _apart(both, "i") if known else (both, {})
        found.append(_kinds(check(model([_node("Gather", "x", "i", axis=axis)], feeds, ["y"], weights), feeds)))
    assert found[0] == found[1] == found[2]


def test_indices_known_not_to_be_negative_cost_nothing() -> None:
    table = {"t": RNG.standard_normal((5, 3)).astype(FLOAT)}
    x = {"x": RNG.standard_normal((4, 5)).astype(FLOAT)}
    nodes = [_node("ArgMax", "x", outputs=("i",), axis=1, keepdims=0), _node("Gather", "t", "i")]
    assert _kinds(check(model(nodes, x, ["y"], table), x)) == ["ARG_MAX", "GATHER"]


def test_an_embedding_of_pytorch_is_one_gather() -> None:
    """PyTorch refuses negative indices of an embedding, so none are turned round; of ``x[i]`` it takes them."""
    feeds = {"t": RNG.standard_normal((5, 3)).astype(FLOAT), "i": np.array([[4, 0]], np.int32)}
    for op, kinds in (
        ("aten.embedding.default", ["GATHER"]),
        ("aten.index.Tensor", ["LESS", "ADD", "SELECT_V2", "GATHER"]),
    ):
        node = _node("Gather", "t", "i")
        node.metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value=f"['Model', '{op}']")
        assert _kinds(check(model([node], feeds, ["y"], {}), feeds)) == kinds


def test_gathered_axes_stay_where_the_tensor_has_them() -> None:
    x = {"x": RNG.standard_normal((3, 4, 5)).astype(FLOAT), "i": np.array([[1, -1, 0]])}
    nodes = [_node("Transpose", "x", outputs=("a",), perm=[2, 0, 1]), _node("Gather", "a", "i", axis=1)]
    assert "TRANSPOSE" not in _kinds(
        lowered(model([*nodes, _node("Transpose", "y", outputs=("z",), perm=[1, 2, 3, 0])], x, ["z"], {}), x)
    )
    check(model(nodes, x, ["y"], {}), x)


@pytest.mark.parametrize("op", ["GatherElements", "ScatterElements"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("known", [True, False])
def test_elements_along_any_axis(op: str, axis: int, known: bool) -> None:
    found = []
    for shape in SHAPES:
        x = RNG.standard_normal(shape).astype(FLOAT)
        # Each place once, from both ends: what two writes leave is not defined.
        indices = np.argsort(RNG.random(shape), axis)
        indices[indices % 2 == 1] -= shape[axis]
        indices = indices.take(range(2), axis)
        feeds: dict[str, Any] = {"x": x}
        feeds |= {} if known else {"i": indices}
        weights = {"i": indices} if known else {}
        names: tuple[str, ...] = ("x", "i")
        if op == "ScatterElements":
            feeds["u"] = RNG.standard_normal(indices.shape).astype(FLOAT)
            names = ("x", "i", "u")
        found.append(_kinds(check(model([_node(op, *names, axis=axis)], feeds, ["y"], weights), feeds)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "min", "max"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int8"])
@pytest.mark.parametrize("op", ["ScatterElements", "ScatterND"])
def test_scatter_reduces_and_the_last_write_wins(op: str, dtype: str, reduction: str) -> None:
    x = RNG.integers(-9, 9, (4, 3)).astype(dtype)
    indices = RNG.integers(-4, 4, (6, 3) if op == "ScatterElements" else (6, 1))
    feeds = {"x": x, "i": indices, "u": RNG.integers(-3, 3, (6, 3)).astype(dtype)}
    proto = model([_node(op, "x", "i", "u", reduction=reduction)], feeds, ["y"], {})
    check(proto, feeds)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("batch", [0, 1])
def test_rows_by_tuples_of_indices(batch: int, known: bool) -> None:
    found = []
    for shape in SHAPES:
        x = RNG.standard_normal(shape).astype(FLOAT)
        indices = RNG.integers(-3, 3, (shape[0], 2, 2 - batch))
        both: dict[str, Any] = {"x": x, "i": indices}
        feeds, weights = _apart(both, "i") if known else (both, {})
        proto = model([_node("GatherND", "x", "i", batch_dims=batch)], feeds, ["y"], weights)
        found.append(_kinds(check(proto, feeds)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "uint16"])
def test_rows_are_put_in_every_dtype(dtype: str) -> None:
    x = RNG.integers(0, 2, (2, 3, 4)).astype(dtype)
    weights = {"i": np.array([[0, -1], [1, 1]])}
    feeds = {"x": x, "u": RNG.integers(0, 2, (2, 4)).astype(dtype)}
    (result,) = run(lowered(model([_node("ScatterND", "x", "i", "u")], feeds, ["y"], weights), feeds), feeds)
    want = x.copy()
    want[[0, 1], [-1, 1]] = feeds["u"]
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize("mode", ["linear", "circular"])
def test_a_cache_takes_in_what_is_new(mode: str) -> None:
    feeds = {
        "cache": RNG.standard_normal((2, 3, 5, 4)).astype(FLOAT),
        "update": RNG.standard_normal((2, 3, 2, 4)).astype(FLOAT),
        "begin": np.array([3, 1] if mode == "linear" else [4, 0]),
    }
    proto = model([_node("TensorScatter", *feeds, mode=mode)], feeds, ["y"], {}, opset=24)
    check(proto, feeds)


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "uint8"])
def test_the_largest_and_smallest_of_an_axis(dtype: str, axis: int, largest: int) -> None:
    x = {"x": RNG.integers(0, 6, (4, 4, 5)).astype(dtype)}
    node = _node("TopK", "x", "k", outputs=("v", "i"), axis=axis, largest=largest)
    proto = model([node], x, ["v", "i"], {"k": np.array([3])})
    check(proto, x)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_the_first_or_last_of_equal_extremes(op: str, keep: int, last: int) -> None:
    x = {"x": RNG.integers(0, 3, (4, 4, 6)).astype(FLOAT)}
    check(model([_node(op, "x", axis=-1, keepdims=keep, select_last_index=last)], x, ["y"], {}), x)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_hot_counts_from_both_ends_and_marks_nothing_outside(axis: int) -> None:
    feeds = {"i": np.array([[0, -1, 4], [-5, 7, -6]])}
    weights = {"d": np.array([5]), "v": np.array([2, -1], FLOAT)}
    nodes = [_node("OneHot", "i", "d", "v", axis=axis)]
    check(model(nodes, feeds, ["y"], weights), feeds)
    short = {"i": feeds["i"].astype(np.int32)}
    (result,) = run(lowered(model(nodes, short, ["y"], weights), short), short)
    np.testing.assert_array_equal(result, expected(model(nodes, feeds, ["y"], weights), feeds)[0])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_hardmax(axis: int) -> None:
    x = {"x": RNG.integers(0, 4, (3, 3, 4)).astype(FLOAT)}
    check(model([_node("Hardmax", "x", axis=axis)], x, ["y"], {}), x)
    if axis >= 0:
        check(model([_node("Hardmax", "x", axis=axis)], x, ["y"], {}, opset=11), x)


def test_what_two_writes_leave_is_the_last_as_in_the_source() -> None:
    feeds = {"x": np.zeros(3, FLOAT), "u": np.array([1, 2, 3], FLOAT)}
    proto = model([_node("ScatterElements", "x", "i", "u")], feeds, ["y"], {"i": np.array([1, -2, 1])})
    np.testing.assert_array_equal(expected(proto, feeds)[0], [0, 3, 0])
    check(proto, feeds)
