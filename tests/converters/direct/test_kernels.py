"""Dtypes and ranks that the engine has no kernel for come out right, and long integers stay exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.lower.direct.bounds import Bounds
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from tests.converters.direct.compare import check, lowered, model, run

pytestmark = pytest.mark.onnx
RNG = np.random.default_rng(1)
_COMPUTE: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Add": np.add,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Relu": lambda x: np.maximum(x, 0),
    "Sign": np.sign,
    "Sub": np.subtract,
}
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def _integers(dtype: str, shape: tuple[int, ...]) -> Any:
    """The whole range of the dtype, its ends included."""
    info = np.iinfo(dtype)
    bits = np.frombuffer(RNG.bytes(int(np.prod(shape)) * info.bits // 8), dtype).reshape(shape).copy()
    bits.flat[:2] = info.min, info.max
    return bits


def _node(op: str, *inputs: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, list(inputs), ["y"], **attributes)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Max", "Min"])
def test_arithmetic_wraps_round_in_every_integer(op: str, dtype: str) -> None:
    feeds = {"a": _integers(dtype, (3, 4)), "b": _integers(dtype, (4,))}
    proto = model([_node(op, "a", "b")], feeds, ["y"], {})
    (result,) = run(lowered(proto, feeds), feeds)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, _COMPUTE[op](feeds["a"], feeds["b"]))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("op", ["Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"])
def test_every_integer_is_compared(op: str, dtype: str) -> None:
    feeds = {"a": _integers(dtype, (3, 4)), "b": _integers(dtype, (3, 4))}
    feeds["b"][0] = feeds["a"][0]
    (result,) = run(lowered(model([_node(op, "a", "b")], feeds, ["y"], {}), feeds), feeds)
    np.testing.assert_array_equal(result, _COMPUTE[op](feeds["a"], feeds["b"]))


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint32", "int64"])
def test_division_of_integers_is_cut_towards_zero(dtype: str) -> None:
    feeds = {"a": _integers(dtype, (64,)), "b": _integers(dtype, (64,))}
    feeds["b"][::2] = RNG.integers(1, 100, 32)
    feeds["b"][feeds["b"] == 0] = 7
    (result,) = run(lowered(model([_node("Div", "a", "b")], feeds, ["y"], {}), feeds), feeds)
    exact = [
        abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(*feeds.values(), strict=True)
    ]
    np.testing.assert_array_equal(result, np.array(exact).astype(dtype))


def test_long_quotients_are_exact_at_the_ends() -> None:
    """Where float32, and float64, would round."""
    a = np.array([2**63 - 1, -(2**63), 2**62 + 1, -(2**53) - 1, 999_999_999_999_999_999, -7, 7], np.int64)
    for b in (1, 3, -3, 2**31 + 1, 10**9 + 7, 2):
        feeds = {"a": a, "b": np.array([b], np.int64)}
        (result,) = run(lowered(model([_node("Div", "a", "b")], feeds, ["y"], {}), feeds), feeds)
        want = [abs(int(x)) // abs(b) * (1 if (x < 0) == (b < 0) else -1) for x in a]
        np.testing.assert_array_equal(result, np.array(want, np.int64))


@pytest.mark.parametrize("op", ["Abs", "Neg", "Sign", "Relu"])
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_one_operand(op: str, dtype: str) -> None:
    x = _integers(dtype, (10,))
    x[0] += 1
    x[3] = 0
    (result,) = run(lowered(model([_node(op, "x")], {"x": x}, ["y"], {}), {"x": x}), {"x": x})
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, _COMPUTE[op](x))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("dtype", ["int16", "int64"])
def test_the_first_extreme_of_long_integers(op: str, dtype: str) -> None:
    x = RNG.integers(0, 3, (4, 9)).astype(dtype)
    check(model([_node(op, "x", axis=1)], {"x": x.astype(np.int32)}, ["y"], {}), {"x": x.astype(np.int32)})
    (result,) = run(lowered(model([_node(op, "x", axis=1)], {"x": x}, ["y"], {}), {"x": x}), {"x": x})
    np.testing.assert_array_equal(result, getattr(x, op.lower())(1)[:, None])


@pytest.mark.parametrize("exponent", [0, 1, 2, 5])
def test_powers_of_integers(exponent: int) -> None:
    x = {"x": RNG.integers(-9, 9, (12,))}
    check(model([_node("Pow", "x", "e")], x, ["y"], {"e": np.array(exponent, np.int64)}), x)
    both = {**x, "e": np.full(12, exponent, np.int64)}
    check(model([_node("Pow", "x", "e")], both, ["y"], {}), both)


@pytest.mark.parametrize("op", ["Add", "Less", "Mod", "Pow", "Max"])
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 2, 3, 2), (2, 3, 1, 3, 2)),
        ((2, 3, 2, 3, 2), (3, 2)),
        ((2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2)),
        ((2, 2, 2, 2, 2, 2, 2), (2, 2)),
        ((2, 2, 2, 2, 2), ()),
    ],
)
def test_broadcasting_of_many_axes(op: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    feeds = {name: RNG.uniform(0.5, 3, shape).astype(np.float32) for name, shape in zip("ab", shapes, strict=True)}
    attributes = {"fmod": 1} if op == "Mod" else {}
    check(model([_node(op, "a", "b", **attributes)], feeds, ["y"], {}), feeds)


def test_tensors_without_elements_are_known() -> None:
    from edge_sdk.errors import UnsupportedOpError

    x = {"x": np.ones((2, 3), np.float32), "e": np.ones((0, 3), np.float32)}
    check(model([_node("Concat", "x", "e", axis=0)], x, ["y"], {}), x)
    check(model([_node("ReduceSum", "e", keepdims=0)], {"e": x["e"]}, ["y"], {}), {"e": x["e"]})
    with pytest.raises(UnsupportedOpError, match="no elements"):
        lowered(model([_node("Neg", "e")], {"e": x["e"]}, ["y"], {}), {"e": x["e"]})


def test_numbers_beside_seven_axes() -> None:
    x = {"x": RNG.integers(-9, 9, (2, 2, 3, 2, 2, 2, 2)).astype(np.int32)}
    for op in ("Add", "Mul", "Max", "Less"):
        check(model([_node(op, "x", "k")], x, ["y"], {"k": np.array(3, np.int32)}), x)


def test_moves_of_many_axes() -> None:
    x = {"x": RNG.standard_normal((2, 3, 2, 2, 3, 2, 2)).astype(np.float32)}
    check(model([_node("Transpose", "x", perm=[6, 0, 1, 5, 2, 3, 4])], x, ["y"], {}), x)
    check(model([_node("Transpose", "x", perm=[6, 4, 2, 0, 5, 3, 1])], x, ["y"], {}), x)
    check(model([_node("Concat", "x", "x", axis=4)], x, ["y"], {}), x)
    check(model([_node("ReduceSum", "x", "axes")], x, ["y"], {"axes": np.array([1, 5])}), x)
    check(model([_node("Softmax", "x", axis=-1)], x, ["y"], {}), x)
    pads = np.zeros(14, np.int64)
    pads[[1, 4, 12]] = 1, 2, 1
    check(model([_node("Pad", "x", "pads")], x, ["y"], {"pads": pads}), x)


def test_borders_of_a_number_that_only_the_running_file_knows() -> None:
    x = {"x": RNG.standard_normal((2, 3)).astype(np.float32), "v": np.array(1.5, np.float32)}
    check(model([_node("Pad", "x", "pads", "v")], x, ["y"], {"pads": np.array([1, 0, 0, 2])}), x)


@pytest.mark.parametrize("step", [1, -1, 2])
def test_slices_of_many_axes(step: int) -> None:
    x = {"x": RNG.standard_normal((2, 3, 2, 2, 4, 2, 2)).astype(np.float32)}
    rows = {"starts": [1, 0 if step > 0 else 3], "ends": [3, 3 if step > 0 else -9], "axes": [1, 4], "steps": [1, step]}
    weights = {name: np.array(numbers, np.int64) for name, numbers in rows.items()}
    check(model([_node("Slice", "x", *weights)], x, ["y"], weights), x)


def test_bounds_follow_the_ops_and_forget_what_wraps() -> None:
    builder = Builder()
    x = Tensor("x", (4, 5), "float32")
    place = builder.emit("ARG_MAX", [x, builder.constant(1, "int32")], (4,), "int32", output_type="int32")
    assert builder.bounds.of(place) == (0, 4)
    scaled = builder.emit("MUL", [place, builder.constant(-3, "int32")], (4,))
    assert builder.bounds.of(scaled) == (-12, 0)
    lifted = builder.emit("ADD", [scaled, builder.constant(100, "int32")], (4,))
    assert builder.bounds.of(builder.cast(lifted, "int8")) == (88, 100)
    wrapped = builder.emit("MUL", [lifted, builder.constant(10**9, "int32")], (4,))
    assert builder.bounds.of(wrapped) == (-(2**31), 2**31 - 1)
    remainder = builder.emit("FLOOR_MOD", [wrapped, builder.constant(-8, "int32")], (4,))
    assert builder.bounds.of(remainder) == (-7, 0)
    assert Bounds().of(Tensor("unknown", (1,), "uint8")) == (0, 255)
