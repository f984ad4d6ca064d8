"""Front ends of sound: what is computed up to a logarithm of powers stays in float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.engines.histogram import Histogram
from edge_sdk.engines.observe import Observation
from tests.graphs import Graph, options

_COUNT = 16


def spotter(draw: np.random.Generator) -> bytes:
    """Power of a signal, weighted by bands, in decibels, normalized; then a dense layer: what keyword spotters hold."""
    graph = Graph()
    names = ("x", "power", "bands", "floored", "log", "mean", "centered", "y")
    x, power, bands, floored, log, mean, centered, y = (
        graph.tensor(name, (1, 1) if name == "mean" else (1, _COUNT)) for name in names
    )
    graph.op("MUL", (x, x), (power,), options("MulOptions"))
    eye = graph.constant("eye", np.eye(_COUNT, dtype=np.float32))
    graph.op("FULLY_CONNECTED", (power, eye, -1), (bands,), options("FullyConnectedOptions"))
    graph.op("ADD", (bands, graph.constant("floor", np.array(1e-6, np.float32))), (floored,), options("AddOptions"))
    graph.op("LOG", (floored,), (log,))
    axis = graph.constant("axis", np.array([1], np.int32))
    graph.op("MEAN", (log, axis), (mean,), options("ReducerOptions", keep_dims=True))
    graph.op("SUB", (log, mean), (centered,), options("SubOptions"))
    weights = graph.constant("weights", draw.standard_normal((4 * _COUNT, _COUNT)).astype(np.float32))
    y = graph.tensor("scores", (1, 4 * _COUNT))
    graph.op("FULLY_CONNECTED", (centered, weights, -1), (y,), options("FullyConnectedOptions"))
    return graph.finish((x,), (y,))


def seen_of(graph: Subgraph, values: np.ndarray) -> dict[int, Observation]:  # type: ignore[type-arg]
    """What the operand and the result of the LOG would be seen to hold."""
    (op,) = (op for op in graph.ops if op.name == "LOG")
    histogram = Histogram()
    histogram.add(np.log(values).astype(np.float32))
    return {
        op.inputs[0]: Observation(float(values.min()), float(values.max())),
        op.outputs[0]: Observation(float(np.log(values).min()), float(np.log(values).max()), histogram=histogram),
    }


@pytest.mark.parametrize(("decades", "kept"), [(5, 6), (0.2, 0)])
def test_logarithm_of_many_decades_keeps_all_before_it_and_its_normalization_in_float(
    decades: float, kept: int
) -> None:
    from edge_sdk.converters.quantize.floats.drowned import drowned

    draw = np.random.default_rng(0)
    graph = parse_artifact(spotter(draw)).main
    found = drowned(graph, seen_of(graph, 10 ** (decades * draw.random(1000))))
    assert [op.name for op in found.front] == ["MUL", "FULLY_CONNECTED", "ADD", "LOG", "MEAN", "SUB"][:kept]


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.slow
def test_int8_of_a_spotter_keeps_quiet_bands(tmp_path: Path) -> None:
    import edge_sdk

    draw = np.random.default_rng(0)
    source = tmp_path / "spotter.tflite"
    source.write_bytes(spotter(draw))
    sound = draw.standard_normal((64, 1, _COUNT)) * 10 ** (3 * draw.random((64, 1, _COUNT)))
    made = {}
    for forms in ("delegate", "plain"):
        report = edge_sdk.convert(
            source,
            tmp_path / f"{forms}.tflite",
            recipe="int8",
            calibration={"x": sound.astype(np.float32)},
            keep_unverified=True,
            forms=forms,
        )
        made[forms] = report
    found = {forms: min(row.sqnr_db for row in report.parity) for forms, report in made.items()}
    assert found["delegate"] > 24
    assert found["plain"] < 15
    assert any(finding.rule == "front-end-in-float" for finding in made["delegate"].findings)
