"""Every pass on a graph that it knows: the ops that its docstring promises, and a contract for all of them."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.converters.lower.direct.graph import Graph
from edge_sdk.converters.lower.direct.passes import PASSES
from tests.converters.direct.passes import moves, patterns, scales, windows
from tests.converters.direct.passes.case import Case, graph_of, results_of

pytestmark = pytest.mark.runtime
CASES = {**patterns.CASES, **scales.CASES, **windows.CASES, **moves.CASES}


def _tidy(graph: Graph) -> list[str]:
    """Kinds of the ops that are left where moves that cancel and ops that nobody reads are gone."""
    return [op.kind for op in PASSES["drop_dead"](PASSES["cancel_moves"](graph)).ops]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_ops_that_the_docstring_promises(case: Case) -> None:
    assert _tidy(PASSES[case.name](graph_of(case))) == list(case.after)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_pass_computes_the_same_is_idempotent_and_adds_nothing(case: Case, name: str) -> None:
    before = graph_of(case)
    after = PASSES[name](before)
    # What TFLite has no op for is written in several; and a clamp of one number alone is kept apart by reshapes.
    assert len(_tidy(after)) <= len(_tidy(before)) or name in {"write_out_erf", "keep_clamps_apart"}
    assert _tidy(PASSES[name](after)) == _tidy(after)
    if after.ops == before.ops:
        return
    if any(op.kind == "ERF" for op in before.ops):
        before, after = (PASSES["write_out_erf"](graph) for graph in (before, after))
    for was, now in zip(results_of(before), results_of(after), strict=True):
        # Sums of at most 27 products of normal numbers, rounded in another order.
        np.testing.assert_allclose(now, was, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("clamps of")])
def test_a_convolution_with_a_clamp_opens_in_every_engine(name: str) -> None:
    before = graph_of(CASES[name])
    after = PASSES["keep_clamps_apart"](before)
    for was, now in zip(results_of(before), results_of(after, delegate=True), strict=True):
        np.testing.assert_allclose(now, was, rtol=1e-5, atol=1e-5)
