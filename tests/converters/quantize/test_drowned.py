"""Divisors that int8 would make zero stay in float, with what they are summed up of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.floats.drowned import drowned
from edge_sdk.engines.histogram import Histogram
from edge_sdk.engines.observe import Observation
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import Forms
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

WIDTH = 32


def norm() -> bytes:
    """A dense layer, and its results by the root of the mean of their squares, times gains."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, dense, square = (graph.tensor(name, (1, WIDTH)) for name in ("x", "dense", "square"))
    mean, floor, root = (graph.tensor(name, (1, 1)) for name in ("mean", "floor", "root"))
    gained, y = graph.tensor("gained", (1, WIDTH)), graph.tensor("y", (1, WIDTH))
    weights = graph.constant("w", (rng.standard_normal((WIDTH, WIDTH)) / 6).astype(np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (dense,), options("FullyConnectedOptions"))
    graph.op("MUL", (dense, dense), (square,), options("MulOptions"))
    axes = graph.constant("axes", np.array([1], np.int32))
    graph.op("MEAN", (square, axes), (mean,), options("ReducerOptions", keep_dims=True))
    epsilon = graph.constant("epsilon", np.array(1e-6, np.float32))
    graph.op("ADD", (mean, epsilon), (floor,), options("AddOptions"))
    graph.op("RSQRT", (floor,), (root,))
    gains = graph.constant("gains", rng.uniform(0.5, 1.5, (1, WIDTH)).astype(np.float32))
    graph.op("MUL", (root, gains), (gained,), options("MulOptions"))
    graph.op("MUL", (dense, gained), (y,), options("MulOptions"))
    return graph.finish((x,), (y,))


def samples() -> Iterator[Arrays]:
    """From loud to quiet, by 40 dB."""
    rng = np.random.default_rng(1)
    return ({"x": (rng.uniform(-1, 1, (1, WIDTH)) * 10 ** -(one / 16)).astype(np.float32)} for one in range(32))


@pytest.mark.parametrize(
    ("least", "kinds"),
    [(1e-4, ["MUL", "MEAN", "ADD", "RSQRT", "MUL", "MUL"]), (0.0015, ["MUL", "MEAN", "ADD", "RSQRT"]), (0.5, [])],
)
def test_how_much_goes_along_with_a_divisor(least: float, kinds: list[str]) -> None:
    """Half a step of the largest power is 0.002, and the roots of the least have 30 dB where that is 0.0005."""
    graph = parse_artifact(norm()).main
    op = next(op for op in graph.ops if op.name == "RSQRT")
    powers = np.geomspace(least, 1, 1000)
    seen = {}
    for index, values in ((op.inputs[0], powers), (op.outputs[0], powers**-0.5)):
        histogram = Histogram()
        histogram.add(values.astype(np.float32))
        seen[index] = Observation(float(values.min()), float(values.max()), histogram=histogram)
    assert [one.name for one in drowned(graph, seen).divisors] == kinds


def test_a_division_by_a_root_takes_its_squares_along() -> None:
    """``d / SQRT(MEAN(d * d) + epsilon)``, as exporters of layer norms write it too."""
    graph = Graph()
    x, square, y = (graph.tensor(name, (1, WIDTH)) for name in ("x", "square", "y"))
    mean, floor, root = (graph.tensor(name, (1, 1)) for name in ("mean", "floor", "root"))
    graph.op("MUL", (x, x), (square,), options("MulOptions"))
    axes = graph.constant("axes", np.array([1], np.int32))
    graph.op("MEAN", (square, axes), (mean,), options("ReducerOptions", keep_dims=True))
    epsilon = graph.constant("epsilon", np.array(1e-6, np.float32))
    graph.op("ADD", (mean, epsilon), (floor,), options("AddOptions"))
    graph.op("SQRT", (floor,), (root,))
    graph.op("DIV", (x, root), (y,), options("DivOptions"))
    main = parse_artifact(graph.finish((x,), (y,))).main
    seen = {root: Observation(1e-3, 1.0), y: Observation(-1.0, 1.0)}
    assert [op.name for op in drowned(main, seen).divisors] == ["MUL", "MEAN", "ADD", "SQRT", "DIV"]


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.parametrize("forms", ["delegate", "plain"])
def test_quiet_rows_are_normed_like_loud_ones(tmp_path: Path, forms: Forms) -> None:
    made, source, target = int8_of(tmp_path, norm(), samples, forms=forms)
    want, got = (np.array([run.run_real(one)["y"] for one in samples()]) for run in map(Runner, (source, target)))
    # 26 to 30 dB below the loudest: amplitudes of a few steps, powers of less than half a one.
    quiet = slice(21, 25)
    off = np.sqrt(np.mean((want - got)[quiet] ** 2) / np.mean(want[quiet] ** 2))
    if forms == "delegate":
        assert [one["rule"] for one in made["findings"]] == ["divisors-in-float"]
        assert off < 0.3, off
    else:
        assert made["findings"] == []
        assert off > 0.6, off
