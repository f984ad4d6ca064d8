"""What a delegate's row stands for, from the tensors around it."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact import parse_artifact
from edge_sdk.engines.rows import ops_between
from tests.graphs import Graph, options


def test_ops_that_lead_nowhere_belong_to_what_they_read() -> None:
    """A ring buffer: the newest of it is assigned back, and only the sum comes out."""
    graph = Graph()
    x, kept, handle = graph.tensor("x", (1, 1)), graph.tensor("kept", (1, 2)), graph.tensor("h", (), "resource")
    joined, newest, total = graph.tensor("joined", (1, 3)), graph.tensor("newest", (1, 2)), graph.tensor("y", (1, 3))
    begin, size = (graph.constant(name, np.array([0, n], np.int32)) for name, n in (("begin", 1), ("size", 2)))
    graph.op("VAR_HANDLE", (), (handle,), options("VarHandleOptions", container="", shared_name="s"))
    graph.op("READ_VARIABLE", (handle,), (kept,), options("ReadVariableOptions"))
    graph.op("CONCATENATION", (kept, x), (joined,), options("ConcatenationOptions", axis=1))
    graph.op("SLICE", (joined, begin, size), (newest,), options("SliceOptions"))
    graph.op("ASSIGN_VARIABLE", (handle, newest), (), options("AssignVariableOptions"))
    graph.op("ABS", (joined,), (total,), options("AbsOptions"))
    main = parse_artifact(graph.finish((x,), (total,))).main
    assert ops_between(main, (x, begin, size), (total,)) == {0, 1, 2, 3, 4, 5}
    # The sum alone: what it reads comes in, and is read by others too.
    assert ops_between(main, (joined,), (total,)) == {5}
    # The handle comes in, so that only its constants tell who reads the rest inside.
    assert ops_between(main, (x, handle, begin, size), (total,)) == {1, 2, 3, 4, 5}
    # What is joined comes out: then nothing tells of those behind it but the constants that go in.
    assert ops_between(main, (x, handle), (joined,)) == {1, 2}
    assert ops_between(main, (x, handle, begin, size), (joined,)) == {1, 2, 3, 4}
