"""Nodes that only move and add elements become a matrix for each axis, where that is what they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, model

pytestmark = pytest.mark.onnx


def _random(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _bounds(size: int, out: int) -> tuple[Any, Any]:
    """Places of each window's elements, and which of them count."""
    starts = np.arange(out) * size // out
    ends = -(-(np.arange(out) + 1) * size // out)
    places = starts[:, None] + np.arange((ends - starts).max())
    return np.minimum(places, size - 1), places < ends[:, None]


def _adaptive_pool(
    shape: tuple[int, ...], out: tuple[int, int], *, filling: float = 0.0, flat: bool = False
) -> tuple[Any, Any]:
    """An adaptive mean as PyTorch writes it: GatherND of all windows, masks, and a sum element by element."""
    from onnx import helper

    (rows, high), (columns, wide) = (_bounds(size, count) for size, count in zip(shape[2:], out, strict=True))
    index = np.stack(np.broadcast_arrays(rows[:, :, None, None], columns[None, None]), -1)
    counts = high.sum(1)[:, None] * wide.sum(1)[None, :]
    weights = {
        "index": index.astype(np.int64),
        "wide": ~wide,
        "high": ~high[:, :, None, None],
        "filling": np.array(filling, np.float32),
        "counts": counts.astype(np.float32),
        "rank_2": np.array([shape[0], -1]),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 3, 0, 1]),
        helper.make_node("GatherND", ["t", "index"], ["g"]),
        helper.make_node("Transpose", ["g"], ["windows"], perm=[4, 5, 0, 1, 2, 3]),
        helper.make_node("Where", ["high", "filling", "windows"], ["m"]),
        helper.make_node("Where", ["wide", "filling", "m"], ["n"]),
    ]
    total = ""
    for i in range(high.shape[1]):
        for j in range(wide.shape[1]):
            weights |= {f"{n}": np.array(n) for n in (i, j)}
            nodes.append(helper.make_node("Gather", ["n", f"{i}"], [f"r{i}{j}"], axis=3))
            nodes.append(helper.make_node("Gather", [f"r{i}{j}", f"{j}"], [f"e{i}{j}"], axis=4))
            if total:
                nodes.append(helper.make_node("Add", [total, f"e{i}{j}"], [f"s{i}{j}"]))
            total = f"s{i}{j}" if total else f"e{i}{j}"
    nodes.append(helper.make_node("Div", [total, "counts"], ["y"]))
    nodes.append(helper.make_node("Reshape", ["y", "rank_2"], ["f"]))
    feeds = {"x": _random(shape)}
    return model(nodes, feeds, ["f" if flat else "y"], weights), feeds


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("shape", "out"),
    [((1, 3, 17, 23), (5, 7)), ((2, 4, 10, 10), (7, 7)), ((1, 1, 10, 8), (4, 8)), ((1, 2, 3, 4), (5, 7))],
)
def test_adaptive_pools_are_two_products(shape: tuple[int, ...], out: tuple[int, int], *, flat: bool) -> None:
    graph = check(*_adaptive_pool(shape, out, flat=flat))
    kinds = {op.kind for op in graph.graph.ops}
    assert kinds <= {"BATCH_MATMUL", "FULLY_CONNECTED", "RESHAPE"}


def test_windows_of_one_extent_and_step_are_a_pool() -> None:
    """13 to 3: means of 5 at every fourth element."""
    graph = check(*_adaptive_pool((1, 3, 13, 13), (3, 2)), layout="nhwc")
    assert [op.kind for op in graph.graph.ops if op.kind != "TRANSPOSE"] == ["AVERAGE_POOL_2D"]


def test_what_only_moves_elements_stays_what_it_is() -> None:
    from onnx import helper

    index = np.array([[0, 2], [1, 1]])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 3, 0, 1]),
        helper.make_node("GatherND", ["t", "i"], ["g"]),
    ]
    x = _random((2, 3, 4, 5))
    graph = check(model(nodes, {"x": x}, ["g"], {"i": index}), {"x": x}, tolerance=0.0)
    assert not {op.kind for op in graph.graph.ops} & {"BATCH_MATMUL", "FULLY_CONNECTED"}


def test_what_is_not_linear_stays_what_it_is() -> None:
    """The masks fill in a one: the sum has a constant part."""
    graph = check(*_adaptive_pool((1, 3, 10, 10), (7, 7), filling=1.0))
    assert "SELECT_V2" in {op.kind for op in graph.graph.ops}
