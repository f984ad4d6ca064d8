"""Convolutions over one to three axes, in groups or not, with weights that are known or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, lowered, model, run

pytestmark = pytest.mark.onnx
SHAPES = {1: (2, 6, 13), 2: (2, 6, 9, 12), 3: (2, 6, 7, 9, 8)}
GROUPS = {"one": (1, 4), "two": (2, 4), "depthwise": (6, 6), "multiplier": (6, 12)}
WINDOWS: list[dict[str, Any]] = [
    {},
    {"strides": 2, "pads": 1},
    {"dilations": 2, "pads": 2},
    {"strides": 2, "auto_pad": "SAME_UPPER"},
    {"strides": 3, "auto_pad": "SAME_LOWER"},
    {"strides": 5, "auto_pad": "SAME_UPPER"},
    {"strides": 6, "auto_pad": "SAME_LOWER"},
]


def _random(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _conv(
    rank: int, kernel: tuple[int, ...], groups: tuple[int, int], window: dict[str, Any], *, known: bool = True
) -> tuple[Any, Any]:
    from onnx import helper

    group, out = groups
    attributes: dict[str, Any] = {"group": group}
    for name, count in (("strides", 1), ("dilations", 1), ("pads", 2)):
        if name in window:
            attributes[name] = [window[name]] * rank * count
    attributes |= {name: window[name] for name in ("auto_pad",) if name in window}
    weights = {"w": _random((out, 6 // group, *kernel), 1), "b": _random((out,), 2)}
    feeds = {"x": _random(SHAPES[rank])}
    if not known:
        feeds, weights = feeds | weights, {}
    return model([helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)], feeds, ["y"], weights), feeds


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_windows(rank: int, groups: str, window: dict[str, Any], *, known: bool) -> None:
    check(*_conv(rank, (3,) * rank, GROUPS[groups], window, known=known))


@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 1, 1), (1, 1, 1), (2, 3, 4)])
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("window", [{}, {"strides": 2}, {"pads": 1}], ids=str)
def test_kernels_of_volumes(window: dict[str, Any], groups: str, kernel: tuple[int, ...]) -> None:
    check(*_conv(3, kernel, GROUPS[groups], window))


@pytest.mark.parametrize("kernel", [(3, 1, 1), (1, 3, 3), (1, 1, 1)])
def test_what_is_no_kernel_over_volumes_is_a_convolution_of_images(kernel: tuple[int, ...]) -> None:
    graph = check(*_conv(3, kernel, (1, 4), {}))
    moves = {"RESHAPE", "TRANSPOSE"}
    assert [op.kind for op in graph.graph.ops if op.kind not in moves] == ["CONV_2D"]


@pytest.mark.parametrize("size", [3, 4, 5])
def test_local_response(size: int) -> None:
    """By hand: ONNX Runtime refuses even sizes, the evaluator takes the batch for channels; bound as in `check`."""
    from onnx import helper

    x = _random((2, 7, 3, 4))
    node = helper.make_node("LRN", ["x"], ["y"], size=size, alpha=0.5, beta=0.75, bias=1.5)
    proto = model([node], {"x": x}, ["y"], {})
    padded = np.pad(x**2, ((0, 0), ((size - 1) // 2, size // 2), (0, 0), (0, 0)))
    sums = np.stack([padded[:, c : c + size].sum(1) for c in range(7)], 1)
    want = x / (1.5 + 0.5 / size * sums) ** 0.75
    (found,) = run(lowered(proto, {"x": x}), {"x": x})
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("how", [{}, {"strides": [2, 2]}, {"dilations": [2, 1], "pads": [1, 0, 2, 1]}], ids=str)
def test_columns_laid_over_each_other(how: dict[str, Any]) -> None:
    from onnx import helper

    pads, strides, dilations = (
        how.get(n, d) for n, d in (("pads", [0] * 4), ("strides", [1, 1]), ("dilations", [1, 1]))
    )
    image, block = (9, 8), (3, 2)
    windows = [(image[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in (0, 1)]
    x = _random((2, 3 * 6, int(np.prod(windows))))
    node = helper.make_node("Col2Im", ["x", "i", "b"], ["y"], **how)
    check(model([node], {"x": x}, ["y"], {"i": np.array(image), "b": np.array(block)}), {"x": x})


@pytest.mark.parametrize("shape", [[3, 9], [7, 4], [4, 8]])
def test_cut_or_widened_round_the_middle(shape: list[int]) -> None:
    from onnx import helper

    x = _random((2, 3, 6, 7))
    node = helper.make_node("CenterCropPad", ["x", "s"], ["y"], axes=[-2, 3])
    check(model([node], {"x": x}, ["y"], {"s": np.array(shape)}), {"x": x}, tolerance=0.0)
