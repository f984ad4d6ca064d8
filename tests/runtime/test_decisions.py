"""A self-test looks at what was decided on: rounding that moves an argmax is no fault, anything more is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_sdk import Session
from edge_sdk.artifact import parse_artifact
from edge_sdk.engines.source import source_of
from edge_sdk.errors import DelegateUnavailableError
from edge_sdk.runtime.decisions import cut_at_decisions, with_outputs
from tests.graphs import Graph, options

pytestmark = pytest.mark.runtime
_FULLY, _ARG = "FullyConnectedOptions", "ArgMaxOptions"


def classes(*, signature: bool = True, top: bool = False) -> bytes:
    """Three sums, of which the first two are equal and the largest; only the place of the largest comes out."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("sums", (1, 3))
    row = np.array([0.3, -0.2, 0.5, 0.1], np.float32)
    w = graph.constant("w", np.stack([row, row, -row]))
    bias = graph.constant("b", np.array([10, 10, -10], np.float32))
    graph.op("FULLY_CONNECTED", (x, w, bias), (y,), options(_FULLY))
    if top:
        values, best = graph.tensor("values", (1, 2)), graph.tensor("best", (1, 2), "int32")
        graph.op("TOPK_V2", (y, graph.constant("k", np.array(2, np.int32))), (values, best), options("TopKV2Options"))
    else:
        best = graph.tensor("best", (1,), "int32")
        axis = graph.constant("axis", np.array(1, np.int32))
        graph.op("ARG_MAX", (y, axis), (best,), options(_ARG, output_type=2))
    return graph.finish((x,), (best,), signature=signature)


@pytest.mark.parametrize("signature", [True, False])
@pytest.mark.parametrize("top", [True, False])
def test_rounding_that_moves_a_decision_is_explained(fake: Callable[..., None], signature: bool, top: bool) -> None:
    fake(gpu="rounding")
    with Session.open(classes(signature=signature, top=top), delegate=["gpu", "cpu"]) as session:
        chosen = session.receipt.opening.chosen
        assert chosen.candidate == "gpu"
        op = "TOPK_V2" if top else "ARG_MAX"
        assert f"right before {op} (op 1, values at most 0 apart), which decides" in str(chosen.self_test)
        assert session.run({"x": np.zeros((1, 4), np.float32)})["best"].dtype == np.int32


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("skewed", r"output `.*`: SQNR .*, expected >= 60"), ("choosing", "whole numbers are equal or wrong")],
)
@pytest.mark.parametrize("top", [True, False])
def test_what_rounding_does_not_explain_stays_a_fault(
    fake: Callable[..., None], wrong: str, told: str, top: bool
) -> None:
    fake(gpu=wrong)
    with pytest.raises(DelegateUnavailableError, match=told):
        Session.open(classes(top=top), delegate="gpu")


def test_the_cut_is_at_the_first_decisions() -> None:
    graph = Graph()
    x, y, z = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4)), graph.tensor("z", (1, 4))
    first, second = graph.tensor("first", (1,), "int32"), graph.tensor("second", (1,), "int32")
    row = graph.tensor("row", (1, 1))
    axis = graph.constant("axis", np.array(1, np.int32))
    graph.op("ABS", (x,), (y,), options("AbsOptions"))
    graph.op("ARG_MAX", (y, axis), (first,), options(_ARG, output_type=2))
    graph.op("NEG", (x,), (z,), options("NegOptions"))
    graph.op("GATHER", (z, first), (row,), options("GatherOptions", axis=1, batch_dims=0))
    graph.op("ARG_MIN", (row, axis), (second,), options("ArgMinOptions", output_type=2))
    content = graph.finish((x,), (second,))
    artifact = parse_artifact(content)
    cut = cut_at_decisions(artifact.main, artifact.main.outputs)
    assert (cut.values, set(cut.decisions)) == ({y, z}, {1})
    wider = with_outputs(source_of(content, name="m"), cut.values)
    assert [t.index for t in wider.artifact.signature.outputs.values()] == [second, y, z]
    # Nothing is decided on the way to these.
    assert not cut_at_decisions(artifact.main, [z]).decisions


def detector(kind: str, *, chained: bool = False) -> bytes:
    """Boxes of three anchors, constant, and a score for each from ``x``, of which the first two are equal.

    Args:
        kind: what selects: ``NON_MAX_SUPPRESSION_V4``, ``_V5``, ``TFLite_Detection_PostProcess``, or ``GREATER_EQUAL``.
        chained: whether the result is computed with once more.
    """
    graph = Graph()
    x, scores = graph.tensor("x", (1, 4)), graph.tensor("scores", (1, 3))
    row = np.array([0.3, -0.2, 0.5, 0.1], np.float32)
    w = graph.constant("w", np.stack([row, row, -row]))
    bias = graph.constant("b", np.array([10, 10, 8], np.float32))
    graph.op("FULLY_CONNECTED", (x, w, bias), (scores,), options(_FULLY))
    if kind == "GREATER_EQUAL":
        first, second, flags = (
            graph.tensor("first", (1, 1)),
            graph.tensor("second", (1, 1)),
            graph.tensor("f", (1, 1), "bool"),
        )
        for place, out in enumerate((first, second)):
            begin = graph.constant(f"begin{place}", np.array([0, place], np.int32))
            size = graph.constant(f"size{place}", np.array([1, 1], np.int32))
            graph.op("SLICE", (scores, begin, size), (out,), options("SliceOptions"))
        graph.op("GREATER_EQUAL", (first, second), (flags,), options("GreaterEqualOptions"))
        return graph.finish((x,), (flags,))
    corners = np.array([[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]], np.float32)
    if kind == "TFLite_Detection_PostProcess":
        return _post_processed(graph, x, scores, corners)
    flat = graph.tensor("flat", (3,))
    graph.op("RESHAPE", (scores,), (flat,), options("ReshapeOptions", new_shape=[3]))
    limits = [
        graph.constant(name, np.array(value, kind_))
        for name, value, kind_ in (("count", 2, np.int32), ("iou", 0.5, np.float32), ("least", 0.0, np.float32))
    ]
    chosen, count = graph.tensor("chosen", (2,), "int32"), graph.tensor("count out", (), "int32")
    ends, more = [chosen, count], []
    if kind.endswith("V5"):
        limits.append(graph.constant("sigma", np.array(0.0, np.float32)))
        more = [graph.tensor("chosen scores", (2,))]
        ends = [chosen, more[0], count]
    graph.op(
        kind, (graph.constant("boxes", corners), flat, *limits), ends, options(f"NonMaxSuppression{kind[-2:]}Options")
    )
    if not chained:
        return graph.finish((x,), ends)
    picked = graph.tensor("picked", (2, 4))
    graph.op(
        "GATHER", (graph.constant("all", corners), chosen), (picked,), options("GatherOptions", axis=0, batch_dims=0)
    )
    return graph.finish((x,), (picked,))


def _post_processed(graph: Graph, x: int, scores: int, corners: Any) -> bytes:
    sizes = corners[:, 2:] - corners[:, :2]
    anchors = graph.constant("anchors", np.concatenate([corners[:, :2] + sizes / 2, sizes], 1).astype(np.float32))
    boxes = graph.tensor("boxes", (1, 3, 4))
    shifts = graph.constant("shifts", np.zeros((1, 3, 4), np.float32))
    zero = graph.tensor("zero", (1, 1))
    graph.op(
        "SLICE",
        (x, graph.constant("b0", np.array([0, 0], np.int32)), graph.constant("s0", np.array([1, 1], np.int32))),
        (zero,),
        options("SliceOptions"),
    )
    graph.op("MUL", (shifts, zero), (boxes,), options("MulOptions"))
    classes = graph.tensor("classes", (1, 3, 1))
    graph.op("RESHAPE", (scores,), (classes,), options("ReshapeOptions", new_shape=[1, 3, 1]))
    ends = [graph.tensor("b", (1, 2, 4)), graph.tensor("c", (1, 2)), graph.tensor("s", (1, 2)), graph.tensor("n", (1,))]
    graph.op("CUSTOM", (boxes, classes, anchors), ends, custom="TFLite_Detection_PostProcess")
    graph.node.operators[-1].custom_options = np.frombuffer(_settings(), np.uint8)
    return graph.finish((x,), ends)


def _settings() -> bytes:
    """FlexBuffers' own builder is part of the flatbuffers package."""
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        for name, value in (("max_detections", 2), ("max_classes_per_detection", 1), ("num_classes", 1)):
            builder.Int(name, value)
        for name, number in (("nms_score_threshold", 0.0), ("nms_iou_threshold", 0.5)):
            builder.Float(name, number)
        for side, factor in (("y", 10.0), ("x", 10.0), ("h", 5.0), ("w", 5.0)):
            builder.Float(f"{side}_scale", factor)
    return bytes(builder.Finish())


_SELECTING = ("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "TFLite_Detection_PostProcess", "GREATER_EQUAL")


@pytest.mark.parametrize("kind", _SELECTING)
def test_what_selects_is_replayed_on_the_candidates_own_values(fake: Callable[..., None], kind: str) -> None:
    fake(gpu="lessening")
    with Session.open(detector(kind), delegate=["gpu", "cpu"]) as session:
        chosen = session.receipt.opening.chosen
        assert chosen.candidate == "gpu", session.receipt.line()
        assert f"right before {kind} (op " in str(chosen.self_test)


def test_what_is_computed_behind_a_decision_is_replayed_too(fake: Callable[..., None]) -> None:
    fake(gpu="lessening")
    with Session.open(detector("NON_MAX_SUPPRESSION_V5", chained=True), delegate=["gpu", "cpu"]) as session:
        assert session.receipt.opening.chosen.candidate == "gpu"


@pytest.mark.parametrize("kind", _SELECTING[:3])
@pytest.mark.parametrize("wrong", ["skewed", "shuffling"])
def test_a_wrong_selection_is_a_fault(fake: Callable[..., None], kind: str, wrong: str) -> None:
    """Scores that are off by half, or right ones of which others are selected."""
    fake(gpu=wrong)
    with pytest.raises(DelegateUnavailableError) as caught:
        Session.open(detector(kind), delegate="gpu")
    # What is named is the value before the decision, or what was decided.
    assert ("edge-sdk" in str(caught.value)) == (wrong == "skewed")
