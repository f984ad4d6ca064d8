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


def clamped(
    name: str, number: float, *, between: str = "", also: bool = False, channels: int = 1, window: int = 2
) -> bytes:
    """``y = name(CONV_2D(x), number)``, with another op between, or with the convolution's result as an output."""
    graph = Graph()
    x, y, c = (graph.tensor(letter, (1, 4, 4, 2)) for letter in "xyc")
    w, b = (
        graph.constant("w", np.ones((2, window, window, 2), np.float32)),
        graph.constant("b", np.zeros(2, np.float32)),
    )
    graph.op("CONV_2D", (x, w, b), (c,), options("Conv2DOptions", padding=0, stride_w=1, stride_h=1))
    last = c
    if between:
        last = graph.tensor("m", (1, 4, 4, 2))
        low = (graph.constant("low", np.zeros(1, np.float32)),) if between in {"MAXIMUM", "MINIMUM"} else ()
        graph.op(between, (c, *low), (last,))
    graph.op(name, (last, graph.constant("n", np.full(channels, number, np.float32))), (y,))
    return graph.finish((x,), (y, c) if also else (y,))


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
    for name, number in (("MAXIMUM", 0.5), ("MAXIMUM", -0.5), ("MAXIMUM", 0.0), ("MINIMUM", 0.5), ("MINIMUM", -0.5)):
        yield f"a convolution's {name} {number}", clamped(name, number)
        yield f"a pointwise convolution's {name} {number}", clamped(name, number, window=1)
        yield f"a convolution's {name} {number}, for each channel", clamped(name, number, channels=2)
        yield f"a convolution's {name} {number}, the convolution an output", clamped(name, number, also=True)
        for between in ("RELU", "RELU6", "ABS", "MINIMUM", "MAXIMUM"):
            yield f"a convolution's {between} and {name} {number}", clamped(name, number, between=between)
