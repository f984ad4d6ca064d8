"""Tables of embeddings: looked up, so that they are stored in integers, with what comes out as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact, read_artifact
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.quantize.forms.lookups import with_lookups
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import KeepFloat, find_recipe
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
ROWS, WIDE = 400, 64
DYNAMIC = find_recipe("dynamic")


def tokens(shape: tuple[int, ...] = (2, 5), dtype: str = "int32", *, tied: bool = False) -> bytes:
    """Rows of a table, and a dense layer behind them, which may have the table itself for weights."""
    rng = np.random.default_rng(0)
    graph = Graph()
    ids = graph.tensor("ids", shape, dtype)
    table = graph.constant("table", rng.standard_normal((ROWS, WIDE)).astype(np.float32))
    rows = graph.tensor("rows", (*shape, WIDE))
    graph.op("GATHER", (table, ids), (rows,), options("GatherOptions", axis=0, batch_dims=0))
    weights = table if tied else graph.constant("w", rng.standard_normal((ROWS, WIDE)).astype(np.float32))
    scores = graph.tensor("scores", (*shape, ROWS))
    graph.op("FULLY_CONNECTED", (rows, weights, -1), (scores,), options("FullyConnectedOptions", keep_num_dims=True))
    return graph.finish((ids,), (scores,))


@pytest.mark.parametrize("shape", [(7,), (1, 6), (2, 5)])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_what_is_looked_up_is_what_was_gathered(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    data = tokens(shape, dtype)
    made = with_lookups(data, DYNAMIC)
    assert "EMBEDDING_LOOKUP" in {op.name for op in parse_artifact(made).main.ops}
    ids = {"ids": np.random.default_rng(1).integers(0, ROWS, shape).astype(dtype)}
    results = []
    for name, file in (("before", data), ("after", made)):
        (tmp_path / name).write_bytes(file)
        results.append(Runner(tmp_path / name).run(ids)["scores"])
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("data", [tokens(tied=True), tokens()])
def test_what_cannot_or_shall_not_be_looked_up_stays(data: bytes) -> None:
    recipe = replace(DYNAMIC, keep_float=KeepFloat(ops=("GATHER",)))
    assert with_lookups(data, recipe) is data
    kinds = {op.name for op in parse_artifact(with_lookups(data, DYNAMIC)).main.ops}
    assert ("GATHER" in kinds) == (data == tokens(tied=True))


@pytest.mark.parametrize(("recipe", "dtype"), [("dynamic", "int8"), ("dynamic_int4", "int4")])
def test_a_table_is_stored_in_integers_and_proven(tmp_path: Path, workers: Workers, recipe: str, dtype: str) -> None:
    (tmp_path / "float.tflite").write_bytes(tokens())
    report = convert(tmp_path / "float.tflite", tmp_path / "m.tflite", recipe=recipe, workers=workers, timing=False)
    assert report.right.ok
    stored = [t for t in read_artifact(tmp_path / "m.tflite").main.tensors if t.is_stored and t.elements == ROWS * WIDE]
    assert [tensor.dtype for tensor in stored] == [dtype, dtype]
