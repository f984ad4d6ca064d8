"""A graph's structure does not depend on its sizes, and random graphs compute what ONNX says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.converters.direct.compare import Arrays, lowered, model, run

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


# --- random graphs ---------------------------------------------------------------------------------------------------

_EXTENTS = st.sampled_from([1, 2, 2, 3, 3, 4])
_UNARY = ("Relu", "Tanh", "Sigmoid", "Abs", "Neg", "Softplus")
_BINARY = ("Add", "Mul", "Sub", "Max")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Any, Arrays]:
    """A chain of ops with side branches on one input of rank 3 or 4, whose extents are often equal."""
    shape = tuple(draw(st.lists(_EXTENTS, min_size=3, max_size=4)))
    chain = _Chain(draw, shape)
    for _ in range(draw(st.integers(2, 7))):
        chain.step()
    x = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape).astype(np.float32)
    return chain.finished(x), {"x": x}


class _Chain:
    """Nodes in the making; ``values`` are all names so far with their shapes."""

    def __init__(self, draw: Any, shape: tuple[int, ...]) -> None:
        self._draw = draw
        self.values: list[tuple[str, tuple[int, ...]]] = [("x", shape)]
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def step(self) -> None:
        kinds = [self._unary, self._binary, self._turned, self._reshaped, self._reduced, self._softmax]
        kinds += [self._joined, self._product]
        kinds += [self._convolved, self._convolved] if len(self.values[-1][1]) == 4 else []
        self._draw(st.sampled_from(kinds))()

    def finished(self, x: Any) -> Any:
        """The last value is the output, and the one before it where it is not the input."""
        names = list(dict.fromkeys(name for name, _ in self.values[-2:] if name != "x"))
        return model(self.nodes, {"x": x}, names, self.weights)

    def _add(self, op: str, inputs: str, shape: tuple[int, ...], **attributes: Any) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(_node(op, inputs, name, **attributes))
        self.values.append((name, shape))

    def _weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        seed = self._draw(st.integers(0, 99))
        self.weights[name] = (np.random.default_rng(seed).standard_normal(shape) / 2).astype(np.float32)
        return name

    def _numbers(self, *numbers: int) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.array(numbers, np.int64)
        return name

    def _unary(self) -> None:
        name, shape = self.values[-1]
        self._add(self._draw(st.sampled_from(_UNARY)), name, shape)

    def _binary(self) -> None:
        """With an earlier value that broadcasts, or with a constant."""
        name, shape = self.values[-1]
        fits = [(other, its) for other, its in self.values[:-1] if _broadcast(shape, its) is not None]
        other, its = self._draw(st.sampled_from(fits)) if fits and self._draw(st.booleans()) else (None, shape[-1:])
        op = self._draw(st.sampled_from(_BINARY))
        self._add(op, f"{name} {other or self._weight(*its)}", _broadcast(shape, its) or shape)

    def _turned(self) -> None:
        name, shape = self.values[-1]
        order = self._draw(st.permutations(range(len(shape))))
        self._add("Transpose", name, tuple(shape[axis] for axis in order), perm=list(order))

    def _reshaped(self) -> None:
        """Two neighbours as one, or one as two."""
        name, shape = self.values[-1]
        place = self._draw(st.integers(0, len(shape) - 2))
        if len(shape) > 3:
            made = (*shape[:place], shape[place] * shape[place + 1], *shape[place + 2 :])
        else:
            parts = (2, shape[place] // 2) if shape[place] % 2 == 0 else (1, shape[place])
            made = (*shape[:place], *parts, *shape[place + 1 :])
        self._add("Reshape", f"{name} {self._numbers(*made)}", made)

    def _reduced(self) -> None:
        name, shape = self.values[-1]
        axis = self._draw(st.integers(0, len(shape) - 1))
        op = self._draw(st.sampled_from(["ReduceMean", "ReduceMax", "ReduceSum"]))
        made = tuple(1 if i == axis else size for i, size in enumerate(shape))
        self._add(op, f"{name} {self._numbers(axis)}", made, keepdims=1)

    def _softmax(self) -> None:
        name, shape = self.values[-1]
        self._add("Softmax", name, shape, axis=self._draw(st.integers(-len(shape), len(shape) - 1)))

    def _joined(self) -> None:
        name, shape = self.values[-1]
        axis = self._draw(st.integers(0, len(shape) - 1))
        fits = [o for o, its in self.values if len(its) == len(shape) and _without(its, axis) == _without(shape, axis)]
        other = self._draw(st.sampled_from(fits))
        its = dict(self.values)[other]
        made = tuple(size + its[axis] if i == axis else size for i, size in enumerate(shape))
        self._add("Concat", f"{name} {other}", made, axis=axis)

    def _product(self) -> None:
        """With a constant matrix, or with a value of the chain turned over."""
        name, shape = self.values[-1]
        if self._draw(st.booleans()):
            wide = self._draw(_EXTENTS)
            self._add("MatMul", f"{name} {self._weight(shape[-1], wide)}", (*shape[:-1], wide))
            return
        turned = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
        self._add("Transpose", name, (*shape[:-2], shape[-1], shape[-2]), perm=list(turned))
        self._add("MatMul", f"{name} {self.values[-1][0]}", (*shape[:-1], shape[-2]))

    def _convolved(self) -> None:
        name, (batch, channels, *image) = self.values[-1]
        out, kernel = self._draw(_EXTENTS), self._draw(st.sampled_from([1, 3]))
        pads = [kernel // 2] * 4
        weight = self._weight(out, channels, kernel, kernel)
        self._add("Conv", f"{name} {weight} {self._weight(out)}", (batch, out, *image), pads=pads)


def _broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(one, other))
    except ValueError:
        return None


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _check(case: tuple[Any, Arrays]) -> None:
    from onnx.reference import ReferenceEvaluator

    proto, feeds = case
    wants = ReferenceEvaluator(proto).run(None, dict(feeds))
    for layout in ("nhwc", "source"):
        for got, want in zip(run(lowered(proto, feeds, layout), feeds), wants, strict=True):
            assert got.shape == want.shape
            # Seven ops, each a sum of at most 64 products in float32; products of sums grow with their largest number.
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * max(1.0, float(np.abs(want).max())))


_QUICK: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=50, **_QUICK)
@given(graphs())
def test_random_graphs(case: tuple[Any, Arrays]) -> None:
    _check(case)


@pytest.mark.slow
@settings(max_examples=3000, **_QUICK)
@given(graphs())
def test_thousands_of_random_graphs(case: tuple[Any, Arrays]) -> None:
    _check(case)
