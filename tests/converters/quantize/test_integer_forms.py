"""Ops without an integer kernel are written in ops that have one, and compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.quantize.forms.integer_forms import with_integer_forms
from edge_sdk.recipe import KeepFloat, Recipe, find_recipe
from edge_sdk.runtime import Runner
from tests.contract import samples_for
from tests.graphs import Graph, options
from tests.store import KERAS, torch_source, write

SHAPE, STATISTICS = (1, 6, 8), (1, 6, 1)
INT8 = find_recipe("int8")
# A few roundings of float32 (6e-8 each) of values up to 10.
CLOSE = 1e-5


class Norm:
    """``x -> layer norm -> y``, in parts; the variance's squares and the affine form vary."""

    def __init__(self, *, keep_dims: bool = True) -> None:
        self.graph = Graph()
        self.keep_dims = keep_dims
        generator = np.random.default_rng(0)
        self.x = self.graph.tensor("x", SHAPE)
        self.gamma = self.graph.constant("gamma", generator.uniform(0.5, 2, 8).astype(np.float32))
        self.beta = self.graph.constant("beta", generator.standard_normal(8).astype(np.float32))
        self.axes = self.graph.constant("axes", np.array([2], np.int32))
        self.epsilon = self.graph.constant("epsilon", np.array(1e-5, np.float32))
        self.mean = self.statistic("mean", self.x)

    def op(self, kind: str, inputs: tuple[int, ...], name: str, shape: tuple[int, ...] = SHAPE, **fields: Any) -> int:
        result = self.graph.tensor(name, shape)
        known = {"ADD": "AddOptions", "MUL": "MulOptions", "SUB": "SubOptions", "DIV": "DivOptions"}
        table = options(known[kind], **fields) if kind in known else None
        self.graph.op(kind, inputs, (result,), table)
        return result

    def statistic(self, name: str, source: int) -> int:
        result = self.graph.tensor(name, STATISTICS)
        self.graph.op("MEAN", (source, self.axes), (result,), options("ReducerOptions", keep_dims=self.keep_dims))
        return result

    def factor(self, squares: int) -> int:
        variance = self.op("ADD", (self.statistic("variance", squares), self.epsilon), "stable", STATISTICS)
        return self.op("MUL", (self.op("RSQRT", (variance,), "inverse", STATISTICS), self.gamma), "s")

    def squared_difference(self) -> int:
        return self.op("SQUARED_DIFFERENCE", (self.x, self.mean), "squares")

    def difference(self) -> int:
        return self.op("SUB", (self.x, self.mean), "difference")

    def finish(self, *results: int) -> bytes:
        return self.graph.finish((self.x,), results)


def by_pytorch(**result: Any) -> bytes:
    """``x*s + (beta - mean*s)``, as onnx2tf writes a LayerNorm."""
    norm = Norm()
    s = norm.factor(norm.squared_difference())
    scaled = norm.op("MUL", (norm.x, s), "scaled")
    shift = norm.op("SUB", (norm.beta, norm.op("MUL", (norm.mean, s), "mean_s")), "shift")
    return norm.finish(norm.op("ADD", (scaled, shift), "y", **result))


def by_keras() -> bytes:
    """``x*s + ((-mean)*s + beta)``, as TFLiteConverter writes Keras' LayerNormalization."""
    norm = Norm()
    negative = norm.op("NEG", (norm.mean,), "negative", STATISTICS)
    s = norm.factor(norm.squared_difference())
    shift = norm.op("ADD", (norm.op("MUL", (negative, s), "mean_s"), norm.beta), "shift")
    return norm.finish(norm.op("ADD", (norm.op("MUL", (norm.x, s), "scaled"), shift), "y"))


def without_beta() -> bytes:
    """``x*s + (-mean)*s`` over ``SQUARE(x - mean)``, as it writes GroupNormalization."""
    norm = Norm()
    negative = norm.op("NEG", (norm.mean,), "negative", STATISTICS)
    s = norm.factor(norm.op("SQUARE", (norm.difference(),), "squares"))
    shift = norm.op("MUL", (negative, s), "mean_s")
    return norm.finish(norm.op("ADD", (norm.op("MUL", (norm.x, s), "scaled"), shift), "y"))


def late_difference() -> bytes:
    """``(x - mean)*s``, with the difference after the squares: InstanceNorm of PyTorch."""
    norm = Norm()
    s = norm.factor(norm.squared_difference())
    return norm.finish(norm.op("MUL", (norm.difference(), s), "y"))


def root_mean_square() -> bytes:
    """``x * (1 / SQRT(MEAN(x*x) + eps))``, as onnx2tf writes an RMSNorm."""
    norm = Norm()
    stable = norm.op(
        "ADD", (norm.statistic("power", norm.op("SQUARE", (norm.x,), "squares")), norm.epsilon), "stable", STATISTICS
    )
    one = norm.graph.constant("one", np.array(1, np.float32))
    inverse = norm.op("DIV", (one, norm.op("SQRT", (stable,), "root", STATISTICS)), "inverse", STATISTICS)
    return norm.finish(norm.op("MUL", (norm.x, inverse), "y"), norm.mean)


def reversed_rows() -> bytes:
    """``x`` from its last row to its first, as a bidirectional LSTM has it."""
    norm = Norm()
    axis = norm.graph.constant("axis", np.array([1], np.int32))
    return norm.finish(norm.op("REVERSE_V2", (norm.x, axis), "y"), norm.mean)


def shared(copies: int) -> bytes:
    """``x`` once for each of several heads, as keys and values of grouped attention are."""
    norm = Norm()
    shape = norm.graph.constant("shape", np.array([copies, *SHAPE[1:]], np.int32))
    y = norm.graph.tensor("y", (copies, *SHAPE[1:]))
    norm.graph.op("BROADCAST_TO", (norm.x, shape), (y,), version=2)
    return norm.finish(y, norm.mean)


def split(*sizes: int) -> bytes:
    """Unlike parts of the last axis, of which the second is an output."""
    norm = Norm()
    parts = [norm.graph.tensor(f"part{place}", (*SHAPE[:-1], size)) for place, size in enumerate(sizes)]
    counts = norm.graph.constant("sizes", np.array(sizes, np.int32))
    axis = norm.graph.constant("split_axis", np.array(2, np.int32))
    norm.graph.op("SPLIT_V", (norm.x, counts, axis), tuple(parts), options("SplitVOptions", num_splits=len(sizes)))
    return norm.finish(parts[1], norm.mean)


def padded_with(number: float, before: int, after: int) -> bytes:
    norm = Norm()
    y = norm.graph.tensor("padded", (SHAPE[0], SHAPE[1] + before + after, SHAPE[2]))
    counts = norm.graph.constant("counts", np.array([[0, 0], [before, after], [0, 0]], np.int32))
    value = norm.graph.constant("number", np.array(number, np.float32))
    norm.graph.op("PADV2", (norm.x, counts, value), (y,), options("PadV2Options"))
    return norm.finish(y, norm.mean)


def ops(artifact: Artifact) -> list[str]:
    return [op.name for op in artifact.main.ops]


AFTER = ["MEAN", "SUB", "MUL", "MEAN", "ADD", "RSQRT", "MUL", "MUL"]


@pytest.mark.runtime
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (by_pytorch, [*AFTER, "ADD"]),
        (lambda: by_pytorch(fused_activation_function=1), [*AFTER, "ADD"]),
        (by_keras, [*AFTER, "ADD"]),
        (without_beta, AFTER),
        (late_difference, AFTER),
        (reversed_rows, ["MEAN", "GATHER"]),
        (lambda: shared(2), ["MEAN", "CONCATENATION"]),
        (lambda: shared(5), ["MEAN", "CONCATENATION"]),
        (lambda: shared(7), ["MEAN", "CONCATENATION", "CONCATENATION"]),
        (lambda: shared(11), ["MEAN", "CONCATENATION", "CONCATENATION", "CONCATENATION"]),
        (lambda: shared(26), ["MEAN", "BROADCAST_TO"]),
        (lambda: split(5, 3), ["MEAN", "SLICE", "SLICE"]),
        (lambda: split(1, 3, 4), ["MEAN", "SLICE", "SLICE", "SLICE"]),
        (lambda: padded_with(1.0, 0, 1), ["MEAN", "CONCATENATION"]),
        (lambda: padded_with(-2.0, 2, 1), ["MEAN", "CONCATENATION"]),
        (lambda: padded_with(-2e4, 1, 1), ["MEAN", "PADV2"]),
        (root_mean_square, ["MEAN", "MUL", "MEAN", "ADD", "RSQRT", "MUL"]),
    ],
)
def test_norms_are_written_in_integer_ops_and_compute_the_same(
    tmp_path: Path, build: Callable[[], bytes], expected: list[str]
) -> None:
    before, after = build(), with_integer_forms(build(), INT8)
    assert ops(parse_artifact(after)) == expected
    (tmp_path / "before.tflite").write_bytes(before)
    (tmp_path / "after.tflite").write_bytes(after)
    old, new = Runner(str(tmp_path / "before.tflite")), Runner(str(tmp_path / "after.tflite"))
    for seed in range(3):
        x = np.random.default_rng(seed).normal(seed, 2, SHAPE).astype(np.float32)
        (first, second) = (runner.run({"x": x}) for runner in (old, new))
        assert list(first) == list(second)
        for name, values in first.items():
            np.testing.assert_allclose(second[name], values, rtol=CLOSE, atol=CLOSE)
            assert values.std() > 0.1


def padded_window(kind: str, before: int, after: int, *, stride: int = 2, side: int = 6) -> bytes:
    """A VALID convolution of 3 x 3 behind a PAD, as PyTorch and Keras' ZeroPadding2D leave it in a .tflite."""
    graph = Graph()
    x = graph.tensor("x", (1, side, side, 2))
    border = graph.constant("border", np.array([[0, 0], [before, after], [before, after], [0, 0]], np.int32))
    wide = graph.tensor("wide", (1, side + before + after, side + before + after, 2))
    graph.op("PAD", (x, border), (wide,))
    numbers = np.random.default_rng(0).standard_normal((2, 3, 3, 2) if kind == "CONV_2D" else (1, 3, 3, 2))
    weights = graph.constant("weights", numbers.astype(np.float32))
    bias = graph.constant("bias", np.ones(2, np.float32))
    out = (side + before + after - 3) // stride + 1
    y = graph.tensor("y", (1, out, out, 2))
    table = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}[kind]
    fields = {"depth_multiplier": 1} if kind != "CONV_2D" else {}
    steps = {"stride_w": stride, "stride_h": stride, "dilation_w_factor": 1, "dilation_h_factor": 1}
    graph.op(kind, (wide, weights, bias), (y,), options(table, padding=1, **steps, **fields))
    return graph.finish((x,), (y,))


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize(
    ("border", "stride", "side", "is_same"),
    [((0, 1), 2, 6, True), ((1, 1), 1, 5, True), ((1, 1), 2, 6, False), ((1, 1), 2, 7, True), ((1, 0), 2, 6, False)],
)
def test_a_pad_that_is_same_goes_into_the_window(
    tmp_path: Path, kind: str, border: tuple[int, int], stride: int, side: int, is_same: bool
) -> None:
    data = padded_window(kind, *border, stride=stride, side=side)
    after_it = with_integer_forms(data, INT8)
    assert ops(parse_artifact(after_it)) == ([kind] if is_same else ["PAD", kind])
    results = []
    for name, content in (("a", data), ("b", after_it)):
        (tmp_path / f"{name}.tflite").write_bytes(content)
        x = np.random.default_rng(1).standard_normal((1, side, side, 2)).astype(np.float32)
        results.append(Runner(str(tmp_path / f"{name}.tflite")).run({"x": x})["y"])
    np.testing.assert_allclose(results[1], results[0], rtol=CLOSE, atol=CLOSE)


def test_a_window_behind_another_op_stays_as_it_is() -> None:
    graph = Graph()
    x, y, z = (graph.tensor(name, (1, 4, 4, 2)) for name in ("x", "y", "z"))
    graph.op("RELU", (x,), (y,))
    weights = graph.constant("weights", np.ones((2, 1, 1, 2), np.float32))
    steps = {"stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1}
    graph.op("CONV_2D", (y, weights, -1), (z,), options("Conv2DOptions", padding=1, **steps))
    data = graph.finish((x,), (z,))
    assert with_integer_forms(data, INT8) is data


def scaled_is_an_output() -> bytes:
    norm = Norm()
    s = norm.factor(norm.squared_difference())
    scaled = norm.op("MUL", (norm.x, s), "scaled")
    shift = norm.op("SUB", (norm.beta, norm.op("MUL", (norm.mean, s), "mean_s")), "shift")
    return norm.finish(norm.op("ADD", (scaled, shift), "y"), scaled)


def clipped_in_the_middle() -> bytes:
    norm = Norm()
    s = norm.factor(norm.squared_difference())
    scaled = norm.op("MUL", (norm.x, s), "scaled", fused_activation_function=1)
    shift = norm.op("SUB", (norm.beta, norm.op("MUL", (norm.mean, s), "mean_s")), "shift")
    return norm.finish(norm.op("ADD", (scaled, shift), "y"))


def another_factor() -> bytes:
    norm = Norm()
    s = norm.factor(norm.squared_difference())
    shift = norm.op("SUB", (norm.beta, norm.op("MUL", (norm.mean, norm.gamma), "mean_gamma")), "shift")
    return norm.finish(norm.op("ADD", (norm.op("MUL", (norm.x, s), "scaled"), shift), "y"))


def division_by_a_root() -> bytes:
    """Of something else than 1."""
    norm = Norm()
    root = norm.op("SQRT", (norm.op("MUL", (norm.x, norm.x), "squares"),), "root")
    return norm.finish(norm.op("DIV", (norm.epsilon, root), "y"), norm.mean)


@pytest.mark.parametrize("build", [scaled_is_an_output, clipped_in_the_middle, another_factor, division_by_a_root])
def test_what_only_looks_like_a_norm_is_left_alone(build: Callable[[], bytes]) -> None:
    data = build()
    assert with_integer_forms(data, INT8) is data


@pytest.mark.parametrize(
    "kept", [KeepFloat(ops=("SQUARED_DIFFERENCE",)), KeepFloat(ops=("RSQRT", "SUB")), KeepFloat(tensors=("^y$",))]
)
def test_norm_with_an_op_kept_in_float_stays_as_it_is(kept: KeepFloat) -> None:
    data = by_pytorch()
    assert with_integer_forms(data, _keeping(kept)) is data


def test_kept_negation_stays_and_so_does_its_norm() -> None:
    data = by_keras()
    assert with_integer_forms(data, _keeping(KeepFloat(ops=("NEG",)))) is data


def _keeping(kept: KeepFloat) -> Recipe:
    return replace(INT8, keep_float=kept)


@pytest.mark.keras
@pytest.mark.parametrize("recipe", ["int8", "static_wi8_ai16"])
def test_norms_of_keras_leave_nothing_in_float(tmp_path: Path, workers: Workers, recipe: str) -> None:
    source = write(workers, KERAS, "save", name="norms", path=str(tmp_path / "norms.keras"))
    _check(source, tmp_path, workers, {"sequence": ((1, 12, 16), "float32")}, recipe)


@pytest.mark.torch
@pytest.mark.parametrize("recipe", ["int8", "static_wi8_ai16"])
def test_norms_of_pytorch_leave_nothing_in_float(tmp_path: Path, workers: Workers, recipe: str) -> None:
    source = torch_source(workers, tmp_path, "norms", "function")
    _check(source, tmp_path, workers, {"sequence": ((1, 12, 16), "float32")}, recipe)


def _check(source: str, folder: Path, workers: Workers, inputs: Any, recipe: str) -> None:
    options: Any = {"calibration": samples_for(inputs), "workers": workers, "timing": False, "forms": "plain"}
    report = convert(source, folder / "n.tflite", recipe=recipe, **options)
    assert report.verified
    assert float_ops(report.artifact) == []
    names = {op.name for op in report.artifact.main.ops}
    assert not names & {"SQUARED_DIFFERENCE", "SQUARE", "NEG", "SQRT", "DIV"}, names
    # 8 bits at a normalized tensor give about 40 dB; each norm adds its own noise.
    assert min(row.sqnr_db or 0 for row in report.parity) > 25


@pytest.mark.parametrize(("divisor", "becomes"), [(6.0, "MUL"), (0.0, "DIV"), (1e-42, "DIV")])
def test_a_division_by_a_constant_is_a_product(divisor: float, becomes: str) -> None:
    """As Paddle's exporter ends a hard swish; not where float32 has no reciprocal."""
    graph = Graph()
    x, y = graph.tensor("x", SHAPE), graph.tensor("y", SHAPE)
    by = graph.constant("by", np.array(divisor, np.float32))
    graph.op("DIV", (x, by), (y,), options("DivOptions", fused_activation_function=1))
    (op,) = (made := parse_artifact(with_integer_forms(graph.finish((x,), (y,)), INT8)).main).ops
    assert (op.name, op.options["fused_activation_function"]) == (becomes, 1)
    if becomes == "MUL":
        assert made.tensors[op.inputs[1]].values() == np.float32(1 / divisor)


@pytest.mark.runtime
@pytest.mark.parametrize(("factor", "kinds"), [(1 / 6, ["HARD_SWISH"]), (0.1, ["HARD_SWISH", "MUL"])])
def test_a_hard_swish_that_was_taken_apart_is_one_op(tmp_path: Path, factor: float, kinds: list[str]) -> None:
    data = taken_apart(factor)
    made = with_integer_forms(data, INT8)
    assert [op.name for op in parse_artifact(made).main.ops] == kinds
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    before.write_bytes(data)
    after.write_bytes(made)
    x = np.linspace(-6, 6, 48, dtype=np.float32).reshape(SHAPE)
    want, got = (Runner(path).run({"x": x})["y"] for path in (before, after))
    np.testing.assert_allclose(want, got, atol=CLOSE)


def test_another_gate_is_no_hard_swish() -> None:
    for data in (taken_apart(1 / 6, shift=2.0), taken_apart(1 / 6, clip=1), taken_apart(1 / 6, reread=True)):
        assert with_integer_forms(data, INT8) == data


def taken_apart(factor: float, *, shift: float = 3.0, clip: int = 3, reread: bool = False) -> bytes:
    """``x * clip(x + shift) * factor``; the gate an output too where ``reread``."""
    graph = Graph()
    x, gate, product, y = (graph.tensor(name, SHAPE) for name in ("x", "gate", "product", "y"))
    add = options("AddOptions", fused_activation_function=clip)
    graph.op("ADD", (x, graph.constant("shift", np.array(shift, np.float32))), (gate,), add)
    graph.op("MUL", (x, gate), (product,), options("MulOptions"))
    graph.op("MUL", (product, graph.constant("factor", np.array(factor, np.float32))), (y,), options("MulOptions"))
    return graph.finish((x,), (y, gate) if reread else (y,))
