"""A .tflite of open sizes is laid out for those it has; what depends on data stays open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.sources.tflite.closed import closed
from edge_sdk.engines.runner import Runner
from tests.graphs import Graph, options

pytestmark = pytest.mark.runtime


def frames(*, of_data: bool) -> bytes:
    """Sound of an open batch cut into frames by sizes computed at run time, as a keyword spotter does it."""
    graph = Graph()
    x = graph.tensor("x", (1, 64), signature=(-1, 64))
    shape, batch, size = (
        graph.tensor("shape", (2,), "int32"),
        graph.tensor("batch", (), "int32"),
        graph.tensor("size", (3,), "int32"),
    )
    graph.op("SHAPE", (x,), (shape,), options("ShapeOptions", out_type=2))
    ends = [graph.constant(name, np.array([value], np.int32)) for name, value in (("from", 0), ("to", 1), ("by", 1))]
    graph.op("STRIDED_SLICE", (shape, *ends), (batch,), options("StridedSliceOptions", shrink_axis_mask=1))
    sides = [graph.constant(name, np.array(value, np.int32)) for name, value in (("count", 4), ("width", 16))]
    graph.op("PACK", (batch, *sides), (size,), options("PackOptions", values_count=3, axis=0))
    # The placeholder of a converter that does not know: one in each dimension.
    cut = graph.tensor("cut", (1, 1, 1), signature=(-1, -1, -1))
    graph.op("RESHAPE", (x, size), (cut,), options("ReshapeOptions"))
    y = graph.tensor("y", (1, 1, 1), signature=(-1, -1, -1))
    graph.op("ABS", (cut,), (y,), options("AbsOptions"))
    outputs = [y]
    if of_data:
        loud, found = (
            graph.tensor("loud", (1, 1, 1), "bool", signature=(-1, -1, -1)),
            graph.tensor("found", (1, 3), "int64", signature=(-1, 3)),
        )
        graph.op(
            "GREATER", (cut, graph.constant("half", np.array(0.5, np.float32))), (loud,), options("GreaterOptions")
        )
        graph.op("WHERE", (loud,), (found,), options("WhereOptions"))
        outputs.append(found)
    return graph.finish((x,), outputs)


@pytest.mark.parametrize("of_data", [False, True])
def test_sizes_become_constants_and_shapes_those_of_the_engine(tmp_path: Path, of_data: bool) -> None:
    path, made = tmp_path / "open.tflite", tmp_path / "closed.tflite"
    path.write_bytes(frames(of_data=of_data))
    made.write_bytes(closed(path.read_bytes(), path))

    graph = parse_artifact(made.read_bytes()).main
    by_name = {tensor.name: tensor for tensor in graph.tensors}
    assert [op.name for op in graph.ops] == ["RESHAPE", "ABS", *(["GREATER", "WHERE"] if of_data else [])]
    assert by_name["size"].values().tolist() == [1, 4, 16]
    assert by_name["y"].shape == (1, 4, 16)
    assert -1 not in by_name["y"].shape_signature
    if of_data:
        assert by_name["found"].shape_signature == (-1, 3), "how many are found depends on the data"
    x = np.random.default_rng(0).standard_normal((1, 64)).astype(np.float32)
    left, right = Runner(path).run({"x": x}), Runner(made).run({"x": x})
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


def test_convert_of_a_file_of_open_sizes(tmp_path: Path) -> None:
    """Told that every placeholder is a size, the engine writes beyond its end and dies (ai-edge-litert 2.1.0)."""
    import edge_sdk

    path = tmp_path / "open.tflite"
    path.write_bytes(frames(of_data=False))
    report = edge_sdk.convert(path, tmp_path / "made.tflite")
    assert report.verified
    made = parse_artifact((tmp_path / "made.tflite").read_bytes()).main
    assert made.tensors[made.outputs[0]].shape == (1, 4, 16)
