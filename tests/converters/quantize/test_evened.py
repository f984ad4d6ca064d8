"""Channels of activations brought to like ranges across gates: the same numbers in float, nearer ones in int8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.weights.channels import Channels
from edge_sdk.converters.quantize.weights.evened import evened, without_hard_swishes
from edge_sdk.engines.runner import Runner
from edge_sdk.parity.constants import constant_faults
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

SIZE, CHANNELS = 6, 8
SHAPE = (1, SIZE, SIZE, CHANNELS)
# Sums of tens of float32 products, each rounded to 6e-8 of itself.
CLOSE = 1e-5
# From 1 to 64: the smallest has 4 of int8's 256 levels in the largest's scale.
SPREAD = (2.0 ** np.linspace(0, 6, CHANNELS)).astype(np.float32)


class Net:
    """``x -> CONV_2D (unlike channels) -> ... -> CONV_2D (which makes up for it) -> y``."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.rng = np.random.default_rng(0)
        self.x = self.graph.tensor("x", SHAPE)
        self.made = self.conv(self.x, "made", SPREAD, axis=0)

    def conv(self, x: int, name: str, factors: npt.NDArray[np.float32], axis: int) -> int:
        values = self.rng.standard_normal((CHANNELS, 1, 1, CHANNELS)).astype(np.float32)
        values *= factors.reshape([-1 if one == axis else 1 for one in range(4)])
        weights = self.graph.constant(f"{name}_w", values)
        bias = self.graph.constant(f"{name}_b", self.rng.standard_normal(CHANNELS).astype(np.float32))
        result = self.graph.tensor(name, SHAPE)
        self.graph.op("CONV_2D", (x, weights, bias), (result,), options("Conv2DOptions", stride_w=1, stride_h=1))
        return result

    def op(self, kind: str, inputs: tuple[int, ...], name: str, shape: tuple[int, ...] = SHAPE, **fields: int) -> int:
        tables = {"ADD": "AddOptions", "MUL": "MulOptions", "HARD_SWISH": "HardSwishOptions", "MEAN": "ReducerOptions"}
        result = self.graph.tensor(name, shape)
        self.graph.op(kind, inputs, (result,), options(tables[kind], **fields) if kind in tables else None)
        return result

    def finish(self, behind: int, inverse: npt.NDArray[np.float32] = 1 / SPREAD) -> bytes:
        return self.graph.finish((self.x,), (self.conv(behind, "y", inverse, axis=3),))


def hard_swish() -> bytes:
    net = Net()
    return net.finish(net.op("HARD_SWISH", (net.made,), "swish"))


def hard_swish_then_affine() -> bytes:
    net = Net()
    by, shift = (net.graph.constant(name, np.array(value, np.float32)) for name, value in (("by", 0.3), ("b", -0.5)))
    scaled = net.op("MUL", (net.op("HARD_SWISH", (net.made,), "swish"), by), "scaled")
    return net.finish(net.op("ADD", (scaled, shift), "shifted"))


def swish() -> bytes:
    net = Net()
    return net.finish(net.op("MUL", (net.made, net.op("LOGISTIC", (net.made,), "gate")), "swish"))


def squeezed() -> bytes:
    """A gate of the means, behind a residual sum."""
    net = Net()
    total = net.op("ADD", (net.made, net.conv(net.x, "other", SPREAD, axis=0)), "total", fused_activation_function=1)
    axes = net.graph.constant("axes", np.array([1, 2], np.int32))
    means = net.op("MEAN", (total, axes), "means", (1, 1, 1, CHANNELS), keep_dims=1)
    weights = net.graph.constant("se_w", np.eye(CHANNELS, dtype=np.float32).reshape(CHANNELS, 1, 1, CHANNELS) / SPREAD)
    inner = net.graph.tensor("inner", (1, 1, 1, CHANNELS))
    zeros = net.graph.constant("se_b", np.zeros(CHANNELS, np.float32))
    net.graph.op("CONV_2D", (means, weights, zeros), (inner,), options("Conv2DOptions", stride_w=1, stride_h=1))
    gate = net.op("LOGISTIC", (inner,), "gate", (1, 1, 1, CHANNELS))
    return net.finish(net.op("MUL", (total, gate), "gated"))


NETS = (hard_swish, hard_swish_then_affine, swish, squeezed)


def images(count: int = 16) -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield {"x": rng.standard_normal(SHAPE).astype(np.float32)}


def outputs(data: bytes, folder: Path) -> npt.NDArray[np.float32]:
    path = folder / "run.tflite"
    path.write_bytes(data)
    runner = Runner(path)
    return np.stack([runner.run_real(one)["y"] for one in images(4)])


def reached(data: bytes, folder: Path) -> Mapping[int, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    path = folder / "watched.tflite"
    path.write_bytes(data)
    runner = Runner(path, preserve_all_tensors=True)
    rows: dict[int, list[npt.NDArray[np.float32]]] = {}
    for one in images():
        runner.run_real(one)
        for index in Channels(parse_artifact(data).main):
            values = runner.tensor(index)
            assert values is not None
            rows.setdefault(index, []).append(values.reshape(-1, values.shape[-1]))
    every = {index: np.concatenate(values) for index, values in rows.items()}
    return {index: (values.min(0), values.max(0)) for index, values in every.items()}


def unevenness(data: bytes, folder: Path, name: str) -> float:
    tensors = parse_artifact(data).main.tensors
    high = next(ends[1] for index, ends in reached(data, folder).items() if tensors[index].name == name)
    return float(high.max() / high.min())


@pytest.mark.runtime
@pytest.mark.parametrize("net", NETS)
def test_the_same_is_computed_and_channels_are_alike(net: object, tmp_path: Path) -> None:
    """Powers of two bring ranges to within a factor of two; a sum's other operand may ask for twice as much."""
    assert callable(net)
    data = net()
    apart = without_hard_swishes(data)
    made, tensors = evened(apart, reached(apart, tmp_path))
    want = outputs(data, tmp_path)
    assert tensors >= 2
    assert np.abs(outputs(made, tmp_path) - want).max() < CLOSE * np.abs(want).max()
    assert unevenness(apart, tmp_path, "made") > 20
    assert unevenness(made, tmp_path, "made") < 4


@pytest.mark.runtime
def test_channels_that_something_else_reads_stay(tmp_path: Path) -> None:
    """An output, and what a SOFTMAX over channels reads, are as they were: nothing is left to be evened."""
    net = Net()
    net.graph.op(
        "SOFTMAX", (net.made,), (soft := net.graph.tensor("soft", SHAPE),), options("SoftmaxOptions", beta=1.0)
    )
    data = net.graph.finish((net.x,), (net.made, soft))
    assert evened(data, reached(data, tmp_path)) == (data, 0)


@pytest.mark.runtime
def test_weights_of_groups_take_no_factors_up(tmp_path: Path) -> None:
    """Those of four groups read two channels each: what they read stays as it is."""
    net = Net()
    weights = net.graph.constant("groups", net.rng.standard_normal((CHANNELS, 1, 1, 2)).astype(np.float32))
    swish = net.op("HARD_SWISH", (net.made,), "swish")
    zeros = net.graph.constant("zeros", np.zeros(CHANNELS, np.float32))
    y = net.graph.tensor("y", SHAPE)
    net.graph.op("CONV_2D", (swish, weights, zeros), (y,), options("Conv2DOptions", stride_w=1, stride_h=1))
    apart = without_hard_swishes(net.graph.finish((net.x,), (y,)))
    assert evened(apart, reached(apart, tmp_path)) == (apart, 0)


@pytest.mark.runtime
def test_a_pad_of_channels_keeps_what_it_reads(tmp_path: Path) -> None:
    net = Net()
    counts = net.graph.constant("counts", np.array([[0, 0], [0, 0], [0, 0], [0, CHANNELS]], np.int32))
    swish = net.op("HARD_SWISH", (net.made,), "swish")
    padded = net.graph.tensor("padded", (*SHAPE[:-1], 2 * CHANNELS))
    net.graph.op("PAD", (swish, counts), (padded,), options("PadOptions"))
    apart = without_hard_swishes(net.graph.finish((net.x,), (padded,)))
    assert evened(apart, reached(apart, tmp_path)) == (apart, 0)


def test_hard_swishes_that_are_kept_stay() -> None:
    data = hard_swish()
    assert without_hard_swishes(data, {1}) == data


@pytest.mark.keras
@pytest.mark.runtime
def test_a_poor_file_is_made_again_with_even_channels(tmp_path: Path) -> None:
    """The least channel goes from 4 levels to at least 128, five bits: 30 dB where it alone counted."""
    data = hard_swish()
    made, _, target = int8_of(tmp_path, data, images)
    told = made["corrections"]["evened"]
    before, after = told["sqnr_db"]
    assert told["kept"]
    assert told["gates"] == 1
    assert before < 20
    assert after > before + 10
    reference = parse_artifact(Path(made["explained"]).read_bytes())
    assert constant_faults(reference, parse_artifact(target.read_bytes())) == []
    assert not any(op.name == "HARD_SWISH" for op in parse_artifact(target.read_bytes()).main.ops)


@pytest.mark.keras
@pytest.mark.runtime
def test_a_file_that_is_not_poor_is_left_unless_asked(tmp_path: Path) -> None:
    net = Net()
    net.made = net.conv(net.x, "even", np.ones(CHANNELS, np.float32), axis=0)
    data = net.finish(net.op("HARD_SWISH", (net.made,), "swish"), np.ones(CHANNELS, np.float32))
    made, _, _ = int8_of(tmp_path, data, images)
    assert "evened" not in made["corrections"]
    made, _, _ = int8_of(tmp_path, hard_swish(), images, equalize=False)
    assert "evened" not in made["corrections"]
