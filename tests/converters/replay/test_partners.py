"""Ops of an int8 file and the float ops that they were made from."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.replay.plan import make_plan
from tests.graphs import Graph, options

_POOL = {"stride_w": 2, "stride_h": 2, "filter_width": 3, "filter_height": 3, "padding": 1}


def _pooled(name: str, border: float | None) -> bytes:
    """RELU, a border, and the maximum of windows, as torchvision's ResNets begin."""
    graph = Graph()
    x, y, z, pooled = (graph.tensor(n, (1, s, s, 2)) for n, s in (("x", 4), (name, 4), (f"{name}/pad", 6), ("end", 2)))
    graph.op("RELU", [x], [y])
    around = graph.constant("around", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    if border is None:
        graph.op("PAD", [y, around], [z], options("PadOptions"))
    else:
        graph.op("PADV2", [y, around, graph.constant("border", np.array(border, np.float32))], [z])
    graph.op("MAX_POOL_2D", [z], [pooled], options("Pool2DOptions", **_POOL))
    return graph.finish((x,), (pooled,))


def test_a_border_that_the_quantizer_writes_as_another_op_keeps_its_partner() -> None:
    lowered, template = parse_artifact(_pooled("one", -3.4e38)), parse_artifact(_pooled("two", None))
    assert [step.op.name for step in make_plan(template, lowered).steps] == ["RELU", "PAD", "MAX_POOL_2D"]
