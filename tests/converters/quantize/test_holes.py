"""Values that are not a number stay where they can be told from numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters import convert
from edge_sdk.converters.quantize.floats.holes import around_holes
from edge_sdk.engines.observe import observe
from edge_sdk.runtime import Runner
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

SIDE = 16
pytestmark = pytest.mark.runtime


def filled(*, gaps: bool = True) -> bytes:
    """A dense layer; what is not above zero becomes NaN, is found by its difference from itself, and is 0.5 then."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.tensor("x", (1, SIDE))
    y, seen, whole, z = (graph.tensor(name, (1, SIDE)) for name in ("y", "seen", "whole", "z"))
    above, lost = graph.tensor("above", (1, SIDE), "bool"), graph.tensor("lost", (1, SIDE), "bool")
    none = graph.constant("none", np.array(np.nan if gaps else -1, np.float32))
    for source, result in ((x, y), (whole, z)):
        if result == z:
            graph.op("GREATER", (y, graph.constant("zero", np.array(0, np.float32))), (above,))
            graph.op("SELECT_V2", (above, y, none), (seen,))
            graph.op("NOT_EQUAL", (seen, seen), (lost,))
            graph.op("SELECT_V2", (lost, graph.constant("half", np.array(0.5, np.float32)), seen), (whole,))
        weights = graph.constant(f"w{result}", (rng.standard_normal((SIDE, SIDE)) / 4).astype(np.float32))
        graph.op("FULLY_CONNECTED", (source, weights, -1), (result,), options("FullyConnectedOptions"))
    return graph.finish((x,), (z,))


def samples(seed: int = 1) -> Iterator[Arrays]:
    return ({"x": row} for row in np.random.default_rng(seed).standard_normal((64, 1, SIDE)).astype(np.float32))


def test_what_makes_and_reads_them_is_found_and_ranges_are_of_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "f.tflite"
    path.write_bytes(filled())
    graph = parse_artifact(filled()).main
    seen = observe(str(path), samples(), histograms=True)
    assert [op.name for op in around_holes(graph, seen)] == ["SELECT_V2", "NOT_EQUAL", "SELECT_V2"]
    (index,) = (tensor.index for tensor in graph.tensors if tensor.name == "seen")
    assert seen[index].holes
    assert 0 < seen[index].minimum < 0.2 < seen[index].maximum
    nothing = observe(str(path), [{"x": np.full((1, SIDE), np.nan, np.float32)}])
    assert nothing[index].holes
    assert (nothing[index].minimum, nothing[index].maximum) == (0, 0)
    path.write_bytes(filled(gaps=False))
    assert around_holes(parse_artifact(filled(gaps=False)).main, observe(str(path), samples())) == []


def test_infinities_are_told_after_ranges_are_set(tmp_path: Path) -> None:
    from edge_sdk.converters.quantize.ranging.ranges import find_ranges
    from edge_sdk.converters.quantize.static_range import with_ranges
    from edge_sdk.errors import ConversionError

    graph = Graph()
    x, y, z = (graph.tensor(name, (1, SIDE)) for name in ("x", "y", "z"))
    graph.op("EXP", (x,), (y,))
    graph.op("TANH", (y,), (z,))
    path = tmp_path / "f.tflite"
    path.write_bytes(graph.finish((x,), (z,)))
    rows = [{"x": np.full((1, SIDE), value, np.float32)} for value in (1, 100)]
    ranges = find_ranges(str(path), lambda: iter(rows))
    with pytest.raises(ConversionError, match=r"`y` goes from .* to inf on the calibration data"):
        with_ranges(ranges.data, ranges.observations)


@pytest.mark.keras
def test_int8_fills_the_gaps_that_the_float_file_fills(tmp_path: Path) -> None:
    path = tmp_path / "f.tflite"
    path.write_bytes(filled())
    rows = np.concatenate([sample["x"] for sample in samples()])
    report = convert(path, tmp_path / "i.tflite", recipe="int8", calibration={"x": rows}, timing=False)
    assert report.verified
    assert "holes-in-float" in {finding.rule for finding in report.findings}
    one, other = Runner(str(path)), Runner(str(tmp_path / "i.tflite"))
    wanted, got = (np.stack([runner.run(sample)["z"] for sample in samples(2)]) for runner in (one, other))
    # In int8 throughout nothing differed from itself, and no gap was filled: 5 dB.
    assert 10 * np.log10(np.sum(wanted**2) / np.sum((wanted - got) ** 2)) > 20
