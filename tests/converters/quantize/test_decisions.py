"""Comparisons of inputs with constants see the values that are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.converters.quantize.floats.decisions import exact_decisions
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import Forms
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

# So wide that a tail of 64 bins takes nothing beside the products.
WIDTH, BINS = 1024, 64
GRID = (40 * 1.06 ** np.arange(BINS)).astype(np.float32)


def masked(*, behind: bool) -> bytes:
    """Scores from a dense layer, of the bins that are at least ``least``; ``behind``: and a dense layer on them."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, least = graph.tensor("x", (1, WIDTH)), graph.tensor("least", (1, 1))
    scores, y = graph.tensor("scores", (1, BINS)), graph.tensor("y", (1, BINS))
    inside = graph.tensor("inside", (1, BINS), "bool")
    weights = graph.constant("w", (rng.standard_normal((BINS, WIDTH)) / 32).astype(np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (scores,), options("FullyConnectedOptions"))
    graph.op("GREATER_EQUAL", (graph.constant("grid", GRID[None]), least), (inside,))
    graph.op("SELECT_V2", (inside, scores, graph.constant("none", np.array(-1, np.float32))), (y,))
    if behind:
        mixed = graph.tensor("mixed", (1, BINS))
        weights = graph.constant("v", (rng.standard_normal((BINS, BINS)) / 8).astype(np.float32))
        graph.op("FULLY_CONNECTED", (y, weights, -1), (mixed,), options("FullyConnectedOptions"))
        y = mixed
    return graph.finish((x, least), (y,))


def samples() -> Iterator[Arrays]:
    """``least`` is the grid's own value each time: what is equal is inside."""
    rng = np.random.default_rng(1)
    rows = rng.uniform(-1, 1, (32, 1, WIDTH)).astype(np.float32)
    return ({"x": row, "least": GRID[one : one + 1, None]} for one, row in enumerate(rows))


def graph_of(data: bytes) -> Subgraph:
    return parse_artifact(data).main


def test_what_no_product_reaches_is_decided_exactly() -> None:
    assert [op.name for op in exact_decisions(graph_of(masked(behind=True)))] == ["GREATER_EQUAL"]


def test_what_is_behind_a_product_is_left_to_the_tail() -> None:
    graph = Graph()
    x, y, sign = (graph.tensor(name, (1, 4)) for name in ("x", "y", "sign"))
    weights = graph.constant("w", np.eye(4, dtype=np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (y,), options("FullyConnectedOptions"))
    graph.op("SIGN", (y,), (sign,))
    assert exact_decisions(graph_of(graph.finish((x,), (sign,)))) == []


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("forms", ["delegate", "plain"])
def test_a_bin_at_the_threshold_is_inside(tmp_path: Path, forms: Forms, behind: bool) -> None:
    from dataclasses import replace

    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    data = masked(behind=behind)
    source, target = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), tmp_path / "s")
    recipe = replace(find_recipe("int8"), forms=forms)
    made = quantize(str(source), str(target), recipe.as_json(), str(store.folder), {})
    name = "mixed" if behind else "y"
    want, got = (np.array([run.run_real(one)[name] for one in samples()]) for run in map(Runner, (source, target)))
    noise = np.mean((want - got) ** 2) / np.mean(want**2)
    rule = "decisions-in-float" if behind else "tail-in-float"
    if forms == "delegate":
        assert [one["rule"] for one in made["findings"]] == [rule]
        assert noise < 1e-3
    else:
        assert made["findings"] == []
        assert noise > 1e-3
