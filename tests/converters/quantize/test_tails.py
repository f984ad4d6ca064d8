"""What follows the last product stays in float where int8 has no scale that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.floats.tails import poor_tail
from edge_sdk.engines.observe import Observation
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import Forms
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

WIDTH, SCORES = 512, 8


def scored(kind: str, bias: float) -> bytes:
    """A dense layer, a function of each result, and a shift of that; the results are about ``bias``."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, dense = graph.tensor("x", (1, WIDTH)), graph.tensor("dense", (1, SCORES))
    weights = graph.constant("w", (rng.standard_normal((SCORES, WIDTH)) / 40).astype(np.float32))
    biases = graph.constant("b", np.full(SCORES, bias, np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, biases), (dense,), options("FullyConnectedOptions"))
    made, y = graph.tensor("made", (1, SCORES)), graph.tensor("y", (1, SCORES))
    graph.op(kind, (dense,), (made,))
    shape = graph.constant("shape", np.array([1, SCORES], np.int32))
    graph.op("RESHAPE", (made, shape), (y,), options("ReshapeOptions"))
    return graph.finish((x,), (y,))


def samples() -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    return ({"x": rng.uniform(-1, 1, (1, WIDTH)).astype(np.float32)} for _ in range(32))


@pytest.mark.parametrize(
    ("kind", "most", "found"), [("LOGISTIC", 0.1, True), ("LOGISTIC", 0.9, False), ("EXP", 900.0, True)]
)
def test_which_tails_need_float(kind: str, most: float, found: bool) -> None:
    graph = parse_artifact(scored(kind, 0)).main
    seen = {graph.ops[1].outputs[0]: Observation(0.0, most, runs=1)}
    assert [op.name for op in poor_tail(graph, seen)] == ([kind, "RESHAPE"] if found else [])


def test_a_tail_that_takes_long_beside_the_products_stays() -> None:
    graph = Graph()
    x, dense, y = graph.tensor("x", (1, 4)), graph.tensor("dense", (1, 8)), graph.tensor("y", (1, 8))
    weights = graph.constant("w", np.ones((8, 4), np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (dense,), options("FullyConnectedOptions"))
    graph.op("LOGISTIC", (dense,), (y,))
    small = parse_artifact(graph.finish((x,), (y,))).main
    assert poor_tail(small, {y: Observation(0.0, 0.1, runs=1)}) == []


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.parametrize("forms", ["delegate", "plain"])
def test_scores_below_a_step_are_no_zeros(tmp_path: Path, forms: Forms) -> None:
    """Probabilities about exp(-7), a quarter of a step of 1/256."""
    made, source, target = int8_of(tmp_path, scored("LOGISTIC", -7), samples, forms=forms)
    left, right = Runner(source), Runner(target)
    want, got = (np.array([run.run_real(one)["y"] for one in samples()]) for run in (left, right))
    if forms == "delegate":
        assert made["floats"] == ["made", "y"]
        assert [one["rule"] for one in made["findings"]] == ["tail-in-float"]
        # The logits, from about -9 to 0, have steps of 9/255, of which half is the most that each is off; weights too.
        assert np.abs(np.log(got / want)).max() < 9 / 255 * 2
    else:
        assert "floats" not in made
        assert np.count_nonzero(got) < got.size
