"""Forms for activations of 16 bits and for files without any float: the same numbers, in ops that have kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.quantize.forms.integer_forms import with_integer_forms
from edge_sdk.errors import ConversionError
from edge_sdk.recipe import KeepFloat, find_recipe
from edge_sdk.runtime import Runner
from tests.graphs import Graph, options

SHAPE, ROWS = (1, 6, 8), (1, 6, 1)
INT16, WHOLE = (find_recipe(name) for name in ("int16x8", "int8_only"))
# A few roundings of float32 (6e-8 each) of values up to 50.
CLOSE = 1e-5


def summed(*, keep_dims: bool = True) -> bytes:
    """Sums of squares along the last axis, eight of them."""
    graph = Graph()
    x = graph.tensor("x", SHAPE)
    squares = graph.tensor("squares", SHAPE)
    graph.op("MUL", (x, x), (squares,), options("MulOptions"))
    axes = graph.constant("axes", np.array([-1], np.int32))
    y = graph.tensor("y", ROWS if keep_dims else ROWS[:-1])
    graph.op("SUM", (squares, axes), (y,), options("ReducerOptions", keep_dims=keep_dims))
    return graph.finish((x,), (y,))


def sloped(*slopes: float) -> bytes:
    """PRELU, its slopes in turn over eight channels."""
    graph = Graph()
    x, y = graph.tensor("x", SHAPE), graph.tensor("y", SHAPE)
    stored = np.resize(np.array(slopes, np.float32), 8)
    graph.op("PRELU", (x, graph.constant("slopes", stored)), (y,))
    return graph.finish((x,), (y,))


def normalized(least: float | None, *, read: bool = False) -> bytes:
    """``x / max(sqrt(sum(x * x)), least)``, and the root as a second output where that is read too."""
    graph = Graph()
    x, squares, y = (graph.tensor(name, SHAPE) for name in ("x", "squares", "y"))
    total, root, clamped = (graph.tensor(name, ROWS) for name in ("total", "root", "clamped"))
    graph.op("MUL", (x, x), (squares,), options("MulOptions"))
    axes = graph.constant("axes", np.array([2], np.int32))
    graph.op("SUM", (squares, axes), (total,), options("ReducerOptions", keep_dims=True))
    graph.op("SQRT", (total,), (root,))
    divisor = root
    if least is not None:
        number = graph.constant("least", np.array(least, np.float32))
        graph.op("MAXIMUM", (root, number), (clamped,))
        divisor = clamped
    graph.op("DIV", (x, divisor), (y,), options("DivOptions"))
    return graph.finish((x,), (y, root) if read else (y,))


@pytest.mark.runtime
@pytest.mark.parametrize(
    ("build", "recipe", "expected"),
    [
        (summed, "int16x8", ["MUL", "MEAN", "MUL"]),
        (lambda: summed(keep_dims=False), "int16x8", ["MUL", "MEAN", "MUL"]),
        (summed, "int8", ["MUL", "SUM"]),
        (lambda: sloped(0.25, 0.0, 1.0), "int16x8", ["MUL", "MAXIMUM"]),
        (lambda: sloped(0.25, -0.5), "int16x8", ["RELU", "SUB", "MUL", "ADD"]),
        (lambda: sloped(0.25, 1.5), "static_wi4_ai16", ["RELU", "SUB", "MUL", "ADD"]),
        (lambda: sloped(0.25), "int8", ["PRELU"]),
        (lambda: normalized(None), "int8_only", ["MUL", "SUM", "RSQRT", "MUL"]),
        (lambda: normalized(2.5), "int8_only", ["MUL", "SUM", "MAXIMUM", "RSQRT", "MUL"]),
        (lambda: normalized(1e-12, read=True), "int8_only", ["MUL", "SUM", "SQRT", "MAXIMUM", "RSQRT", "MUL"]),
        # Its square is no float32.
        (lambda: normalized(1e-30), "int8_only", ["MUL", "SUM", "SQRT", "MAXIMUM", "DIV"]),
        (lambda: normalized(None), "int8", ["MUL", "SUM", "SQRT", "DIV"]),
    ],
)
def test_other_ops_give_the_same_numbers(
    tmp_path: Path, build: Callable[[], bytes], recipe: str, expected: list[str]
) -> None:
    before, after = build(), with_integer_forms(build(), find_recipe(recipe))
    assert [op.name for op in parse_artifact(after).main.ops] == expected
    results = []
    for name, data in (("before", before), ("after", after)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        x = np.random.default_rng(1).normal(0, 2, SHAPE).astype(np.float32)
        results.append(Runner(path).run({"x": x}))
    assert list(results[0]) == list(results[1])
    for name, values in results[0].items():
        np.testing.assert_allclose(results[1][name], values, rtol=CLOSE, atol=CLOSE)
        assert values.std() > 0.1


@pytest.mark.parametrize(("build", "kind"), [(summed, "SUM"), (lambda: normalized(None), "SQRT")])
def test_what_is_kept_in_float_keeps_its_form(build: Callable[[], bytes], kind: str) -> None:
    for recipe in (INT16, WHOLE):
        kept = replace(recipe, keep_float=KeepFloat((f"^{kind}$",)))
        assert kind in [op.name for op in parse_artifact(with_integer_forms(build(), kept)).main.ops]


@pytest.mark.keras
@pytest.mark.parametrize(
    ("build", "recipe", "decibels"),
    [
        # 16 bits at three places; the sum ended at the largest of its terms before, at 3 dB.
        (summed, "int16x8", 60.0),
        (lambda: sloped(0.25, -0.5), "int16x8", 60.0),
        # 8 bits at the root of a row's length: 40 dB.
        (lambda: normalized(1e-12), "int8_only", 25.0),
    ],
)
def test_files_made_so_are_near_and_leave_nothing_in_float(
    tmp_path: Path, workers: Workers, build: Callable[[], bytes], recipe: str, decibels: float
) -> None:
    source = tmp_path / "source.tflite"
    source.write_bytes(build())
    samples = {"x": np.random.default_rng(0).normal(0, 1, (32, *SHAPE[1:])).astype(np.float32)}
    report = convert(
        source, tmp_path / "made.tflite", recipe=recipe, calibration=samples, timing=False, workers=workers
    )
    assert float_ops(report.artifact) == []
    assert min(row.sqnr_db for row in report.parity) > decibels


@pytest.mark.keras
def test_an_input_handed_through_is_named(tmp_path: Path, workers: Workers) -> None:
    """TensorFlow's tool left output -1, which was called a damaged file."""
    graph = Graph()
    x, y, same = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 8)), graph.tensor("same", (1, 8))
    graph.op("MUL", (x, graph.constant("two", np.array(2, np.float32))), (y,), options("MulOptions"))
    graph.op("RESHAPE", (x, graph.constant("shape", np.array([1, 8], np.int32))), (same,))
    source = tmp_path / "source.tflite"
    source.write_bytes(graph.finish((x,), (y, same)))
    samples = {"x": np.random.default_rng(0).normal(0, 1, (32, 8)).astype(np.float32)}
    with pytest.raises(ConversionError, match="output `same` is an input handed through"):
        convert(source, tmp_path / "m.tflite", recipe="int8_only", calibration=samples, timing=False, workers=workers)


@pytest.mark.keras
def test_a_constant_output_in_float_is_named(tmp_path: Path, workers: Workers) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 8))
    graph.op("MUL", (x, graph.constant("two", np.array(2, np.float32))), (y,), options("MulOptions"))
    anchors = graph.constant("anchors", np.linspace(-1, 3, 8, dtype=np.float32).reshape(1, 8))
    source = tmp_path / "source.tflite"
    source.write_bytes(graph.finish((x,), (y, anchors)))
    samples = {"x": np.random.default_rng(0).normal(0, 1, (32, 8)).astype(np.float32)}
    with pytest.raises(ConversionError, match=r"but output `anchors` \(a constant, .*\) is float"):
        convert(source, tmp_path / "m.tflite", recipe="int8_only", calibration=samples, timing=False, workers=workers)
