"""Squares of a spectrum stay in float up to their root or logarithm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.floats.drowned import drowned
from edge_sdk.engines.observe import Observation
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import Forms
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

BINS = 32


def spectrum(*, logarithm: bool = False, mean: bool = False) -> bytes:
    """``SQRT(re * re + im * im)`` of two dense layers; or the logarithm of sums of it, or the root of its mean."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.tensor("x", (1, 256))
    squares = []
    for name in ("re", "im"):
        part, square = graph.tensor(name, (1, BINS)), graph.tensor(f"{name}_square", (1, BINS))
        weights = graph.constant(f"w_{name}", (rng.standard_normal((BINS, 256)) / 16).astype(np.float32))
        graph.op("FULLY_CONNECTED", (x, weights, -1), (part,), options("FullyConnectedOptions"))
        graph.op("MUL", (part, part), (square,), options("MulOptions"))
        squares.append(square)
    power, y = graph.tensor("power", (1, BINS)), graph.tensor("y", (1, BINS))
    graph.op("ADD", squares, (power,), options("AddOptions"))
    if logarithm:
        bands, floor = graph.tensor("bands", (1, 4)), graph.tensor("floor", (1, 4))
        filters = graph.constant("filters", np.repeat(np.eye(4, dtype=np.float32), BINS // 4, 1))
        graph.op("FULLY_CONNECTED", (power, filters, -1), (bands,), options("FullyConnectedOptions"))
        epsilon = graph.constant("epsilon", np.array(1e-3, np.float32))
        graph.op("ADD", (bands, epsilon), (floor,), options("AddOptions"))
        y = graph.tensor("logs", (1, 4))
        graph.op("LOG", (floor,), (y,))
    elif mean:
        middle, y = graph.tensor("middle", (1, 1)), graph.tensor("rms", (1, 1))
        axes = graph.constant("axes", np.array([1], np.int32))
        graph.op("MEAN", (power, axes), (middle,), options("ReducerOptions", keep_dims=True))
        graph.op("SQRT", (middle,), (y,))
    else:
        graph.op("SQRT", (power,), (y,))
    return graph.finish((x,), (y,))


def samples() -> Iterator[Arrays]:
    """From loud to quiet, by 40 dB."""
    rng = np.random.default_rng(1)
    return ({"x": (rng.uniform(-1, 1, (1, 256)) * 10 ** -(one / 16)).astype(np.float32)} for one in range(32))


def spectral(data: bytes, least: float, most: float) -> list[str]:
    """What is kept of spectra where the root or logarithm reads values of that range, and amplitudes may be rounded."""
    graph = parse_artifact(data).main
    root = next(op for op in graph.ops if op.name in ("LOG", "SQRT"))
    results = np.log([least, most]) if root.name == "LOG" else np.sqrt([least, most])
    seen = {
        root.inputs[0]: Observation(least, most),
        root.outputs[0]: Observation(float(results[0]), float(results[1])),
    }
    return [op.name for op in drowned(graph, seen).spectra]


def test_what_goes_along_with_a_square() -> None:
    assert spectral(spectrum(), 0, 100) == ["MUL", "MUL", "ADD", "SQRT"]
    kinds = ["MUL", "MUL", "ADD", "FULLY_CONNECTED", "ADD", "LOG"]
    assert spectral(spectrum(logarithm=True), 1e-3, 1e2) == kinds, "a filter bank is a small share of the products"


def test_what_int8_holds_is_left_alone() -> None:
    assert spectral(spectrum(), 40, 100) == []
    assert spectral(spectrum(logarithm=True), 30, 100) == []
    assert spectral(spectrum(mean=True), 0, 100) == [], "no square is found behind the mean of a sum"


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.parametrize("forms", ["delegate", "plain"])
def test_quiet_values_are_kept(tmp_path: Path, forms: Forms) -> None:
    made, source, target = int8_of(tmp_path, spectrum(logarithm=True), samples, forms=forms, calibration="minmax")
    want, got = (np.array([run.run_real(one)["logs"] for one in samples()]) for run in map(Runner, (source, target)))
    # 20 to 30 dB below the loudest: 4 to 12 levels of an amplitude, and none to 3 of a power.
    off = np.abs(want - got)[16:24]
    if forms == "delegate":
        assert [one["rule"] for one in made["findings"]] == ["spectra-in-float"]
        assert set(made["floats"]) >= {"re_square", "im_square", "power", "bands", "floor"}
        assert np.mean(off) < 0.3
    else:
        assert made["findings"] == []
        assert np.mean(off) > 0.5
