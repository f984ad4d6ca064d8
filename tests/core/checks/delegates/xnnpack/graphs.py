"""Graphs of a few ops for XNNPACK's delegate: what it remembers from op to op, and how it cuts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.graphs import Graph, options


def graph_of(*edges: str, outputs: str) -> bytes:
    """``xy>z``: ADD, ``x>y``: ABS, ``x!y``: LOG, which XNNPACK does not take."""
    graph = Graph()
    letters = sorted({letter for edge in edges for letter in edge if letter.isalpha()})
    at = {letter: graph.tensor(letter, (1, 4)) for letter in letters}
    for edge in edges:
        before, _, after = edge.partition(">" if ">" in edge else "!")
        name = "LOG" if "!" in edge else "ABS" if len(before) == 1 else "ADD"
        kind = options("AddOptions") if name == "ADD" else None
        graph.op(name, [at[letter] for letter in before], [at[after]], kind)
    return graph.finish([at["x"]], [at[letter] for letter in outputs])


def halves(*, bias: str, readers: str) -> bytes:
    """float16 weights behind a DEQUANTIZE, read by a dense layer and by what ``readers`` names."""
    graph = Graph()
    x, w32, b32 = graph.tensor("x", (1, 4)), graph.tensor("w32", (4, 4)), graph.tensor("b32", (4,))
    w = graph.constant("w", np.ones((4, 4), np.float16))
    graph.op("DEQUANTIZE", (w,), (w32,))
    if bias == "float16":
        graph.op("DEQUANTIZE", (graph.constant("b", np.ones(4, np.float16)),), (b32,))
    else:
        b32 = graph.constant("b", np.ones(4, np.float32))
    ends = [graph.tensor("y", (1, 4))]
    graph.op("FULLY_CONNECTED", (x, w32, b32), ends, options("FullyConnectedOptions"))
    for name in readers.split():
        ends.append(graph.tensor(name, (4, 4)))
        inputs = (w32, w32) if name == "ADD" else (w32,)
        graph.op(name, inputs, ends[-1:], options("AddOptions") if name == "ADD" else None)
    return graph.finish((x,), ends)


def weights(dtype: str, scale: float | None) -> bytes:
    """Integer weights behind a DEQUANTIZE."""
    graph = Graph()
    x, y, w32 = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4)), graph.tensor("w32", (4, 4))
    w = graph.constant("w", np.ones((4, 4), dtype), scale=None if scale is None else [scale])
    graph.op("DEQUANTIZE", (w,), (w32,), version=2)
    graph.op("FULLY_CONNECTED", (x, w32, -1), (y,), options("FullyConnectedOptions"))
    return graph.finish((x,), (y,))


def variable(*, dtype: str = "float32", assigned: bool = True, read: int = 4) -> bytes:
    """``y = x + v`` with ``v`` assigned before, or not."""
    graph = Graph()
    scale = [0.1] if dtype == "int8" else None
    x, y = graph.tensor("x", (1, 4), dtype, scale=scale), graph.tensor("y", (1, 4), dtype, scale=scale)
    value, handle = graph.tensor("v", (1, read), dtype, scale=scale), graph.tensor("r", (1,), "resource")
    graph.op("VAR_HANDLE", (), (handle,), options("VarHandleOptions", container="", shared_name="v"))
    if assigned:
        graph.op("ASSIGN_VARIABLE", (handle, x), ())
    graph.op("READ_VARIABLE", (handle,), (value,))
    graph.op("ADD", (x, value), (y,), options("AddOptions"))
    return graph.finish((x,), (y,))


def graphs() -> Iterator[tuple[str, bytes]]:
    """Each graph with what it shows."""
    yield "a hole", graph_of("x>a", "a!b", "b>c", outputs="c")
    yield "an independent branch joins", graph_of("x>a", "x!b", "a>c", "b>d", "cd>e", outputs="e")
    yield "the first op is refused", graph_of("x!b", "x>a", "a>c", "b>d", "cd>e", outputs="e")
    yield "a dead op", graph_of("x>a", "x>b", outputs="b")
    yield "an inner output", graph_of("x>a", "a>b", outputs="ab")
    yield "two branches", graph_of("x>a", "a!b", "ab>c", "c!d", "ad>e", "ce>f", outputs="bf")
    yield "nothing", graph_of("x!a", outputs="a")
    for bias in ("float16", "float32"):
        for readers in ("", "ADD", "LOG", "ABS LOG"):
            yield f"half weights, {bias} bias, {readers}", halves(bias=bias, readers=readers)
    for dtype, scale in (("int8", 0.1), ("int8", None), ("uint8", 0.1)):
        yield f"{dtype} weights {scale}", weights(dtype, scale)
    for dtype in ("float32", "int8", "int32"):
        yield f"{dtype} variable", variable(dtype=dtype)
    yield "a variable that is only read", variable(assigned=False)
    yield "a variable of two shapes", variable(read=1)
