"""Small models whose ops a delegate takes or leaves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.graphs import Graph, options

_SHAPE = (1, 8, 8, 4)


def _conv(graph: Graph, tensor: int, name: str, generator: np.random.Generator) -> int:
    weights = graph.constant(f"{name}_w", (generator.standard_normal((4, 3, 3, 4)) / 4).astype(np.float32))
    bias = graph.constant(f"{name}_b", generator.standard_normal(4).astype(np.float32))
    out = graph.tensor(name, _SHAPE)
    graph.op("CONV_2D", (tensor, weights, bias), (out,), options("Conv2DOptions", padding=0, stride_w=1, stride_h=1))
    return out


def residual_model(blocks: int = 3) -> bytes:
    """``x -> (CONV_2D, ADD to its input) * blocks``: the ADDs have the odd indices."""
    generator, graph = np.random.default_rng(0), Graph()
    x = tensor = graph.tensor("x", _SHAPE)
    for block in range(blocks):
        features = _conv(graph, tensor, f"conv{block}", generator)
        total = graph.tensor(f"sum{block}", _SHAPE)
        graph.op("ADD", (features, tensor), (total,), options("AddOptions"))
        tensor = total
    return graph.finish((x,), (tensor,))


def split_model() -> bytes:
    """``CONV_2D -> L2_NORMALIZATION -> CONV_2D``: a WebGPU accelerator takes the first and stops at the second."""
    generator, graph = np.random.default_rng(0), Graph()
    x = graph.tensor("x", _SHAPE)
    features = _conv(graph, x, "first", generator)
    unit = graph.tensor("unit", _SHAPE)
    graph.op("L2_NORMALIZATION", (features,), (unit,), options("L2NormOptions"))
    return graph.finish((x,), (_conv(graph, unit, "last", generator),))


def shift_model(*, in_the_middle: bool) -> bytes:
    """``CONV_2D -> CAST -> RIGHT_SHIFT -> CAST``, and another CONV_2D behind; OpenVINO has no RIGHT_SHIFT."""
    generator, graph = np.random.default_rng(0), Graph()
    x = graph.tensor("x", _SHAPE)
    whole, shifted = (graph.tensor(name, _SHAPE, "int32") for name in ("whole", "shifted"))
    graph.op("CAST", (_conv(graph, x, "first", generator),), (whole,), options("CastOptions"))
    graph.op("RIGHT_SHIFT", (whole, graph.constant("by", np.array(1, np.int32))), (shifted,))
    if not in_the_middle:
        return graph.finish((x,), (shifted,))
    back = graph.tensor("back", _SHAPE)
    graph.op("CAST", (shifted,), (back,), options("CastOptions"))
    return graph.finish((x,), (_conv(graph, back, "last", generator),))


def l2_model() -> bytes:
    """``L2_NORMALIZATION`` alone."""
    graph = Graph()
    x, unit = graph.tensor("x", _SHAPE), graph.tensor("unit", _SHAPE)
    graph.op("L2_NORMALIZATION", (x,), (unit,), options("L2NormOptions"))
    return graph.finish((x,), (unit,))


def int8_model() -> bytes:
    """One CONV_2D, int8 in and out; per-channel weights."""
    generator, graph = np.random.default_rng(0), Graph()
    x = graph.tensor("x", _SHAPE, "int8", scale=[0.02], zero_point=[3])
    values = generator.integers(-127, 128, (4, 3, 3, 4), np.int8)
    weights = graph.constant("w", values, scale=[0.004, 0.005, 0.006, 0.007], zero_point=[0] * 4)
    biases = generator.integers(-900, 900, 4, np.int32)
    bias = graph.constant("b", biases, scale=[0.02 * s for s in (0.004, 0.005, 0.006, 0.007)])
    out = graph.tensor("y", _SHAPE, "int8", scale=[0.1], zero_point=[-4])
    conv = options("Conv2DOptions", padding=0, stride_w=1, stride_h=1)
    graph.op("CONV_2D", (x, weights, bias), (out,), conv, version=3)
    return graph.finish((x,), (out,))


def int64_model() -> bytes:
    """Input and output of a type that CompiledModel's buffers do not take."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4), "int64"), graph.tensor("y", (1, 4), "int64")
    graph.op("ADD", (x, x), (y,), options("AddOptions"), version=4)
    return graph.finish((x,), (y,))


MODELS: dict[str, Callable[[], bytes]] = {
    "residual": residual_model,
    "split": split_model,
    "int8": int8_model,
    "l2": l2_model,
    "int64": int64_model,
    "shift_last": lambda: shift_model(in_the_middle=False),
    "shift_middle": lambda: shift_model(in_the_middle=True),
}
