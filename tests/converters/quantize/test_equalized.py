"""Equalized files: taken where outputs come nearer, the same in real numbers, told, and explained to the checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.weights.equalizing import norms, smoothed, without_idle_clips
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import RecipeError
from edge_sdk.parity.constants import constant_faults
from edge_sdk.recipe import check_recipe, find_recipe
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

CHANNELS = 16
RELU6 = 3


def convolutions(*, spread: float, peak: float = 5.0) -> bytes:
    """Two convolutions with ReLU6 in between; channels of the first one differ by a factor of ``spread``."""
    rng = np.random.default_rng(0)
    factors = np.geomspace(1, spread, CHANNELS).astype(np.float32)
    first = rng.uniform(-1, 1, (CHANNELS, 3, 3, 3)).astype(np.float32)
    first *= (peak / np.abs(first).sum((1, 2, 3)) / factors)[:, None, None, None]
    second = rng.uniform(-1, 1, (4, 1, 1, CHANNELS)).astype(np.float32) * factors
    graph = Graph()
    x = graph.tensor("x", (1, 8, 8, 3))
    value = x
    shape = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1, "padding": 0}
    for place, (kernel, act) in enumerate(((first, RELU6), (second, 0))):
        result = graph.tensor(f"y{place}", (1, 8, 8, len(kernel)))
        weights = graph.constant(f"w{place}", kernel)
        bias = graph.constant(f"b{place}", np.zeros(len(kernel), np.float32))
        graph.op(
            "CONV_2D",
            (value, weights, bias),
            (result,),
            options("Conv2DOptions", **shape, fused_activation_function=act),
        )
        value = result
    return graph.finish((x,), (value,))


def normalized(outlier: float) -> bytes:
    """A norm of root mean squares whose first channel is large, and a dense layer whose weights for it are small."""
    rng = np.random.default_rng(1)
    gamma = np.ones(CHANNELS, np.float32)
    gamma[0] = outlier
    weights = rng.standard_normal((8, CHANNELS)).astype(np.float32)
    weights[:, 0] /= outlier
    graph = Graph()
    x = graph.tensor("x", (1, CHANNELS))
    squares, mean, shifted, root, unit, y, z = (
        graph.tensor(name, (1, extent))
        for name, extent in (
            ("squares", CHANNELS),
            ("mean", 1),
            ("shifted", 1),
            ("root", 1),
            ("unit", CHANNELS),
            ("y", CHANNELS),
            ("z", 8),
        )
    )
    axes = graph.constant("axes", np.array([1], np.int32))
    epsilon = graph.constant("epsilon", np.array([1e-5], np.float32))
    graph.op("MUL", (x, x), (squares,), options("MulOptions"))
    graph.op("MEAN", (squares, axes), (mean,), options("ReducerOptions", keep_dims=True))
    graph.op("ADD", (mean, epsilon), (shifted,), options("AddOptions"))
    graph.op("RSQRT", (shifted,), (root,))
    graph.op("MUL", (x, root), (unit,), options("MulOptions"))
    graph.op("MUL", (unit, graph.constant("gamma", gamma)), (y,), options("MulOptions"))
    graph.op("FULLY_CONNECTED", (y, graph.constant("weights", weights), -1), (z,), options("FullyConnectedOptions"))
    return graph.finish((x,), (z,))


def images(seed: int = 1) -> Iterator[Arrays]:
    rng = np.random.default_rng(seed)
    for _ in range(24):
        yield {"x": rng.uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)}


def vectors(seed: int = 1) -> Iterator[Arrays]:
    rng = np.random.default_rng(seed)
    for _ in range(64):
        yield {"x": rng.standard_normal((1, CHANNELS)).astype(np.float32)}


def outputs(data: bytes, folder: Path, samples: Iterator[Arrays]) -> npt.NDArray[np.float32]:
    path = folder / "run.tflite"
    path.write_bytes(data)
    runner = Runner(path)
    return np.concatenate([next(iter(runner.run_real(one).values())) for one in samples])


def quantized(data: bytes, folder: Path, samples: Any, **changes: Any) -> tuple[dict[str, Any], bytes]:
    from dataclasses import replace

    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of

    source, target = folder / "float.tflite", folder / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), folder / "s")
    recipe = replace(find_recipe("static_wi8_ai8_per_tensor"), **changes)
    return quantize(str(source), str(target), recipe.as_json(), str(store.folder), {}), target.read_bytes()


@pytest.mark.keras
@pytest.mark.runtime
def test_channels_of_unlike_ranges_are_won_back_with_one_scale(tmp_path: Path) -> None:
    """The smallest channel has 127 / 64 steps of the weights' one scale before, and as many as the others after."""
    data = convolutions(spread=64)
    want = outputs(data, tmp_path, images(2))
    made, better = quantized(data, tmp_path, images, bias_correction=False)
    _, plain = quantized(data, tmp_path, images, bias_correction=False, equalize=False)
    off, before = (np.square(outputs(one, tmp_path, images(2)) - want).mean() for one in (better, plain))
    told = made["corrections"]["equalized"]
    assert (told["pairs"], told["norms"], told["clips"], told["kept"]) == (1, 0, 1, True)
    assert told["sqnr_db"][1] > told["sqnr_db"][0]
    assert off < before / 4
    reference = Path(made["reference"]).read_bytes()
    assert constant_faults(parse_artifact(reference), parse_artifact(better)) == []
    assert np.allclose(outputs(reference, tmp_path, images(2)), want, rtol=1e-4, atol=1e-5)


@pytest.mark.keras
@pytest.mark.runtime
def test_a_large_channel_behind_a_norm_is_smoothed(tmp_path: Path) -> None:
    """It takes a hundredth of the steps from the others; square roots of it are left."""
    data = normalized(100.0)
    want = outputs(data, tmp_path, vectors(2))
    made, better = quantized(data, tmp_path, vectors, equalize=True)
    _, plain = quantized(data, tmp_path, vectors, equalize=False)
    off, before = (np.square(outputs(one, tmp_path, vectors(2)) - want).mean() for one in (better, plain))
    told = made["corrections"]["equalized"]
    assert (told["pairs"], told["norms"], told["kept"]) == (0, 1, True)
    assert off < before / 4


@pytest.mark.keras
@pytest.mark.runtime
def test_what_brings_nothing_is_left(tmp_path: Path) -> None:
    """Channels alike already: no factor is far enough from 1, or the second file is no nearer."""
    made, data = quantized(convolutions(spread=1), tmp_path, images, bias_correction=False)
    _, plain = quantized(convolutions(spread=1), tmp_path, images, bias_correction=False, equalize=False)
    told = made["corrections"].get("equalized")
    assert told is None or told["kept"] == (told["sqnr_db"][1] > told["sqnr_db"][0])
    assert (data == plain) == (told is None or not told["kept"])


@pytest.mark.runtime
def test_smoothing_changes_no_result(tmp_path: Path) -> None:
    data = normalized(50.0)
    (norm,) = norms(parse_artifact(data))
    largest = np.abs(np.random.default_rng(0).standard_normal(CHANNELS)).astype(np.float32) + 0.1
    made, count = smoothed(data, {norm.result: largest})
    assert count == 1
    assert made != data
    assert np.allclose(outputs(made, tmp_path, vectors(3)), outputs(data, tmp_path, vectors(3)), rtol=1e-4, atol=1e-4)


def test_a_norm_that_more_than_dot_products_read_is_left() -> None:
    """Behind a norm that a residual takes up as well no channel can be moved."""
    graph = Graph()
    x, y, z, w = (graph.tensor(name, (1, CHANNELS)) for name in "xyzw")
    root = graph.tensor("root", (1, CHANNELS))
    graph.op("RSQRT", (x,), (root,))
    graph.op("MUL", (root, graph.constant("gamma", np.ones(CHANNELS, np.float32))), (y,), options("MulOptions"))
    weights = graph.constant("weights", np.eye(CHANNELS, dtype=np.float32))
    graph.op("FULLY_CONNECTED", (y, weights, -1), (z,), options("FullyConnectedOptions"))
    graph.op("ADD", (y, z), (w,), options("AddOptions"))
    assert norms(parse_artifact(graph.finish((x,), (w,)))) == []


def test_a_clip_that_is_reached_stays() -> None:
    data = convolutions(spread=4)
    (first, _) = parse_artifact(data).main.ops
    assert without_idle_clips(data, {first.outputs[0]: 6.0}) == (data, 0)
    made, count = without_idle_clips(data, {first.outputs[0]: 5.9})
    assert count == 1
    assert parse_artifact(made).main.ops[0].options["fused_activation_function"] == 1


def test_int16_has_nothing_to_equalize() -> None:
    from dataclasses import replace

    recipe = replace(find_recipe("static_wi8_ai16"), equalize=True)
    with pytest.raises(RecipeError, match="equalize is for int8 activations, got int16"):
        check_recipe(recipe, where="mine")
