"""A graph's structure does not depend on its sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import Arrays, lowered, model

pytestmark = pytest.mark.onnx
_RNG = np.random.default_rng(0)


def _weights(*shape: int) -> Any:
    return (_RNG.standard_normal(shape) / 3).astype(np.float32)


def _node(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, inputs.split(), [output], **attributes)


Made = tuple[list[Any], Arrays]


def _image(c: int, h: int, w: int) -> Made:
    """A convolution, a residual, a channel-wise softmax, and a pool that is flattened into a dense layer."""
    nodes = [
        _node("Conv", "x k b", "c", pads=[1, 1, 1, 1]),
        _node("Relu", "c", "r"),
        _node("Add", "r x", "a"),
        _node("Transpose", "a", "t", perm=[0, 2, 3, 1]),
        _node("Mul", "t g", "m"),
        _node("Transpose", "m", "u", perm=[0, 3, 1, 2]),
        _node("ReduceMean", "u axes", "p", keepdims=0),
        _node("Gemm", "p d", "y"),
    ]
    weights = {"k": _weights(c, c, 3, 3), "b": _weights(c), "g": _weights(c), "d": _weights(c, 7)}
    return nodes, {**weights, "axes": np.array([2, 3], np.int64)}


def _attention(c: int, h: int, w: int) -> Made:
    """Positions as a sequence, a product of all pairs, and back."""
    nodes = [
        _node("Conv", "x k b", "c", pads=[1, 1, 1, 1]),
        _node("Reshape", "c flat", "f"),
        _node("Transpose", "f", "t", perm=[0, 2, 1]),
        _node("MatMul", "t f", "s"),
        _node("Softmax", "s", "q", axis=-1),
        _node("MatMul", "q t", "o"),
        _node("Transpose", "o", "v", perm=[0, 2, 1]),
        _node("Reshape", "v whole", "z"),
        _node("Add", "z c", "y"),
    ]
    weights = {"k": _weights(c, c, 3, 3), "b": _weights(c)}
    return nodes, {**weights, "flat": np.array([1, c, h * w], np.int64), "whole": np.array([1, c, h, w], np.int64)}


def _split(c: int, h: int, w: int) -> Made:
    """Parts along the channels, cut along a row, joined again."""
    nodes = [
        _node("Conv", "x k b", "c"),
        _node("Slice", "c zero two one", "p"),
        _node("Slice", "c two end one", "q"),
        _node("Concat", "q p", "j", axis=1),
        _node("ReduceMax", "j axes", "y", keepdims=1),
    ]
    numbers = {"zero": [0], "two": [1], "end": [c], "one": [1], "axes": [3]}
    return nodes, {
        "k": _weights(c, c, 1, 1),
        "b": _weights(c),
        **{name: np.array(value, np.int64) for name, value in numbers.items()},
    }


SIZES = {
    "distinct": (4, 6, 5),
    "height is width": (4, 6, 6),
    "channels are height": (6, 6, 5),
    "channels are width": (5, 6, 5),
    "all equal": (6, 6, 6),
}


@pytest.mark.parametrize("layout", ["nhwc", "source"])
@pytest.mark.parametrize("make", [_image, _attention, _split], ids=lambda make: make.__name__[1:])
def test_ops_do_not_depend_on_sizes(make: Callable[[int, int, int], Made], layout: str) -> None:
    kinds = {}
    for name, (c, h, w) in SIZES.items():
        nodes, weights = make(c, h, w)
        x = np.zeros((1, c, h, w), np.float32)
        graph = lowered(model(nodes, {"x": x}, ["y"], weights), {"x": x}, layout)
        kinds[name] = [op.kind for op in graph.graph.ops]
    assert len({tuple(found) for found in kinds.values()}) == 1, kinds
