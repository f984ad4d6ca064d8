"""Text in and out of a model: told in words, as what the runtime cannot hold, and never a foreign exception."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_sdk import EdgeSdkError, Session
from tests.graphs import Graph, options

pytestmark = pytest.mark.runtime


def text() -> bytes:
    """``y = reshape(x)`` of strings."""
    graph = Graph()
    x, y = graph.tensor("x", (2,), "string"), graph.tensor("y", (1, 2), "string")
    graph.op("RESHAPE", (x,), (y,), options("ReshapeOptions", new_shape=[1, 2]))
    return graph.finish((x,), (y,))


@pytest.mark.parametrize("delegate", ["auto", "cpu", "xnnpack"])
@pytest.mark.parametrize(
    "values", [np.array(["a", "b"]), np.array([b"a", b"b"]), np.array(["a", "b"], object), np.zeros(2, np.float32)]
)
def test_text_never_ends_in_a_foreign_exception(delegate: str, values: Any) -> None:
    ways: list[Callable[[Session], object]] = [
        lambda session: session.run({"x": values}),
        lambda session: list(session.run_many([{"x": values}])),
        lambda session: session.views(),
    ]
    for way in ways:
        with contextlib.suppress(EdgeSdkError), Session.open(text(), delegate=delegate) as session:
            way(session)
