"""Numbers of a comparison, and the bounds they are held to."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.compute import accumulation_length
from edge_sdk.parity import Bound, ParityMeter, float_bound, quantized_bound
from edge_sdk.parity.bounds import noise_to_signal
from tests.graphs import Graph, conv_model, options

RNG = np.random.default_rng(0)


def meter_of(reference: list[np.ndarray[Any, Any]], candidate: list[np.ndarray[Any, Any]]) -> ParityMeter:
    meter = ParityMeter()
    for one, other in zip(reference, candidate, strict=True):
        meter.add({"y": one}, {"y": other})
    return meter


def test_equal_outputs() -> None:
    values = [RNG.standard_normal((1, 10)).astype(np.float32) for _ in range(5)]
    (row,) = meter_of(values, values).report()
    assert row.max_abs_error == 0
    assert math.isinf(row.sqnr_db)
    assert row.cosine == pytest.approx(1.0)
    assert row.top1_agreement == 1.0
    assert row.ok
    assert row.has_power


def test_sqnr_is_signal_over_noise_in_decibels() -> None:
    values = [RNG.standard_normal((1, 1000)) for _ in range(4)]
    noisy = [v + 0.01 * RNG.standard_normal(v.shape) for v in values]
    (row,) = meter_of(values, noisy).report()
    assert row.sqnr_db == pytest.approx(40, abs=0.5)


def test_top1_counts_rows() -> None:
    reference = [np.array([[0.1, 0.9]]), np.array([[0.8, 0.2]]), np.array([[0.6, 0.4]])]
    candidate = [np.array([[0.2, 0.8]]), np.array([[0.1, 0.9]]), np.array([[0.7, 0.3]])]
    (row,) = meter_of(reference, candidate).report()
    assert row.top1_agreement == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(1, 3, 3), (1, 1), (4,)])
def test_top1_is_for_class_like_outputs_only(shape: tuple[int, ...]) -> None:
    values = [RNG.standard_normal(shape)]
    assert meter_of(values, values).report()[0].top1_agreement is None


def test_nan_in_the_candidate_is_an_infinite_error() -> None:
    (row,) = meter_of([np.ones((1, 3))], [np.array([[1.0, np.nan, 1.0]])]).report(
        {"y": Bound("max_abs_error", 1e9, "test")}
    )
    assert math.isinf(row.max_abs_error)
    assert row.sqnr_db == -math.inf
    assert not row.ok


@pytest.mark.parametrize(
    ("variation", "power"), [(0.0, False), (1e-5, False), (0.1, True)], ids=["constant", "untrained", "varies"]
)
def test_output_that_does_not_vary_has_no_power(variation: float, power: bool) -> None:
    values = [1.0 + variation * RNG.standard_normal((1, 50)) for _ in range(8)]
    assert meter_of(values, values).report()[0].has_power is power


def test_one_sample_has_no_power() -> None:
    values = [RNG.standard_normal((1, 50))]
    assert not meter_of(values, values).report()[0].has_power


def test_report_is_strict_json() -> None:
    values = [np.zeros((1, 3))] * 2
    (row,) = meter_of(values, values).report({"y": Bound("sqnr_db", 3, "test")})
    assert json.loads(json.dumps(row.as_json(), allow_nan=False))["cosine"] is None


def test_float_bound_grows_with_the_root_of_what_is_summed() -> None:
    small, large = parse_artifact(conv_model(side=8)), parse_artifact(conv_model(side=32))
    roots = [sum(math.sqrt(accumulation_length(a.main, op)) for op in a.main.ops) for a in (small, large)]
    ratio = float_bound(large, 1.0).value / float_bound(small, 1.0).value
    assert ratio == pytest.approx(roots[1] / roots[0])
    assert float_bound(small, 2.0).value == pytest.approx(2 * float_bound(small, 1.0).value)


def test_float_bound_holds_for_float32_against_float64() -> None:
    """The bound covers what float32 arithmetic really loses, with room, on a sum of 4096 products."""
    graph = Graph()
    x = graph.tensor("x", (1, 4096))
    w = graph.constant("w", RNG.standard_normal((64, 4096)).astype(np.float32))
    y = graph.tensor("y", (1, 64))
    graph.op("FULLY_CONNECTED", (x, w), (y,), options("FullyConnectedOptions"))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    weights = artifact.main.tensors[1].values()
    for _ in range(20):
        inputs = RNG.standard_normal((1, 4096)).astype(np.float32)
        exact = inputs.astype(np.float64) @ weights.T.astype(np.float64)
        rough = np.cumsum(inputs * weights, axis=1, dtype=np.float32)[:, -1]
        assert np.abs(exact - rough).max() <= float_bound(artifact, float(np.abs(exact).max())).value


def quantized_dense(scale: float) -> tuple[Any, dict[str, float]]:
    """int8 dense layer of unit-power tensors with one activation scale."""
    graph = Graph()
    x = graph.tensor("x", (1, 64), "int8", scale=[scale])
    y = graph.tensor("y", (1, 64), "int8", scale=[scale])
    graph.op("RELU", (x,), (y,))
    return parse_artifact(graph.finish((x,), (y,))), {"x": 1.0, "y": 1.0}


def test_quantized_bound_adds_the_noise_of_every_rounding() -> None:
    artifact, power = quantized_dense(0.05)
    ratios = dict(noise_to_signal(artifact, power))
    assert ratios == {"x": pytest.approx(0.05**2 / 12), "y": pytest.approx(0.05**2 / 12)}


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(0.01, 15.0), (0.5, 10 * math.log10(6 / 0.25) - 10), (3.0, 10.0)],
    ids=["cap", "own", "floor"],
)
def test_quantized_bound_is_kept_between_10_and_15_db(scale: float, expected: float) -> None:
    artifact, power = quantized_dense(scale)
    assert quantized_bound(artifact, power).value == pytest.approx(max(10.0, expected), abs=0.01)


def test_users_own_limit_replaces_the_bound() -> None:
    artifact, power = quantized_dense(0.01)
    assert quantized_bound(artifact, power, min_sqnr_db=33.0).value == 33.0


def test_bound_for_stored_float16_is_far_above_the_cap() -> None:
    graph = Graph()
    half = graph.constant("half", RNG.standard_normal((8, 8)).astype(np.float16))
    x, full, y = graph.tensor("x", (1, 8)), graph.tensor("full", (8, 8)), graph.tensor("y", (1, 8))
    graph.op("DEQUANTIZE", (half,), (full,))
    graph.op("FULLY_CONNECTED", (x, full), (y,), options("FullyConnectedOptions"))
    bound = quantized_bound(parse_artifact(graph.finish((x,), (y,))), {"x": 1.0})
    assert 50 < bound.value < 70
