"""Bits, running sums, einsum, angles and the error function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import check, lowered, model, run

pytestmark = pytest.mark.onnx
RNG = np.random.default_rng(3)
FLOAT = np.float32
WIDTHS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def _node(op: str, *inputs: str, output: str = "y", **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, list(inputs), [output], **attributes)


def _bits(dtype: str, shape: tuple[int, ...]) -> Any:
    return np.frombuffer(RNG.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape)


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_bits_of_two(op: str, dtype: str) -> None:
    feeds = {"a": _bits(dtype, (7, 33)), "b": _bits(dtype, (33,))}
    compute: Any = {"And": np.bitwise_and, "Or": np.bitwise_or, "Xor": np.bitwise_xor}[op]
    (result,) = run(lowered(model([_node(f"Bitwise{op}", "a", "b")], feeds, ["y"], {}), feeds), feeds)
    np.testing.assert_array_equal(result, compute(feeds["a"], feeds["b"]))


@pytest.mark.parametrize("dtype", WIDTHS)
def test_bits_turned_over(dtype: str) -> None:
    feeds = {"a": _bits(dtype, (50,))}
    (result,) = run(lowered(model([_node("BitwiseNot", "a")], feeds, ["y"], {}), feeds), feeds)
    np.testing.assert_array_equal(result, ~feeds["a"])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
def test_shifts_of_every_count(dtype: str, direction: str, known: bool) -> None:
    width = np.iinfo(dtype).bits
    counts = np.arange(width, dtype=dtype)
    a = _bits(dtype, (width,))
    feeds, weights = ({"a": a}, {"b": counts}) if known else ({"a": a, "b": counts}, {})
    compute = np.left_shift if direction == "LEFT" else np.right_shift
    proto = model([_node("BitShift", "a", "b", direction=direction)], feeds, ["y"], weights)
    (result,) = run(lowered(proto, feeds), feeds)
    np.testing.assert_array_equal(result, compute(a, counts))


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("axis", [0, -2, 2])
def test_running_sums(axis: int, reverse: int, exclusive: int, dtype: str) -> None:
    x = {"x": RNG.integers(-5, 5, (3, 3, 4)).astype(dtype)}
    node = _node("CumSum", "x", "axis", exclusive=exclusive, reverse=reverse)
    check(model([node], x, ["y"], {"axis": np.array(axis)}), x)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("axis", [0, -1])
def test_running_products(axis: int, reverse: int, exclusive: int) -> None:
    x = {"x": RNG.uniform(0.5, 1.5, (5, 7)).astype(FLOAT)}
    node = _node("CumProd", "x", "axis", exclusive=exclusive, reverse=reverse)
    proto = model([node], x, ["y"], {"axis": np.array(axis)}, opset=26)
    (result,) = run(lowered(proto, x), x)
    turned = np.flip(x["x"], axis) if reverse else x["x"]
    if exclusive:
        turned = np.insert(np.delete(turned, -1, axis), 0, 1, axis)
    want = np.cumprod(turned.astype(np.float64), axis)
    np.testing.assert_allclose(result, np.flip(want, axis) if reverse else want, rtol=1e-6)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("known", [True, False])
def test_triangles_leave_no_infinity(upper: int, known: bool) -> None:
    x = np.full((2, 4, 4), -np.inf, FLOAT)
    for k in (-1, 0, 2):
        feeds, weights = ({"x": x}, {"k": np.array(k)}) if known else ({"x": x, "k": np.array(k)}, {})
        (result,) = run(lowered(model([_node("Trilu", "x", "k", upper=upper)], feeds, ["y"], weights), feeds), feeds)
        # Not numpy's own, which multiplies.
        mask = (np.triu if upper else np.tril)(np.ones((4, 4), bool), k)
        np.testing.assert_array_equal(result, np.where(mask, x, 0))


@pytest.mark.parametrize("axes", [(1, 0), (0, 1)])
def test_sequences_turned_round(axes: tuple[int, int]) -> None:
    time, batch = axes
    x = {"x": RNG.standard_normal((4, 4, 3)).astype(FLOAT), "n": np.array([4, 1, 2, 3])}
    check(model([_node("ReverseSequence", "x", "n", time_axis=time, batch_axis=batch)], x, ["y"], {}), x)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(4, 4), (4, 4)]),
        ("bij,bkj->bik", [(2, 4, 3), (2, 5, 3)]),
        ("bhid,bhjd->bhij", [(2, 2, 2, 2), (2, 2, 2, 2)]),
        ("ij->ji", [(3, 3)]),
        ("ii->i", [(4, 4)]),
        ("iij->j", [(4, 4, 5)]),
        ("ii", [(4, 4)]),
        ("i,j->ij", [(3,), (4,)]),
        ("ij,ij->", [(3, 4), (3, 4)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("...i->...", [(2, 3, 4)]),
        ("ba,ca", [(2, 3), (4, 3)]),
        ("nctkv,kvw->nctw", [(2, 3, 4, 3, 5), (3, 5, 5)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("ai,bi,ci->abc", [(2, 3), (3, 3), (4, 3)]),
    ],
)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    names = [f"x{i}" for i in range(len(shapes))]
    feeds = {name: RNG.standard_normal(shape).astype(FLOAT) for name, shape in zip(names, shapes, strict=True)}
    (result,) = run(lowered(model([_node("Einsum", *names, equation=equation)], feeds, ["y"], {}), feeds), feeds)
    want = np.einsum(equation, *(array.astype(np.float64) for array in feeds.values()))
    assert result.shape == want.shape
    np.testing.assert_allclose(result, want, atol=1e-5)


def test_einsum_of_integers_is_exact() -> None:
    feeds = {name: RNG.integers(-(2**20), 2**20, (3, 3)) for name in "ab"}
    (result,) = run(lowered(model([_node("Einsum", "a", "b", equation="ij,jk->ik")], feeds, ["y"], {}), feeds), feeds)
    np.testing.assert_array_equal(result, feeds["a"] @ feeds["b"])


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("shapes", [((3, 3), (3, 3)), ((2, 1, 3, 4), (5, 4, 2)), ((4,), (4, 2)), ((3, 4), (4,))])
def test_products_of_integers(shapes: tuple[tuple[int, ...], ...], dtype: str) -> None:
    feeds = {name: RNG.integers(-9999, 9999, shape).astype(dtype) for name, shape in zip("ab", shapes, strict=True)}
    check(model([_node("MatMul", "a", "b")], feeds, ["y"], {}), feeds, tolerance=0)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_determinants(n: int) -> None:
    x = {"x": RNG.standard_normal((3, n, n)).astype(FLOAT)}
    (result,) = run(lowered(model([_node("Det", "x")], x, ["y"], {}), x), x)
    np.testing.assert_allclose(result, np.linalg.det(x["x"].astype(np.float64)), atol=1e-5)


_AT_ZERO = 10.0 ** -np.arange(1, 8)
_CURVES: dict[str, tuple[Any, Any]] = {
    "Acos": (np.arccos, np.linspace(-1, 1, 501)),
    "Acosh": (np.arccosh, np.concatenate([np.linspace(1, 50, 501), 1 + _AT_ZERO[:6], 1 / _AT_ZERO, [1e30]])),
    "Asin": (np.arcsin, np.concatenate([np.linspace(-1, 1, 501), _AT_ZERO])),
    "Asinh": (np.arcsinh, np.concatenate([np.linspace(-50, 50, 501), _AT_ZERO, -1 / _AT_ZERO, [1e30]])),
    "Atan": (np.arctan, np.concatenate([np.linspace(-50, 50, 501), _AT_ZERO, [np.inf]])),
    "Atanh": (np.arctanh, np.concatenate([np.linspace(-0.999, 0.999, 501), _AT_ZERO, [1]])),
    "Cosh": (np.cosh, np.linspace(-20, 20, 501)),
    "Erf": (np.vectorize(math.erf), np.concatenate([np.linspace(-6, 6, 501), _AT_ZERO, [np.inf]])),
    "Sinh": (np.sinh, np.concatenate([np.linspace(-20, 20, 501), _AT_ZERO])),
    "Tan": (np.tan, np.linspace(-1.5, 1.5, 501)),
}


@pytest.mark.parametrize("op", _CURVES)
def test_curves_to_the_last_places(op: str) -> None:
    """16 units of the last place: a few ops of half a unit each, and the engine's exponential within 8."""
    compute, at = _CURVES[op]
    x = {"x": at.astype(FLOAT)}
    (result,) = run(lowered(model([_node(op, "x")], x, ["y"], {}), x), x)
    with np.errstate(divide="ignore"):
        want = compute(x["x"].astype(np.float64))
    np.testing.assert_allclose(result, want, rtol=16 * float(np.finfo(FLOAT).eps), atol=1e-37)


@pytest.mark.parametrize("order", ["half first", "half last", "half inside"])
def test_gelu_in_parts_is_one_op(order: str) -> None:
    weights = {"half": np.array(0.5, FLOAT), "one": np.array(1, FLOAT), "root": np.array(2**0.5, FLOAT)}
    curve = [_node("Div", "x", "root", output="a"), _node("Erf", "a", output="b"), _node("Add", "b", "one", output="c")]
    ends = {
        "half first": [_node("Mul", "x", "half", output="d"), _node("Mul", "d", "c")],
        "half last": [_node("Mul", "x", "c", output="d"), _node("Mul", "d", "half")],
        "half inside": [_node("Mul", "c", "half", output="d"), _node("Mul", "x", "d")],
    }
    x = {"x": RNG.standard_normal((3, 5)).astype(FLOAT)}
    graph = check(model([*curve, *ends[order]], x, ["y"], weights), x)
    assert [op.kind for op in graph.graph.ops] == ["GELU"]


def test_approximate_gelu_in_parts_is_one_op() -> None:
    numbers = {"half": 0.5, "one": 1, "three": 3, "cube": 0.044715, "factor": (2 / math.pi) ** 0.5}
    weights = {name: np.array(number, FLOAT) for name, number in numbers.items()}
    nodes = [
        _node("Pow", "x", "three", output="a"),
        _node("Mul", "a", "cube", output="b"),
        _node("Add", "x", "b", output="c"),
        _node("Mul", "c", "factor", output="d"),
        _node("Tanh", "d", output="e"),
        _node("Add", "e", "one", output="f"),
        _node("Mul", "x", "half", output="g"),
        _node("Mul", "g", "f"),
    ]
    x = {"x": RNG.standard_normal((3, 5)).astype(FLOAT)}
    (op,) = check(model(nodes, x, ["y"], weights), x).graph.ops
    assert (op.kind, op.options["approximate"]) == ("GELU", True)


def test_another_curve_is_no_gelu() -> None:
    weights = {"half": np.array(0.5, FLOAT), "one": np.array(1, FLOAT), "root": np.array(1.5, FLOAT)}
    nodes = [_node("Div", "x", "root", output="a"), _node("Erf", "a", output="b"), _node("Add", "b", "one", output="c")]
    x = {"x": RNG.standard_normal((3, 5)).astype(FLOAT)}
    whole = [*nodes, _node("Mul", "x", "half", output="d"), _node("Mul", "d", "c")]
    assert "GELU" not in [op.kind for op in check(model(whole, x, ["y"], weights), x).graph.ops]


def test_what_depends_on_data_says_so_and_a_way_out() -> None:
    x = {"x": np.ones((2, 3), FLOAT)}
    with pytest.raises(UnsupportedOpError, match=r"Unique at `y`: how many elements .* depends on data.*mask"):
        lowered(model([_node("Unique", "x")], x, ["y"], {}), x)


def test_a_known_mask_is_a_list_of_indices() -> None:
    x = {"x": RNG.standard_normal((3, 4)).astype(FLOAT)}
    check(model([_node("Compress", "x", "m", axis=1)], x, ["y"], {"m": np.array([True, False, True, True])}), x)
    check(model([_node("Compress", "x", "m")], x, ["y"], {"m": np.array([True, False, True, True])}), x)


@pytest.mark.parametrize(
    ("shapes", "known", "kinds"),
    [
        # Beyond three batch axes they are one; one matrix for all is read by rows, and a known one is a dense layer.
        ([(2, 3, 2, 2, 4, 5), (2, 3, 2, 2, 5, 3)], 0, ["RESHAPE", "RESHAPE", "BATCH_MATMUL", "RESHAPE"]),
        ([(2, 3, 2, 2, 2, 4, 5), (5, 3)], 0, ["RESHAPE", "BATCH_MATMUL", "RESHAPE"]),
        ([(2, 3, 2, 2, 2, 4, 5), (1, 1, 1, 1, 1, 5, 3)], 0, ["RESHAPE", "RESHAPE", "BATCH_MATMUL", "RESHAPE"]),
        ([(2, 3, 2, 2, 2, 4, 5), (5, 3)], 1, ["RESHAPE", "FULLY_CONNECTED", "RESHAPE"]),
    ],
)
def test_products_of_high_ranks(shapes: list[tuple[int, ...]], known: int, kinds: list[str]) -> None:
    generator = np.random.default_rng(5)
    arrays = {
        name: generator.standard_normal(shape).astype(np.float32) for name, shape in zip("ab", shapes, strict=True)
    }
    weights = {"b": arrays["b"]} if known else {}
    feeds = {name: array for name, array in arrays.items() if name not in weights}
    graph = check(model([_node("MatMul", "a", "b")], feeds, ["y"], weights), feeds)
    assert [op.kind for op in graph.graph.ops] == kinds


@pytest.mark.parametrize("equation", ["abcdefg,acbdegh->habcdef", "abcdefg,abcdefh->abcdefgh", "abcdefg,fbdecah->agch"])
def test_einsum_of_high_ranks(equation: str) -> None:
    generator = np.random.default_rng(6)
    left, right = equation.split("->", maxsplit=1)[0].split(",")
    extents = {letter: 2 + (letter in "bg") for letter in left + right}
    feeds = {
        name: generator.standard_normal([extents[letter] for letter in letters]).astype(np.float32)
        for name, letters in (("a", left), ("b", right))
    }
    check(model([_node("Einsum", "a", "b", equation=equation)], feeds, ["y"], {}), feeds)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3)])
def test_a_bound_with_more_axes_than_what_it_bounds(op: str, shape: tuple[int, ...]) -> None:
    """An engine that takes it for a clamp keeps the operand's shape, against the file's own."""
    feeds = {"x": RNG.standard_normal(shape).astype(np.float32)}
    check(model([_node(op, "b", "x")], feeds, ["y"], {"b": np.full((1, 1, 1), 0.25, np.float32)}, 11), feeds)


@pytest.mark.parametrize("slope", [(2, 1, 1, 1), (2, 3, 1, 1), (1, 3, 1, 1), (3, 4, 1)])
def test_slopes_that_differ_between_samples(slope: tuple[int, ...]) -> None:
    feeds = {"x": RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)}
    check(model([_node("PRelu", "x", "s")], feeds, ["y"], {"s": RNG.standard_normal(slope).astype(np.float32)}), feeds)
