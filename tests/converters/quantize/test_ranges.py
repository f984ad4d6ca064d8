"""Ranges of int8: chosen by what they cost the ops that read a tensor; tied and prescribed ones left together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.converters.quantize.ranging.clipping import ends_of, noise, rounded
from edge_sdk.engines.histogram import Histogram
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

CHANNELS = 16


def drawn(size: int = 200_000, seed: int = 0) -> npt.NDArray[np.float32]:
    """Laplace: one value in a thousand is beyond 6.9 deviations of scale, the largest near 12."""
    return np.random.default_rng(seed).laplace(size=size).astype(np.float32)


def counted(values: npt.NDArray[np.float32], parts: int = 7) -> Histogram:
    histogram = Histogram()
    for part in np.array_split(values, parts):
        histogram.add(part)
    return histogram


def extremes(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    return min(0.0, float(values.min())), max(0.0, float(values.max()))


def test_histogram_doubles_without_losing_a_value() -> None:
    values = np.concatenate([drawn(1000) * 2.0**power for power in range(-20, 12)]).astype(np.float32)
    histogram = counted(values, 64)
    assert histogram.counts.sum() == len(values)
    points, share = histogram.points()
    width = 2 * histogram.limit / 8192
    assert abs(float(np.dot(points, share)) - float(values.mean())) <= width
    assert np.max(np.abs(values)) <= histogram.limit < 2 * np.max(np.abs(values)) * (1 + 1e-6)


def test_histogram_leaves_out_what_is_no_number() -> None:
    histogram = counted(np.array([1, np.nan, np.inf, -np.inf, 2], np.float32), 1)
    assert histogram.counts.sum() == 2


def test_noise_of_a_histogram_is_that_of_the_values() -> None:
    """A bin is a sixteenth of a step or less: rounding within it changes the noise by a few hundredths."""
    values = drawn()
    for ends in (extremes(values), (-4.0, 4.0), (-8.0, 2.0)):
        measured = float(np.mean((rounded(values, ends) - values) ** 2))
        assert noise(counted(values), ends) == pytest.approx(measured, rel=0.05)


def test_percentile_keeps_what_it_says() -> None:
    values = drawn()
    low, high = ends_of("percentile_99.9", counted(values), extremes(values))
    # Of 200,000 values 200 are cut off on each side; a bin at the border holds a few.
    assert np.sum(values > high) == pytest.approx(200, abs=15)
    assert np.sum(values < low) == pytest.approx(200, abs=15)


def test_least_squares_beats_every_other_range() -> None:
    values = drawn()
    histogram, ends = counted(values), extremes(values)
    best = noise(histogram, ends_of("mse", histogram, ends))
    others = [noise(histogram, (ends[0] * a, ends[1] * b)) for a in (0.35, 0.6, 1) for b in (0.35, 0.6, 1)]
    assert best <= min(others) * 1.02
    assert best < noise(histogram, ends)


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse", "entropy"])
@pytest.mark.parametrize("low", [0.0, -3.0])
def test_ranges_hold_zero_and_stay_within_the_extremes(method: str, low: float) -> None:
    values = np.maximum(drawn(20_000), np.float32(low)) + np.float32(0.5 if low == 0 else 0)
    ends = extremes(values)
    found = ends_of(method, counted(values), ends)
    assert ends[0] <= found[0] <= 0 <= found[1] <= ends[1]
    assert found[1] > 0.25 * ends[1]


def relu(graph: Graph, x: int, name: str) -> int:
    y = graph.tensor(name, (1, 64, CHANNELS))
    graph.op("RELU", (x,), (y,))
    return y


def dense(graph: Graph, x: int, weights: npt.NDArray[np.float32], name: str) -> int:
    y = graph.tensor(name, (1, 64, len(weights)))
    bias = graph.constant(f"{name}_bias", np.zeros(len(weights), np.float32))
    kernel = graph.constant(f"{name}_weights", weights)
    graph.op("FULLY_CONNECTED", (x, kernel, bias), (y,), keeping())
    return y


def keeping() -> Node:
    return options("FullyConnectedOptions", keep_num_dims=True)


def wild(factor: float) -> Callable[[], Iterator[Arrays]]:
    """Samples of which channel 0 is ``factor`` times the others."""

    def samples() -> Iterator[Arrays]:
        rng = np.random.default_rng(1)
        for _ in range(12):
            values = rng.standard_normal((1, 64, CHANNELS)).astype(np.float32)
            values[0, ::16, 0] *= factor
            yield {"x": values}

    return samples


def chosen(data: bytes, samples: Callable[[], Iterable[Arrays]], folder: Path, method: Any = "auto") -> dict[str, Any]:
    from edge_sdk.converters.quantize.ranging.ranges import find_ranges

    path = folder / "float.tflite"
    path.write_bytes(data)
    return {one.tensor: one for one in find_ranges(str(path), samples, method).chosen}


@pytest.mark.runtime
@pytest.mark.parametrize(("weight", "cut"), [(0.0, True), (1.0, False)])
def test_a_tail_is_cut_off_where_no_op_needs_it(tmp_path: Path, weight: float, cut: bool) -> None:
    """Channel 0 is 60 times the others: without it the rest is 60 times finer, if the next weights ignore it."""
    weights = np.random.default_rng(2).standard_normal((8, CHANNELS)).astype(np.float32)
    weights[:, 0] *= weight
    graph = Graph()
    x = graph.tensor("x", (1, 64, CHANNELS))
    y = dense(graph, relu(graph, x, "hidden"), weights, "y")
    found = chosen(graph.finish((x,), (y,)), wild(60), tmp_path)["hidden"]
    assert (found.maximum < 0.5 * found.observed[1]) == cut
    assert (found.method == "minmax") == (not cut)


@pytest.mark.runtime
def test_tensors_of_one_scale_have_one_range(tmp_path: Path) -> None:
    weights = np.random.default_rng(2).standard_normal((8, CHANNELS)).astype(np.float32)
    weights[:, 0] = 0
    graph = Graph()
    x = graph.tensor("x", (1, 64, CHANNELS))
    hidden = relu(graph, x, "hidden")
    moved = graph.tensor("moved", (1, 64, CHANNELS))
    shape = graph.constant("shape", np.array([1, 64, CHANNELS], np.int32))
    graph.op("RESHAPE", (hidden, shape), (moved,))
    y = dense(graph, moved, weights, "y")
    found = chosen(graph.finish((x,), (y,)), wild(60), tmp_path)
    assert found["hidden"].method == found["moved"].method != "minmax"
    assert found["hidden"].maximum == found["moved"].maximum


@pytest.mark.runtime
def test_prescribed_scales_are_left_alone(tmp_path: Path) -> None:
    graph = Graph()
    x, y = (graph.tensor(name, (1, 64, CHANNELS)) for name in ("x", "y"))
    graph.op("SOFTMAX", (x,), (y,), options("SoftmaxOptions", beta=1.0))
    for method in ("auto", "mse"):
        found = chosen(graph.finish((x,), (y,)), wild(1), tmp_path, method)["y"]
        assert (found.method, found.maximum) == ("minmax", found.observed[1])


@pytest.mark.runtime
def test_a_method_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.tensor("x", (1, 64, CHANNELS))
    data = graph.finish((x,), (relu(graph, x, "y"),))
    assert {one.method for one in chosen(data, wild(60), tmp_path, "entropy").values()} == {"entropy"}
    plain = chosen(data, wild(60), tmp_path, "minmax")
    assert all((one.minimum, one.maximum) == one.observed for one in plain.values())


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve:UserWarning")
@pytest.mark.parametrize("without_tensorflow", [False, True])
def test_both_quantizers_write_the_chosen_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_tensorflow: bool
) -> None:
    from edge_sdk.artifact.model import parse_artifact, read_artifact
    from edge_sdk.converters.quantize import static_range
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    weights = np.random.default_rng(2).standard_normal((8, CHANNELS)).astype(np.float32)
    weights[:, 0] = 0
    graph = Graph()
    x = graph.tensor("x", (1, 64, CHANNELS))
    data = graph.finish((x,), (dense(graph, relu(graph, x, "hidden"), weights, "y"),))
    source, target = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    source.write_bytes(data)
    specs = specs_of(parse_artifact(data).signature.inputs)
    store, _ = spool(DataSource("s", None, wild(60)), specs, tmp_path / "s")
    if without_tensorflow:
        monkeypatch.setattr(static_range, "find_spec", lambda name: None)
    made = static_range.quantize(str(source), str(target), find_recipe("int8").as_json(), str(store.folder), {})
    assert without_tensorflow == ("ai-edge-quantizer" in made["tool"])
    wanted = {one["tensor"]: one for one in made["ranges"]["tensors"]}["hidden"]
    assert wanted["method"] != "minmax"
    (dot,) = (op for op in read_artifact(target).main.ops if op.name == "FULLY_CONNECTED")
    stored = read_artifact(target).main.tensors[dot.inputs[0]].quantization
    assert stored is not None
    assert stored.scale[0] == pytest.approx((wanted["maximum"] - wanted["minimum"]) / 255, rel=1e-3)


def test_a_value_without_axes_is_rounded() -> None:
    assert rounded(np.array(0.26, np.float32), (0.0, 255.0)).shape == ()
    assert float(rounded(np.array(3.4, np.float32), (0.0, 255.0))) == 3.0
