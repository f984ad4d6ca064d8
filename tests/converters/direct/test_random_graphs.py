"""Random graphs of all families of ops compute what ONNX says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.converters.direct.compare import lowered, run
from tests.converters.direct.drawn.graphs import Case, graphs

pytestmark = pytest.mark.onnx


def _check(case: Case) -> None:
    # Six steps, each a sum of at most a few hundred products in float32, relative to the largest number on the way;
    # results of float16 are rounded to its eleven bits.
    tolerance = (1e-4 + 1e-3 * case.half) * max(1.0, case.largest)
    for layout in ("nhwc", "source"):
        graph = lowered(case.proto, case.feeds, layout)
        for got, (name, want) in zip(run(graph, case.feeds), case.wants.items(), strict=True):
            assert got.shape == want.shape, (layout, name)
            assert case.half or got.dtype == want.dtype, (layout, name)
            np.testing.assert_allclose(got * 1.0, want * 1.0, rtol=0, atol=tolerance, err_msg=f"{layout} {name}")


_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=50, **_SETTINGS)
@given(graphs())
def test_random_graphs(case: Case) -> None:
    _check(case)


@pytest.mark.slow
def test_thousands_of_random_graphs() -> None:
    """And no family of steps is one that never fits: the ops that were drawn are at least those said here."""
    drawn: set[str] = set()

    @settings(max_examples=3000, **_SETTINGS)
    @given(graphs())
    def try_all(case: Case) -> None:
        drawn.update(node.op_type for node in case.proto.graph.node)
        _check(case)

    try_all()
    assert len(drawn) >= 115, sorted(drawn)
