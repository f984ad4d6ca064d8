"""Where the Edge TPU's compiler cuts a graph."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.placement.rule_sets import place_by
from tests.core.checks.placement.test_rule_sets import SCALE
from tests.graphs import Graph, options


def test_the_edge_tpu_takes_one_run_of_ops() -> None:
    graph = Graph()
    tensors = [graph.tensor("in", (1, 4))]
    tensors += [graph.tensor(f"t{place}", (1, 4), "int8", scale=SCALE) for place in range(4)]
    for name, source, result in zip(("QUANTIZE", "RELU", "ABS", "RELU"), tensors, tensors[1:], strict=False):
        graph.op(name, (source,), (result,))
    placement = place_by("edgetpu", parse_artifact(graph.finish(tensors[:1], tensors[-1:])).main)
    assert placement.claimed == (1,)
    assert [placement.refused[op].rule for op in (0, 2, 3)] == ["tensor-type", "op-not-handled", "after-cut"]
    assert "op 2 ABS" in placement.refused[3].message


def test_the_edge_tpu_leaves_a_segmenters_head() -> None:
    """DeepLab's head as google-coral/test_data has it: its compiled file ends before the first resizing."""
    graph = Graph()
    sizes = {"features": (33, 320), "shallow": (33, 256), "pooled": (1, 320), "deep": (1, 256), "grown": (33, 256)}
    sizes |= {"again": (33, 256), "joined": (33, 512), "classes": (33, 21), "same": (33, 21), "large": (513, 21)}
    made = {
        name: graph.tensor(name, (1, side, side, depth), "int8", scale=SCALE) for name, (side, depth) in sizes.items()
    }
    best = graph.tensor("best", (1, 513, 513), "int64")

    def conv(source: str, result: str) -> None:
        shape = (sizes[result][1], 1, 1, sizes[source][1])
        kernel = graph.constant(f"kernel {result}", np.zeros(shape, np.int8), scale=SCALE)
        graph.op("CONV_2D", (made[source], kernel), (made[result],), options("Conv2DOptions", stride_h=1, stride_w=1))

    def resize(source: str, result: str) -> None:
        side = graph.constant(f"size {result}", np.array([sizes[result][0]] * 2, np.int32))
        graph.op("RESIZE_BILINEAR", (made[source], side), (made[result],), options("ResizeBilinearOptions"))

    pool = options("Pool2DOptions", filter_height=33, filter_width=33, stride_h=33, stride_w=33)
    graph.op("AVERAGE_POOL_2D", (made["features"],), (made["pooled"],), pool)
    conv("features", "shallow")
    conv("pooled", "deep")
    resize("deep", "grown")
    graph.op("QUANTIZE", (made["grown"],), (made["again"],))
    graph.op(
        "CONCATENATION", (made["again"], made["shallow"]), (made["joined"],), options("ConcatenationOptions", axis=3)
    )
    conv("joined", "classes")
    resize("classes", "same")
    resize("same", "large")
    axis = graph.constant("axis", np.array(3, np.int32))
    graph.op("ARG_MAX", (made["large"], axis), (best,), options("ArgMaxOptions", output_type=4))
    placement = place_by("edgetpu", parse_artifact(graph.finish((made["features"],), (best,))).main)
    assert placement.claimed == (0, 1, 2)
    assert placement.refused[3].rule == "tensor-shape"
    assert {placement.refused[op].rule for op in (4, 5, 6, 7)} == {"after-cut"}


def test_the_edge_tpu_goes_on_in_branches_that_do_not_read_what_was_cut() -> None:
    """Two heads, as MoveNet has them: the second is mapped although the first ends in an op that is not."""
    graph = Graph()
    made = [graph.tensor(name, (1, 4), "int8", scale=SCALE) for name in ("in", "trunk", "left", "right")]
    best, late = graph.tensor("best", (1,), "int32"), graph.tensor("late", (1, 1), "int8", scale=SCALE)
    graph.op("RELU", (made[0],), (made[1],))
    graph.op("RELU", (made[1],), (made[2],))
    axis = graph.constant("axis", np.array(1, np.int32))
    graph.op("ARG_MAX", (made[2], axis), (best,), options("ArgMaxOptions", output_type=2))
    graph.op("TANH", (made[1],), (made[3],))
    graph.op("GATHER", (made[3], best), (late,), options("GatherOptions", axis=1))
    placement = place_by("edgetpu", parse_artifact(graph.finish(made[:1], (made[3], late))).main)
    assert placement.claimed == (0, 1, 3)
    assert placement.refused[4].rule == "op-not-handled"
