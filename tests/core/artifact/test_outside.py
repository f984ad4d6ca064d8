"""Files beyond 2 GB, tried on small ones: where constants lie is a matter of a limit."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.outside import is_large, pack_outside
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.errors import ModelError
from tests.graphs import Graph, options


def _model() -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 5)), graph.tensor("y", (1, 3))
    w = graph.constant("w", np.arange(15, dtype=np.float32).reshape(3, 5))
    b = graph.constant("b", np.array([1, 2, 3], np.float32))
    graph.op("FULLY_CONNECTED", (x, w, b), (y,), options("FullyConnectedOptions"))
    return graph.finish((x,), (y,))


def _large() -> bytes:
    return pack_outside(parse_tree(_model())[0], pack_tree)


def test_constants_are_behind_the_flatbuffer_and_read_as_they_were() -> None:
    large = _large()
    assert large.index(np.arange(15, dtype=np.float32).tobytes()) % 16 == 0
    before, after = parse_artifact(_model()).subgraphs[0], parse_artifact(large).subgraphs[0]
    for was, now in zip(before.tensors, after.tensors, strict=True):
        assert (was.constant is None) == (now.constant is None)
        if was.constant is not None and now.constant is not None:
            assert np.array_equal(was.constant, now.constant)


def test_packing_leaves_the_tree_as_it_was() -> None:
    root, _ = parse_tree(_model())
    before = pack_tree(root)
    pack_outside(root, pack_tree)
    assert pack_tree(root) == before


def test_rewriting_a_small_file_brings_constants_inside() -> None:
    assert pack_tree(parse_tree(_large())[0]) == pack_tree(parse_tree(_model())[0])


def test_what_is_large() -> None:
    root, _ = parse_tree(_model())
    assert not is_large(root)
    assert is_large(root, limit_bytes=71)
    assert not is_large(root, limit_bytes=72)


def test_a_constant_beyond_the_end() -> None:
    with pytest.raises(ModelError, match=r"buffer \d ends at byte \d+ of \d+"):
        parse_artifact(_large()[:-8])


@pytest.mark.runtime
def test_the_engine_reads_it() -> None:
    from ai_edge_litert.interpreter import Interpreter

    engine = Interpreter(model_content=_large())
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], np.eye(1, 5, 2, dtype=np.float32))
    engine.invoke()
    assert engine.get_tensor(engine.get_output_details()[0]["index"]).tolist() == [[3, 9, 15]]
