"""Integers of half a byte."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.dtypes import limits, packed, unpacked
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from tests.graphs import Graph


@pytest.mark.parametrize("count", [0, 1, 15, 16])
def test_packed_values_come_back(count: int) -> None:
    values = np.arange(-8, 8, dtype=np.int8)[:count]
    raw = packed(values)
    assert raw.nbytes == -(-count // 2)
    np.testing.assert_array_equal(unpacked(raw, count), values)


def test_the_first_value_is_in_the_lower_half() -> None:
    assert packed(np.array([1, -1], np.int8)).tolist() == [0xF1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="int4 holds -8 to 7, got 1 to 8"):
        packed(np.array([1, 8], np.int8))


def test_limits() -> None:
    assert (limits("int4"), limits("int8")) == ((-8, 7), (-128, 127))


def test_a_tensor_becomes_int4_with_a_scale_for_each_row() -> None:
    graph = Graph()
    value = graph.tensor("x", (1, 3), "int8", scale=[0.5])
    weights = graph.constant("w", np.full((2, 3), 4, np.int8), scale=[0.25])
    result = graph.tensor("y", (1, 2), "int8", scale=[0.5])
    graph.op("FULLY_CONNECTED", (value, weights, -1), (result,))
    root, _ = parse_tree(graph.finish((value,), (result,)))
    edit = ConstantEdit(root)
    edit.set_type(weights, "int4")
    edit.set_values(weights, np.array([[1, 2, 3], [-4, -5, 7]], np.int8))
    edit.set_scale(weights, np.array([0.5, 0.125]))
    tensor = parse_artifact(pack_tree(root)).main.tensors[weights]
    assert (tensor.dtype, tensor.size_bytes) == ("int4", 3)
    assert tensor.values().tolist() == [[1, 2, 3], [-4, -5, 7]]
    assert tensor.quantization is not None
    assert (tensor.quantization.scale, tensor.quantization.zero_point) == ((0.5, 0.125), (0, 0))
