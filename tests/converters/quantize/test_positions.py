"""Where values are read is computed in float; and what else 16 bits need to hold what a network computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.unread import with_typed_parts
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.quantize.floats.positions import exact_positions
from edge_sdk.converters.quantize.ranging.powers import off_powers
from edge_sdk.engines.observe import Observation
from tests.graphs import Graph, options

ROWS, WIDE = 64, 8
RNG = np.random.default_rng(0)


def sampler() -> bytes:
    """Rows of a table read between two places, which a dense layer says: ``grid_sample`` in one dimension."""
    graph = Graph()
    x = graph.tensor("x", (1, WIDE))
    table = graph.tensor("table", (ROWS, WIDE))

    def op(
        kind: str, inputs: tuple[int, ...], name: str, shape: tuple[int, ...] = (1, 1), dtype: str = "float32"
    ) -> int:
        result = graph.tensor(name, shape, dtype)
        tables = {"CAST": "CastOptions", "GATHER": "GatherOptions", "FULLY_CONNECTED": "FullyConnectedOptions"}
        known = tables.get(kind) or (f"{kind.title()}Options" if kind in ("ADD", "SUB", "MUL") else None)
        graph.op(kind, inputs, (result,), options(known) if known else None)
        return result

    def number(name: str, value: float) -> int:
        return graph.constant(name, np.array(value, np.float32))

    weights = graph.constant("weights", RNG.normal(0, 0.5, (1, WIDE)).astype(np.float32))
    bent = op("TANH", (op("FULLY_CONNECTED", (x, weights, -1), "said"),), "bent")
    place = op("ADD", (op("MUL", (bent, number("half", 30.0)), "wide"), number("middle", 31.0)), "place")
    whole = op("FLOOR", (place,), "whole")
    share = op("SUB", (place, whole), "share")
    rest = op("SUB", (number("one", 1.0), share), "rest")
    parts = []
    for name, start, weight in (
        ("low", whole, rest),
        ("high", op("ADD", (whole, number("next", 1.0)), "after"), share),
    ):
        index = op("CAST", (start,), f"{name}_index", dtype="int32")
        rows = op("GATHER", (table, index), f"{name}_rows", (1, 1, WIDE))
        parts.append(op("MUL", (rows, weight), f"{name}_part", (1, 1, WIDE)))
    y = op("ADD", (parts[0], parts[1]), "y", (1, 1, WIDE))
    return graph.finish((x, table), (y,))


def gate_minus_one() -> bytes:
    """``sigmoid(x) + -1``, whose scales are all powers of two where a gate is ever shut and open."""
    graph = Graph()
    x = graph.tensor("x", (1, 4, WIDE))
    one = graph.constant("one", -np.ones((1, 4, 1), np.float32))
    gate, y = (graph.tensor(name, (1, 4, WIDE)) for name in ("gate", "y"))
    graph.op("LOGISTIC", (x,), (gate,))
    graph.op("ADD", (gate, one), (y,), options("AddOptions"))
    return graph.finish((x,), (y,))


def unread_gate() -> bytes:
    """The first step of an LSTM: a dense layer's results in three parts, of which nothing reads the second."""
    graph = Graph()
    x = graph.tensor("x", (1, 4, WIDE))
    weights = graph.constant("weights", RNG.normal(0, 0.5, (3 * WIDE, WIDE)).astype(np.float32))
    whole = graph.tensor("whole", (1, 4, 3 * WIDE))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (whole,), options("FullyConnectedOptions", keep_num_dims=True))
    parts = [graph.tensor(f"part_{place}", (1, 4, WIDE)) for place in range(3)]
    axis = graph.constant("axis", np.array(2, np.int32))
    graph.op("SPLIT", (axis, whole), tuple(parts), options("SplitOptions", num_splits=3))
    y = graph.tensor("y", (1, 4, WIDE))
    graph.op("MUL", (parts[0], parts[2]), (y,), options("MulOptions"))
    return graph.finish((x,), (y,))


def test_what_becomes_an_index_is_found_and_features_are_not() -> None:
    graph = parse_artifact(sampler()).main
    names = {graph.tensors[op.outputs[0]].name for op in exact_positions(graph)}
    assert names == {"bent", "wide", "place", "whole", "share", "rest", "after"}


def test_without_an_index_there_are_no_positions() -> None:
    assert exact_positions(parse_artifact(gate_minus_one()).main) == []


def test_ranges_leave_powers_of_two_and_no_others() -> None:
    ranges = {0: (-1.0, 0.5), 1: (-1.5, 0.1), 2: (0.0, 0.0), 3: (-np.inf, 0.0), 4: (-0.25, 0.25)}
    made = off_powers({index: Observation(low, high) for index, (low, high) in ranges.items()})
    changed = {index for index, one in made.items() if (one.minimum, one.maximum) != ranges[index]}
    assert changed == {0, 4}
    for index in changed:
        power = np.log2(max(-made[index].minimum, made[index].maximum) / 32767)
        assert abs(power - round(power)) > 1e-3, "what the kernel takes for a power"


def test_a_part_that_nothing_reads_is_of_its_ops_type() -> None:
    graph = Graph()
    x = graph.tensor("x", (1, 8), "int16", scale=[0.1])
    parts = (graph.tensor("a", (1, 4), "int16", scale=[0.1]), graph.tensor("b", (1, 4)))
    axis = graph.constant("axis", np.array(1, np.int32))
    graph.op("SPLIT", (axis, x), parts, options("SplitOptions", num_splits=2))
    data = graph.finish((x,), parts[:1])
    made = parse_artifact(with_typed_parts(data)).main.tensors[parts[1]]
    assert made.dtype == "int16"
    assert made.quantization is not None
    assert made.quantization.scale == pytest.approx((0.1,))
    assert with_typed_parts(with_typed_parts(data)) == with_typed_parts(data)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("build", "recipe", "decibels"),
    [
        # Rows are unlike their neighbours, and the layer that says where is rounded too: 15 dB by its weights alone;
        # 3 and 5 dB, below the bound, with places in integers.
        (sampler, "int8", 10.0),
        (sampler, "int16x8", 14.0),
        (gate_minus_one, "int16x8", 60.0),
        (unread_gate, "int16x8", 40.0),
    ],
)
def test_files_are_right_and_near(
    tmp_path: Path, workers: Workers, build: Callable[[], bytes], recipe: str, decibels: float
) -> None:
    """All four were refused: for places at random, an engine that aborts, and integers written into a float tensor."""
    source = tmp_path / "source.tflite"
    source.write_bytes(build())
    # Wide enough for a gate to be 0 and 1.
    samples = {
        spec.name: np.random.default_rng(place).normal(0, 20 if build is gate_minus_one else 1, (24, *spec.shape[1:]))
        for place, spec in enumerate(parse_artifact(build()).signature.inputs.values())
    }
    if build is sampler:
        samples["table"] = np.repeat(RNG.normal(0, 1, (1, ROWS, WIDE)), 24, 0)
    samples = {name: values.astype(np.float32) for name, values in samples.items()}
    report = convert(
        source, tmp_path / "made.tflite", recipe=recipe, calibration=samples, timing=False, workers=workers
    )
    assert report.verified
    assert min(row.sqnr_db for row in report.parity) > decibels
