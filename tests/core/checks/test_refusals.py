"""Files that every engine refuses, and their neighbours that it takes; the installed engine is the oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.checks.refusals import refusals
from edge_sdk.engines.installed import find_engine
from tests.graphs import Graph, options
from tests.runtime.kinds import delay


def quantized(shape: Sequence[int], scales: int, axis: int) -> bytes:
    """Weights of TFLite Micro's kind: `person_detect` has one scale along dimension 3 of rank 1."""
    graph = Graph()
    weights = graph.constant("weights", np.zeros(shape, np.int8), scale=[1.0] * scales, axis=axis)
    y = graph.tensor("y", shape)
    graph.op("DEQUANTIZE", (weights,), (y,), options("DequantizeOptions"))
    return graph.finish((), (y,))


def variable(*, data: bool) -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    held = graph.constant("held", np.zeros((1, 4), np.float32)) if data else graph.tensor("held", (1, 4))
    graph.node.tensors[held].is_variable = True
    graph.op("ADD", (x, held), (y,), options("AddOptions"))
    return graph.finish((x,), (y,))


def squeezed(dimensions: list[int] | None, result: Sequence[int]) -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4, 1)), graph.tensor("y", result)
    graph.op("SQUEEZE", (x,), (y,), options("SqueezeOptions", squeeze_dims=dimensions))
    return graph.finish((x,), (y,))


def spectrum(extent: int) -> bytes:
    """openWakeWord's: samples of open number, stored as 1, to a convolution of 512 without padding."""
    graph = Graph()
    x = graph.tensor("x", (1, extent), signature=(-1, -1))
    image = graph.tensor("image", (1, 1, extent, 1), signature=(-1, 1, -1, 1))
    wider = graph.tensor("wider", (1, 1, extent), signature=(-1, 1, -1))
    y = graph.tensor("y", (1, 1, 1, 2), signature=(-1, 1, -1, 2))
    graph.op("EXPAND_DIMS", (x, graph.constant("one", np.array(1, np.int32))), (wider,), options("ExpandDimsOptions"))
    last = graph.constant("last", np.array(-1, np.int32))
    graph.op("EXPAND_DIMS", (wider, last), (image,), options("ExpandDimsOptions"))
    kernel = graph.constant("kernel", np.ones((2, 1, 512, 1), np.float32))
    bias = graph.constant("bias", np.zeros(2, np.float32))
    window = options("Conv2DOptions", padding=1, stride_w=160, stride_h=1)
    graph.op("CONV_2D", (image, kernel, bias), (y,), window)
    return graph.finish((x,), (y,))


def padded_spectrum() -> bytes:
    """What a PAD computes may be more than the file states: nothing is said."""
    graph = Graph()
    x, wide = graph.tensor("x", (1, 1, 1, 1)), graph.tensor("wide", (1, 1, 1, 1), signature=(1, 1, -1, 1))
    y = graph.tensor("y", (1, 1, 1, 1), signature=(1, 1, -1, 1))
    pads = graph.constant("pads", np.array([[0, 0], [0, 0], [0, 9], [0, 0]], np.int32))
    graph.op("PAD", (x, pads), (wide,), options("PadOptions"))
    kernel = graph.constant("kernel", np.ones((1, 1, 5, 1), np.float32))
    bias = graph.constant("bias", np.zeros(1, np.float32))
    graph.op("CONV_2D", (wide, kernel, bias), (y,), options("Conv2DOptions", padding=1, stride_w=1, stride_h=1))
    return graph.finish((x,), (y,))


def lstm() -> bytes:
    graph = Graph()
    graph.op("LSTM", (), ())
    return graph.finish((), (), signature=False)


CASES: dict[str, tuple[bytes, str]] = {
    "scale along 3 of rank 1": (quantized((4,), 1, 3), "quantized-dimension"),
    "scale along -1": (quantized((4,), 1, -1), "quantized-dimension"),
    "scales along 1 of rank 1": (quantized((4,), 4, 1), "quantized-dimension"),
    "three scales of four": (quantized((4,), 3, 0), "quantized-dimension"),
    "scales of the other dimension": (quantized((4, 5), 4, 1), "quantized-dimension"),
    "one scale": (quantized((4,), 1, 0), ""),
    "one scale of a scalar": (quantized((), 1, 1), ""),
    "four scales": (quantized((4,), 4, 0), ""),
    "variable with data": (variable(data=True), "variable-with-data"),
    "variable": (variable(data=False), ""),
    "a delay line": (delay("float32", (2, 3)), ""),
    "squeeze of 4": (squeezed([1], (1, 1)), "shape-contradiction"),
    "squeeze of nothing": (squeezed([3], (1, 4)), "shape-contradiction"),
    "squeeze from behind": (squeezed([-1], (1, 4)), ""),
    "squeeze without dimensions": (squeezed(None, (4,)), ""),
    "512 of 1 sample": (spectrum(1), "window-beyond-input"),
    "512 of 512 samples": (spectrum(512), ""),
    "5 behind a pad": (padded_spectrum(), ""),
    "LSTM without options": (lstm(), "options-missing"),
}


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_an_error_by_its_name(name: str) -> None:
    content, rule = CASES[name]
    assert [finding.rule for finding in refusals(parse_artifact(content))] == [rule] * bool(rule)


@pytest.mark.runtime
@pytest.mark.parametrize("name", CASES)
def test_engine_agrees(name: str) -> None:
    """With its own kernels: a delegate has rules of its own."""
    content, rule = CASES[name]
    module = find_engine().module
    plain = {"experimental_op_resolver_type": module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
    try:
        module.Interpreter(model_content=content, **plain).allocate_tensors()
        opens = True
    except (RuntimeError, ValueError):
        opens = False
    assert opens is (not rule)


def test_window_that_is_a_little_too_large_leaves_nothing() -> None:
    """Engines open it, and its output has no values."""
    (said,) = refusals(parse_artifact(spectrum(511)))
    assert (said.rule, said.severity) == ("window-beyond-input", "warning")
