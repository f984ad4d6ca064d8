"""Two files that compute alike, whatever they say of their making."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact.note import put_note
from edge_sdk.artifact.tree import compute_alike, pack_tree, parse_tree
from tests.graphs import Graph, options


def _file(weight: float = 1.0, kind: str = "ADD", name: str = "y") -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor(name, (1, 4))
    held = graph.constant("held", np.full((1, 4), weight, np.float32))
    graph.op(kind, (x, held), (y,), options("AddOptions" if kind == "ADD" else "MulOptions"))
    return graph.finish((x,), (y,))


def test_a_note_computes_nothing() -> None:
    root, _ = parse_tree(_file())
    put_note(root, {"recipe": "float32"})
    assert compute_alike(_file(), pack_tree(root))


@pytest.mark.parametrize("other", [_file(weight=2.0), _file(kind="MUL"), _file(name="z")])
def test_a_constant_an_op_and_a_name_do(other: bytes) -> None:
    assert not compute_alike(_file(), other)
    assert not compute_alike(other, _file())
