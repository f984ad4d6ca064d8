"""Pools: windows of every kind over one to three axes, where the maxima were, and back to there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, model

pytestmark = pytest.mark.onnx
SHAPES = {1: (2, 3, 13), 2: (2, 3, 9, 12), 3: (2, 3, 7, 9, 8)}
WINDOWS: list[dict[str, Any]] = [
    {},
    {"strides": 2},
    {"strides": 2, "begins": 1, "ends": 1},
    {"strides": 2, "begins": 1, "ends": 0},
    {"strides": 3, "begins": 1, "ends": 1, "ceil_mode": 1},
    {"strides": 2, "ceil_mode": 1},
    {"dilations": 2},
    {"dilations": 2, "strides": 2, "begins": 2, "ends": 1},
    {"strides": 2, "auto_pad": "SAME_UPPER"},
    {"strides": 2, "auto_pad": "SAME_LOWER"},
    {"strides": 2, "auto_pad": "VALID"},
    {"strides": 5, "auto_pad": "SAME_UPPER"},
    {"strides": 6, "auto_pad": "SAME_LOWER"},
]


def _random(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _pool(kind: str, rank: int, window: dict[str, Any], outputs: int = 1, **more: Any) -> tuple[Any, Any]:
    from onnx import helper

    attributes: dict[str, Any] = {"kernel_shape": [3] * rank, **more}
    for name in ("strides", "dilations"):
        if name in window:
            attributes[name] = [window[name]] * rank
    if "begins" in window:
        attributes["pads"] = [window["begins"]] * rank + [window["ends"]] * rank
    attributes |= {name: window[name] for name in ("auto_pad", "ceil_mode") if name in window}
    names = ["y", "i"][:outputs]
    x = _random(SHAPES[rank])
    return model([helper.make_node(kind, ["x"], names, **attributes)], {"x": x}, names, {}, opset=22), {"x": x}


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_pools(rank: int, window: dict[str, Any]) -> None:
    check(*_pool("MaxPool", rank, window), tolerance=0.0)


def _has_an_oracle(window: dict[str, Any], counts: int) -> bool:
    """ONNX Runtime disagrees elsewhere with the reference evaluator and with its own maximum pool, which we follow."""
    return "auto_pad" not in window or not (counts or window.get("strides", 1) > 3)


AVERAGED = [(window, counts) for window in WINDOWS for counts in (0, 1) if _has_an_oracle(window, counts)]


@pytest.mark.parametrize(("window", "counts"), AVERAGED, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_average_pools(rank: int, window: dict[str, Any], counts: int) -> None:
    check(*_pool("AveragePool", rank, window, count_include_pad=counts))


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("window", WINDOWS[:4], ids=str)
def test_lp_pools(window: dict[str, Any], p: int) -> None:
    check(*_pool("LpPool", 2, window, p=p))


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("window", WINDOWS[:8], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_places_of_maxima(rank: int, window: dict[str, Any], order: int) -> None:
    check(*_pool("MaxPool", rank, window, outputs=2, storage_order=order), tolerance=0.0)


def test_the_first_of_equal_maxima_is_the_place() -> None:
    proto, feeds = _pool("MaxPool", 2, {"strides": 2, "begins": 1, "ends": 1}, outputs=2)
    check(proto, {"x": np.zeros_like(feeds["x"])}, tolerance=0.0)


@pytest.mark.parametrize("kernel", [2, 3])
def test_values_go_back_to_where_the_maxima_were(kernel: int) -> None:
    """A kernel of 3 at a stride of 2 overlaps: what falls together must not add up."""
    from onnx import helper

    window = {"kernel_shape": [kernel, kernel], "strides": [2, 2]}
    nodes = [
        helper.make_node("MaxPool", ["x"], ["y", "i"], **window),
        helper.make_node("MaxUnpool", ["y", "i"], ["z"], **window),
    ]
    x = _random((2, 3, 9 + kernel % 2 - 1, 11 + kernel % 2 - 1))
    check(model(nodes, {"x": x}, ["z"], {}), {"x": x}, tolerance=0.0)


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pools_over_the_whole_image(kind: str, rank: int) -> None:
    from onnx import helper

    x = _random(SHAPES[rank])
    check(model([helper.make_node(kind, ["x"], ["y"])], {"x": x}, ["y"], {}), {"x": x})


def test_the_ops_do_not_depend_on_equal_extents() -> None:
    from onnx import helper

    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], dilations=[2, 2])
    kinds = []
    for shape in ((6, 7, 8, 9), (8, 8, 8, 9), (8, 8, 8, 8)):
        x = _random(shape)
        lowered = check(model([node], {"x": x}, ["y"], {}), {"x": x})
        kinds.append([op.kind for op in lowered.graph.ops])
    assert kinds[0] == kinds[1] == kinds[2]


@pytest.mark.parametrize("shape", [[3, 4], [4, 1, 3, 1]])
def test_a_clamp_without_zero_behind_a_reshaped_pool(shape: list[int]) -> None:
    """An engine looks for the window through the reshape."""
    from onnx import helper

    feeds = {"x": np.random.default_rng(0).random((1, 3, 4, 4)).astype(np.float32)}
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["p", "shape"], ["r"]),
        helper.make_node("Max", ["r", "least"], ["y"]),
    ]
    check(model(nodes, feeds, ["y"], {"shape": np.array(shape), "least": np.array(0.25, np.float32)}), feeds)


def test_a_clamp_without_zero_behind_a_factor_of_one_channel() -> None:
    """A convolution of 1 by 1 from one channel is no product of matrices to an engine."""
    from onnx import helper

    feeds = {"x": np.random.default_rng(0).random((1, 1, 2, 3)).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Max", ["c", "least"], ["y"])]
    weights = {"w": np.full((1, 1, 1, 1), 1.5, np.float32), "least": np.array(0.125, np.float32)}
    check(model(nodes, feeds, ["y"], weights), feeds)
