"""One op at a time is rounded in the float file; what that costs at its output is what arithmetic says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.parity.alone import BEST_DB, by_module, losses_alone, module_of, roundings
from tests.graphs import Graph, options

SHAPE = (1, 4096)
FINE, COARSE, WEIGHT = 2 / 255, 2 / 31, 1 / 127


def two_products(scales: tuple[float, float] | None) -> bytes:
    """``x * c * d``; in int8 with a scale for each result, between a QUANTIZE and a DEQUANTIZE."""
    graph = Graph()
    x = graph.tensor("x", SHAPE)
    constants = np.linspace(0.5, 1, SHAPE[1], dtype=np.float32), np.ones(1, np.float32)
    if scales is None:
        results = [graph.tensor("block/first", SHAPE), graph.tensor("y", SHAPE)]
        value = x
        for place, (constant, result) in enumerate(zip(constants, results, strict=True)):
            graph.op("MUL", (value, graph.constant(f"c{place}", constant)), (result,), options("MulOptions"))
            value = result
        return graph.finish((x,), (value,))
    value = graph.tensor("x_int8", SHAPE, "int8", scale=[FINE], zero_point=[0])
    graph.op("QUANTIZE", (x,), (value,), options("QuantizeOptions"))
    for place, (constant, name, scale) in enumerate(zip(constants, ("block/first", "y_int8"), scales, strict=True)):
        stored = graph.constant(f"c{place}", np.rint(constant / WEIGHT).astype(np.int8), scale=[WEIGHT], zero_point=[0])
        result = graph.tensor(name, SHAPE, "int8", scale=[scale], zero_point=[0])
        graph.op("MUL", (value, stored), (result,), options("MulOptions"))
        value = result
    y = graph.tensor("y", SHAPE)
    graph.op("DEQUANTIZE", (value,), (y,), options("DequantizeOptions"))
    return graph.finish((x,), (y,))


@pytest.mark.runtime
def test_what_one_op_costs_alone_is_its_own_rounding(tmp_path: Path) -> None:
    plain, rounded = two_products(None), two_products((COARSE, FINE))
    known = roundings(parse_artifact(plain), parse_artifact(rounded))
    first, second = [one for _, one in sorted(known.items())]
    values = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)

    def samples() -> Any:
        return [{"x": values}]

    losses = list(losses_alone(plain, rounded, [[first], [second], [first, second]], samples, tmp_path))
    power = float(np.mean((values * np.linspace(0.5, 1, SHAPE[1])) ** 2))
    # Uniform within a step; the constant's own rounding adds to the first, by its share of the power.
    noise = COARSE**2 / 12 + WEIGHT**2 / 12 * float(np.mean(values**2)), FINE**2 / 12
    assert losses[:2] == pytest.approx([10 * np.log10(power / one) for one in noise], abs=0.3)
    assert losses[2] == pytest.approx(10 * np.log10(power / sum(noise)), abs=0.3)
    assert losses[0] < losses[1] < BEST_DB


@pytest.mark.runtime
def test_nothing_is_rounded_where_both_files_are_float() -> None:
    plain = parse_artifact(two_products(None))
    assert roundings(plain, plain) == {}


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("features.0.block", "features.0.block"),
        ("features.0.block/conv_2d_1", "features.0.block"),
        ("model/conv/Conv2D;model/bn/add", "model/conv"),
        ("Mul.131", "Mul.131"),
    ],
)
def test_modules_of_the_source_are_read_off_names(name: str, module: str) -> None:
    assert module_of(name) == module
    assert by_module({3: name, 5: f"{module}/mul"}) == {module: [3, 5]}
