"""Factors of channels behind a join or a lookup are moved to its parts, or into the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.forms.integer_forms import with_integer_forms
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import KeepFloat, find_recipe
from tests.graphs import Graph, options

ROWS, LARGE, SMALL, WORDS = 6, 8, 4, 20


def joined_norm(*, reread: bool = False) -> bytes:
    """Looked-up rows, a thousandth in size, joined with a large input; a batch norm of channels; a dense layer."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, ids = graph.tensor("x", (1, ROWS, LARGE)), graph.tensor("ids", (1, ROWS), "int32")
    rows, whole = graph.tensor("rows", (1, ROWS, SMALL)), graph.tensor("whole", (1, ROWS, LARGE + SMALL))
    scaled, normed = graph.tensor("scaled", (1, ROWS, LARGE + SMALL)), graph.tensor("normed", (1, ROWS, LARGE + SMALL))
    table = graph.constant("table", rng.uniform(-1, 1, (WORDS, SMALL)).astype(np.float32))
    graph.op("GATHER", (table, ids), (rows,), options("GatherOptions"))
    graph.op("CONCATENATION", (x, rows), (whole,), options("ConcatenationOptions", axis=2))
    factors = np.concatenate([np.full(LARGE, 1e-3), np.full(SMALL, 1.0)]).astype(np.float32)
    graph.op("MUL", (whole, graph.constant("factors", factors)), (scaled,), options("MulOptions"))
    shift = graph.constant("shift", rng.uniform(-1, 1, (1, 1, LARGE + SMALL)).astype(np.float32))
    graph.op("ADD", (scaled, shift), (normed,), options("AddOptions"))
    y = graph.tensor("y", (1, ROWS, 16))
    weights = graph.constant("w", rng.standard_normal((16, LARGE + SMALL)).astype(np.float32))
    graph.op("FULLY_CONNECTED", (normed, weights, -1), (y,), options("FullyConnectedOptions", keep_num_dims=True))
    return graph.finish((x, ids), (y, whole) if reread else (y,))


def kinds(data: bytes) -> list[str]:
    return [op.name for op in parse_artifact(data).main.ops]


def values(count: int) -> list[dict[str, np.ndarray]]:  # type: ignore[type-arg]
    rng = np.random.default_rng(1)
    return [
        {
            "x": rng.uniform(-1e3, 1e3, (1, ROWS, LARGE)).astype(np.float32),
            "ids": rng.integers(0, WORDS, (1, ROWS)).astype(np.int32),
        }
        for _ in range(count)
    ]


def test_a_norm_behind_a_join_is_moved_to_the_parts_and_into_the_table() -> None:
    made = with_integer_forms(joined_norm(), find_recipe("int8"))
    assert kinds(made) == ["GATHER", "MUL", "ADD", "CONCATENATION", "FULLY_CONNECTED"]


def test_what_is_read_elsewhere_or_kept_stays() -> None:
    data = joined_norm(reread=True)
    assert kinds(with_integer_forms(data, find_recipe("int8"))) == kinds(data)
    from dataclasses import replace

    recipe = replace(find_recipe("int8"), keep_float=KeepFloat(tensors=("scaled",)))
    data = joined_norm()
    assert kinds(with_integer_forms(data, recipe)) == kinds(data)


@pytest.mark.runtime
def test_it_computes_the_same(tmp_path: Path) -> None:
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    before.write_bytes(joined_norm())
    after.write_bytes(with_integer_forms(joined_norm(), find_recipe("int8")))
    left, right = Runner(before), Runner(after)
    for sample in values(4):
        # Sums of 12 products of values up to 2, in one order.
        np.testing.assert_allclose(left.run(sample)["y"], right.run(sample)["y"], atol=1e-5)


@pytest.mark.keras
@pytest.mark.runtime
def test_int8_keeps_the_small_part(tmp_path: Path) -> None:
    """Joined first it would have one step, of 8, for values from -1 to 1."""
    from edge_sdk import convert

    source = tmp_path / "joined.tflite"
    source.write_bytes(joined_norm())
    samples = values(64)
    calibration = {name: np.concatenate([one[name] for one in samples]) for name in ("x", "ids")}
    report = convert(source, tmp_path / "int8.tflite", recipe="int8", calibration=calibration, timing=False)
    assert min(row.sqnr_db for row in report.parity) > 30
