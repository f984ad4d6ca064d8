"""A self-test looks at what was decided on: rounding that moves an argmax is no fault, anything more is one."""

from __future__ import annotations

from collections.abc import Callable

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
        assert f"right before {'TOPK_V2' if top else 'ARG_MAX'} (op 1), which decides" in str(chosen.self_test)
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
