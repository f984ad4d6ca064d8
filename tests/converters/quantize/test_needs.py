"""Ranges end where the ops that read a tensor stop to tell values apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.ranging.needs import narrow
from edge_sdk.engines.observe import Observation
from edge_sdk.engines.runner import Runner
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

Step = tuple[str, float | None]
HARD_SIGMOID = (("MAXIMUM", 0.0), ("MINIMUM", 1.0))
SHAPE = (1, 64)


def chain(*steps: Step, also: bool = False) -> bytes:
    """``x`` through binary ops with a number, or functions; ``also`` something else reads the first result."""
    graph = Graph()
    x = graph.tensor("x", SHAPE)
    value = made = graph.tensor("made", SHAPE)
    weights = graph.constant("w", np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32) * 4)
    graph.op("FULLY_CONNECTED", (x, weights, -1), (made,), options("FullyConnectedOptions"))
    for place, (kind, number) in enumerate(steps):
        result = graph.tensor(f"v{place}", SHAPE)
        operands = (value,) if number is None else (value, graph.constant(f"c{place}", np.array(number, np.float32)))
        name = "MaximumMinimum" if kind in ("MAXIMUM", "MINIMUM") else kind.capitalize()
        graph.op(kind, operands, (result,), *([] if number is None else [options(f"{name}Options")]))
        value = result
    ends = [value]
    if also:
        ends.append(graph.tensor("other", SHAPE))
        graph.op("ABS", (made,), (ends[-1],), options("AbsOptions"))
    return graph.finish((x,), tuple(ends))


@pytest.mark.parametrize(
    ("steps", "range_of_first"),
    [
        (HARD_SIGMOID, (0.0, 1.0)),
        ((("ADD", 3.0), ("RELU6", None), ("MUL", 1 / 6)), (-3.0, 3.0)),
        ((("MUL", 0.5), ("RELU6", None)), (0.0, 12.0)),
        ((("SUB", 1.0), ("RELU", None)), (0.0, 100.0)),
        ((("HARD_SWISH", None),), (-3.0, 100.0)),
        ((("RELU", None),), (0.0, 100.0)),
        ((("LOGISTIC", None),), (-100.0, 100.0)),
        ((("TANH", None),), (-100.0, 100.0)),
        ((("MUL", -1.0), ("RELU6", None)), (-100.0, 100.0)),
    ],
)
def test_a_range_ends_where_a_clamp_does(steps: Sequence[Step], range_of_first: tuple[float, float]) -> None:
    graph = parse_artifact(chain(*steps)).main
    made = graph.ops[0].outputs[0]
    seen = {made: Observation(-100.0, 100.0, runs=1)}
    changed = narrow(graph, seen, seen)
    assert (seen[made].minimum, seen[made].maximum) == pytest.approx(range_of_first)
    assert changed == (frozenset() if range_of_first == (-100.0, 100.0) else {made})


def curved(kind: str, *, products: bool = True) -> bytes:
    """A dense layer, a curve on its results, and another dense layer where ``products``."""
    graph = Graph()
    x, made, y = (graph.tensor(name, SHAPE) for name in ("x", "made", "y"))
    weights = graph.constant("w", np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32) * 4)
    graph.op("FULLY_CONNECTED", (x, weights, -1), (made,), options("FullyConnectedOptions"))
    if kind == "SWISH":
        gate = graph.tensor("gate", SHAPE)
        graph.op("LOGISTIC", (made,), (gate,))
        graph.op("MUL", (made, gate), (y,), options("MulOptions"))
    else:
        graph.op(kind, (made,), (y,), options("GeluOptions") if kind == "GELU" else None)
    if products:
        end = graph.tensor("end", SHAPE)
        graph.op("FULLY_CONNECTED", (y, weights, -1), (end,), options("FullyConnectedOptions"))
        y = end
    return graph.finish((x,), (y,))


@pytest.mark.parametrize(
    ("kind", "most", "low", "high"),
    [
        # x / (1 + exp(-x)) is a quarter of a step of 10.3 / 255 at -6.45, and x * Phi(x) at -2.7.
        ("SWISH", 10.0, -6.45, 100.0),
        ("GELU", 10.0, -2.7, 100.0),
        ("SWISH", 1000.0, -0.0, 100.0),
        ("LOGISTIC", 1.0, -6.24, 6.24),
        ("TANH", 1.0, -3.12, 3.12),
    ],
)
def test_a_range_ends_where_a_curve_is_level_for_int8(kind: str, most: float, low: float, high: float) -> None:
    graph = parse_artifact(curved(kind)).main
    made, y = (next(t.index for t in graph.tensors if t.name == name) for name in ("made", "y"))
    seen = {made: Observation(-100.0, 100.0, runs=1), y: Observation(-0.28, most, runs=1)}
    narrow(graph, seen, [made])
    assert (seen[made].minimum, seen[made].maximum) == pytest.approx((low, high), abs=0.1)


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
def test_a_tail_without_products_tells_more_apart(kind: str) -> None:
    graph = parse_artifact(curved(kind, products=False)).main
    made = graph.ops[0].outputs[0]
    seen = {made: Observation(-100.0, 100.0, runs=1)}
    assert narrow(graph, seen, seen) == frozenset()


def test_what_something_else_reads_keeps_its_range() -> None:
    graph = parse_artifact(chain(*HARD_SIGMOID, also=True)).main
    made = graph.ops[0].outputs[0]
    seen = {made: Observation(-100.0, 100.0, runs=1)}
    assert narrow(graph, seen, seen) == frozenset()


def samples() -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    return ({"x": rng.uniform(-1, 1, SHAPE).astype(np.float32)} for _ in range(32))


@pytest.mark.keras
@pytest.mark.runtime
def test_a_hard_swish_reads_what_it_tells_apart_in_finer_steps(tmp_path: Path) -> None:
    """Of about -70 to 70, as a range of its own: half of it is 0 behind the HARD_SWISH."""
    from dataclasses import replace

    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    data = chain(("HARD_SWISH", None))
    source = tmp_path / "float.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), tmp_path / "s")
    errors, ranges = {}, {}
    for method in ("auto", "minmax"):
        target = tmp_path / f"{method}.tflite"
        recipe = replace(find_recipe("int8"), calibration=method)
        made = quantize(str(source), str(target), recipe.as_json(), str(store.folder), {})
        want, got = (np.array([run.run_real(one)["v0"] for one in samples()]) for run in map(Runner, (source, target)))
        errors[method] = float(np.mean((want - got) ** 2))
        ranges[method] = {one["tensor"]: one for one in made["ranges"]["tensors"]}["made"]
    assert ranges["auto"]["minimum"] >= -3
    assert ranges["minmax"]["minimum"] == ranges["minmax"]["observed"][0] < -40
    assert errors["auto"] < errors["minmax"]


@pytest.mark.parametrize(("gate", "low"), [("RELU6", -3 / 0.25), ("LOGISTIC", None)])
def test_of_a_gate_with_factors_the_least_counts(gate: str, low: float | None) -> None:
    """``x * RELU6(f x + 3)`` is zero below ``-3 / f``, for each channel's own factor; ``x * LOGISTIC(f x)`` nearly."""
    graph = Graph()
    x, made, whole, opened, y = (graph.tensor(name, SHAPE) for name in ("x", "made", "whole", "opened", "y"))
    weights = graph.constant("w", np.ones((64, 64), np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (made,), options("FullyConnectedOptions"))
    factors = graph.constant("f", np.where(np.arange(64) == 7, 0.25, 1).astype(np.float32))
    graph.op("MUL", (made, factors), (whole,), options("MulOptions"))
    if gate == "RELU6":
        three = graph.constant("three", np.array(3, np.float32))
        graph.op("ADD", (whole, three), (opened,), options("AddOptions", fused_activation_function=3))
    else:
        graph.op("LOGISTIC", (whole,), (opened,))
    graph.op("MUL", (made, opened), (y,), options("MulOptions"))
    main = parse_artifact(graph.finish((x,), (y,))).main
    seen = {made: Observation(-100.0, 100.0, runs=1), y: Observation(-1.0, 100.0, runs=1)}
    narrow(main, seen, {made})
    if low is not None:
        assert seen[made].minimum == low
        return
    # Of a result with steps of 101 / 255: what is less than a quarter of one, of a quarter of x, is zero.
    distance = -seen[made].minimum * 0.25
    assert distance / (1 + np.exp(distance)) <= 101 / 255 / 4 * 0.25 < 0.9 * distance / (1 + np.exp(distance - 0.4))
    assert seen[made].maximum == 100
