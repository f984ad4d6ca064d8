"""Files that every engine refuses, and their neighbours that it takes; the installed engine is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge_sdk import Session
from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.checks.refusals import _OPERANDS, refusals
from edge_sdk.engines.installed import find_engine
from edge_sdk.errors import ModelError
from tests.graphs import Graph, options
from tests.hostile.models import branches
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


def reshaped(new: list[int], *, stored: bool = False, entered: bool = True) -> bytes:
    """``x (2, 3)`` as another shape, told by an option or a second operand; in the entry, or in another's subgraph."""
    first = Graph()
    a, b = first.tensor("a", (1, 4)), first.tensor("b", (1, 4))
    if not entered:
        first.op("ABS", (a,), (b,), options("AbsOptions"))
        first.entry("serving_default", (a,), (b,))
    graph = first if entered else first.another("other")
    x, y = graph.tensor("x", (2, 3)), graph.tensor("y", (3, 2))
    told = (graph.constant("new", np.array(new, np.int32)),) if stored else ()
    graph.op("RESHAPE", (x, *told), (y,), options("ReshapeOptions", new_shape=None if stored else new))
    graph.entry("serving_default" if entered else "other", (x,), (y,))
    return pack_tree(first.root)


def strided(kind: str, step: int) -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4, 4, 1)), graph.tensor("y", (1, 4, 4, 1))
    if kind == "CONV_2D":
        kernel = graph.constant("kernel", np.ones((1, 1, 1, 1), np.float32))
        bias = graph.constant("bias", np.zeros(1, np.float32))
        graph.op(kind, (x, kernel, bias), (y,), options("Conv2DOptions", stride_w=1, stride_h=step))
    else:
        sizes = {"filter_width": 1, "filter_height": 1, "stride_w": step, "stride_h": 1}
        graph.op(kind, (x,), (y,), options("Pool2DOptions", **sizes))
    return graph.finish((x,), (y,))


def calling(subgraph: int) -> bytes:
    root, _ = parse_tree(delay("float32", (1, 4)))
    root.subgraphs[0].operators[0].builtin_options.init_subgraph_index = subgraph
    return pack_tree(root)


def overlapping() -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("ABS", (x,), (y,), options("AbsOptions"))
    graph.op("ADD", (x, y), (y,), options("AddOptions"))
    return graph.finish((x,), (y,))


def renamed(name: str, place: int = 0) -> bytes:
    root, _ = parse_tree(strided("CONV_2D", 1))
    root.signature_defs[0].inputs[place].name = name
    return pack_tree(root)


def changed(content: bytes, change: Callable[[Node], object]) -> bytes:
    root, _ = parse_tree(content)
    change(root)
    return pack_tree(root)


def counted(kind: str, operands: int, results: int = 1) -> bytes:
    """An op on floats with so many operands, all the same."""
    graph = Graph()
    x = graph.tensor("x", (1, 4))
    fields: dict[str, dict[str, object]] = {"RESHAPE": {"new_shape": [1, 4]}, "SQUEEZE": {"squeeze_dims": []}}
    dtype = "bool" if kind in ("EQUAL", "GREATER", "LESS") else "float32"
    made = [graph.tensor(f"y{place}", (1, 4), dtype) for place in range(results)]
    named = {"MAXIMUM": "MaximumMinimum", "MINIMUM": "MaximumMinimum", "L2_NORMALIZATION": "L2Norm"}
    name = named.get(kind) or "".join(word.capitalize() for word in kind.split("_"))
    has = f"{name}Options" in schema().tables
    graph.op(kind, (x,) * operands, made, options(f"{name}Options", **fields.get(kind, {})) if has else None)
    return graph.finish((x,), made or (x,))


def reshaped_by_nothing(size: int) -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, size)), graph.tensor("y", ())
    graph.op("RESHAPE", (x,), (y,), options("ReshapeOptions", new_shape=None))
    return graph.finish((x,), (y,))


def biased(biases: int) -> bytes:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 3))
    weights = graph.constant("weights", np.ones((3, 4), np.float32))
    bias = graph.constant("bias", np.zeros(biases, np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, bias), (y,), options("FullyConnectedOptions"))
    return graph.finish((x,), (y,))


def emptied(root: Node) -> None:
    """A constant that has a buffer, and nothing in it."""
    root.buffers[root.subgraphs[0].tensors[2].buffer].data = np.empty(0, np.uint8)


def _branch(name: str, index: int) -> bytes:
    return changed(
        branches(),
        lambda root: setattr(
            root.subgraphs[0].operators[name == "body"].builtin_options, f"{name}_subgraph_index", index
        ),
    )


CASES: dict[str, tuple[bytes, str]] = {
    "another version of the schema": (
        changed(strided("CONV_2D", 1), lambda r: setattr(r, "version", 4)),
        "schema-version",
    ),
    "options of another kind": (
        changed(strided("CONV_2D", 1), lambda r: setattr(r.subgraphs[0].operators[0], "builtin_options", None)),
        "op-malformed",
    ),
    "a type that is none": (
        changed(
            strided("CONV_2D", 1),
            lambda r: setattr(r.subgraphs[0].operators[0].builtin_options, "quantized_bias_type", 99),
        ),
        "op-malformed",
    ),
    "a constant without its bytes": (changed(biased(3), emptied), "shape-contradiction"),
    "a bias for each filter": (biased(3), ""),
    "a bias too few": (biased(2), "shape-contradiction"),
    "a reshape of one value to none stated": (reshaped_by_nothing(1), ""),
    "a reshape of two values to none stated": (reshaped_by_nothing(2), "shape-contradiction"),
    "a branch that is not there": (_branch("then", 9), "op-malformed"),
    "a body that is not there": (_branch("body", 9), "op-malformed"),
    "a body that takes other values": (_branch("body", 0), "op-malformed"),
    "branches that are there": (branches(), ""),
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
    "a reshape": (reshaped([3, -1]), ""),
    "a reshape by an operand": (reshaped([6], stored=True), ""),
    "a reshape to more values": (reshaped([3, 3]), "shape-contradiction"),
    "a reshape to more by an operand": (reshaped([4, -1], stored=True), "shape-contradiction"),
    "a reshape that only another signature runs": (reshaped([3, 3], entered=False), ""),
    "steps of one": (strided("CONV_2D", 1), ""),
    "steps of none": (strided("CONV_2D", 0), "op-malformed"),
    "a pool's steps of none": (strided("MAX_POOL_2D", 0), "op-malformed"),
    "a mean's steps of one": (strided("AVERAGE_POOL_2D", 1), ""),
    "a first run of a subgraph that is not there": (calling(7), "op-malformed"),
    "a first run of itself": (calling(0), "op-malformed"),
    "an op that writes what it reads": (overlapping(), "op-malformed"),
    "a name of no letters": (renamed("\udcff\udcfe"), "name-not-text"),
    "a name that ends before them": (renamed("x\0\udcff"), ""),
    "a name of other letters": (renamed("\u00e9tat"), ""),
}


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_an_error_by_its_name(name: str) -> None:
    content, rule = CASES[name]
    assert [finding.rule for finding in refusals(parse_artifact(content))] == [rule] * bool(rule)


@pytest.mark.runtime
@pytest.mark.parametrize("name", CASES)
def test_engine_agrees(name: str) -> None:
    content, rule = CASES[name]
    assert opens(content) is (not rule)


def opens(content: bytes) -> bool:
    """With the engine's own kernels: a delegate has rules of its own."""
    module = find_engine().module
    plain = {"experimental_op_resolver_type": module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
    try:
        module.Interpreter(model_content=content, **plain).allocate_tensors()
    except (RuntimeError, ValueError):
        return False
    return True


@pytest.mark.runtime
@pytest.mark.parametrize("kind", _OPERANDS)
def test_numbers_of_operands_and_results_are_the_kernels_own(kind: str) -> None:
    for operands, results in ((0, 1), (1, 1), (2, 1), (3, 1), (min(_OPERANDS[kind]), 0), (min(_OPERANDS[kind]), 2)):
        content = counted(kind, operands, results)
        found = [finding.rule for finding in refusals(parse_artifact(content))]
        assert found == ([] if opens(content) else ["op-malformed"]), (operands, results)


def test_window_that_is_a_little_too_large_leaves_nothing() -> None:
    """Engines open it, and its output has no values."""
    (said,) = refusals(parse_artifact(spectrum(511)))
    assert (said.rule, said.severity) == ("window-beyond-input", "warning")


@pytest.mark.runtime
def test_a_signature_that_leaves_something_out_is_refused_as_sessions_do() -> None:
    root, _ = parse_tree(reshaped([3, 2]))
    root.signature_defs[0].inputs = []
    content = pack_tree(root)
    assert [finding.rule for finding in refusals(parse_artifact(content))] == ["signature-mismatch"]
    with pytest.raises(ModelError, match="has no name for input `x`"):
        Session.open(content)
    root, _ = parse_tree(reshaped([3, 2]))
    root.signature_defs[0].outputs[0].tensor_index = 0
    content = pack_tree(root)
    assert [finding.rule for finding in refusals(parse_artifact(content))] == ["signature-mismatch"]
    with pytest.raises(ModelError, match="calls tensor 0 its output"):
        Session.open(content)
