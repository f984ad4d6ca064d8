"""SAME that pads nothing is VALID, in every number, and right on the delegate of every engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.idle_padding import idle_paddings, unread
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.lower.idle_padding import without_idle_padding
from tests.graphs import Graph, options

SAME, VALID = 0, 1


def strided(side: int, kernel: int, stride: int, *, padding: int = SAME, kind: str = "CONV_2D") -> bytes:
    rng = np.random.default_rng(0)
    graph = Graph()
    extent = -(-side // stride) if padding == SAME else (side - kernel) // stride + 1
    channels = 3 if kind == "DEPTHWISE_CONV_2D" else 4
    shape = (1, kernel, kernel, 3) if kind == "DEPTHWISE_CONV_2D" else (4, kernel, kernel, 3)
    x, y = graph.tensor("x", (1, side, side, 3)), graph.tensor("y", (1, extent, extent, channels))
    weights = graph.constant("w", rng.standard_normal(shape).astype(np.float32))
    bias = graph.constant("b", np.zeros(channels, np.float32))
    settings = {"stride_h": stride, "stride_w": stride, "dilation_h_factor": 1, "dilation_w_factor": 1}
    table = "DepthwiseConv2DOptions" if kind == "DEPTHWISE_CONV_2D" else "Conv2DOptions"
    settings |= {"depth_multiplier": 1} if kind == "DEPTHWISE_CONV_2D" else {}
    graph.op(kind, (x, weights, bias), (y,), options(table, padding=padding, **settings))
    return graph.finish((x,), (y,))


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "left"),
    [(32, 3, 4, 1), (33, 2, 3, 1), (30, 3, 5, 2), (31, 3, 4, 0), (33, 3, 4, -2), (32, 3, 1, -2)],
)
def test_rows_that_no_window_reads(side: int, kernel: int, stride: int, left: int) -> None:
    """The input less what the windows span; negative is what SAME adds."""
    graph = parse_artifact(strided(side, kernel, stride)).main
    assert unread(graph, graph.ops[0]) == (left, left)
    assert bool(list(idle_paddings(graph))) == (left > 0)


def test_what_pads_or_reads_all_stays() -> None:
    for data in (strided(33, 3, 4), strided(31, 3, 4), strided(32, 3, 4, padding=VALID)):
        assert without_idle_padding(data) is data


@pytest.mark.runtime
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize(("side", "kernel", "stride"), [(32, 3, 4), (33, 2, 3), (30, 3, 5)])
def test_results_are_those_of_the_kernels_of_tflite(
    tmp_path: Path, side: int, kernel: int, stride: int, kind: str
) -> None:
    """On XNNPACK, against numpy: sums of 27 products at most, in float32."""
    from edge_sdk.engines.runner import Runner

    data = without_idle_padding(strided(side, kernel, stride, kind=kind))
    (op,) = parse_artifact(data).main.ops
    assert op.options["padding"] == VALID
    path = tmp_path / "valid.tflite"
    path.write_bytes(data)
    x = np.random.default_rng(1).standard_normal((1, side, side, 3)).astype(np.float32)
    got = Runner(path).run_real({"x": x})["y"]
    weights = parse_artifact(data).main.tensors[op.inputs[1]].values()
    for row, column in ((0, 0), (got.shape[1] - 1, got.shape[2] - 1)):
        window = x[0, row * stride : row * stride + kernel, column * stride : column * stride + kernel]
        want = (window * weights[0]).sum((0, 1)) if kind == "DEPTHWISE_CONV_2D" else (weights * window).sum((1, 2, 3))
        assert np.allclose(got[0, row, column], want, atol=1e-4)
