"""Operands from elsewhere, and activations that are missing: what no look at an op or a constant alone can see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.parity.constants import constant_faults
from edge_sdk.parity.wiring import wiring_faults
from tests.graphs import Graph, enum_value, options

SHAPE = (1, 4, 4, 2)


def network(
    first: str, second: str, *, int8: bool, op: str = "ADD", activation: str = "NONE", point: int = 0
) -> Artifact:
    """Two functions of two inputs, and one op that reads two of what there is by name."""
    graph = Graph()
    held: dict[str, int] = {}

    def tensor(name: str, shape: tuple[int, ...] = SHAPE) -> int:
        kind: dict[str, Any] = {"scale": [0.05], "zero_point": [point]} if int8 else {}
        return graph.tensor(name, shape, "int8" if int8 else "float32", **kind)

    for name in ("x", "z"):
        held[name] = tensor(name)
    for name, kind, read in (("a", "LOGISTIC", "x"), ("b", "TANH", "x"), ("c", "LOGISTIC", "z")):
        held[name] = tensor(name)
        graph.op(kind, (held[read],), (held[name],))
    joined = op == "CONCATENATION"
    y = tensor("y", (1, 4, 4, 4) if joined else SHAPE)
    chosen = options(
        "ConcatenationOptions" if joined else f"{op.title()}Options",
        fused_activation_function=enum_value("ActivationFunctionType", activation),
        **({"axis": 3} if joined else {}),
    )
    graph.op(op, (held[first], held[second]), (y,), chosen)
    outputs = {"y": y, "kept_a": held["a"], "kept_b": held["b"], "kept_c": held["c"]}
    return parse_artifact(graph.finish((held["x"], held["z"]), tuple(outputs.values())))


@pytest.mark.parametrize(
    ("op", "read", "wrong"),
    [
        ("ADD", ("a", "b"), False),
        ("ADD", ("b", "a"), False),
        ("ADD", ("a", "c"), True),
        ("ADD", ("a", "a"), True),
        ("ADD", ("x", "b"), True),
        ("SUB", ("b", "a"), True),
        ("CONCATENATION", ("b", "a"), True),
    ],
)
def test_an_operand_from_elsewhere_is_named(op: str, read: tuple[str, str], wrong: bool) -> None:
    reference = network("a", "b", int8=False, op=op)
    faults = wiring_faults(reference, network(*read, int8=True, op=op))
    assert bool(faults) is wrong
    if wrong:
        assert str(faults[0]).startswith(f"{op} 3 `y`: operand ")
        assert "in the float file from `" in str(faults[0])


def flat(*, reshaped: bool, read: str = "a") -> Artifact:
    """A dense layer that reads one of two functions, flattened before or by itself, as TFLite's quantizer leaves it."""
    graph = Graph()
    x = graph.tensor("x", (1, 4, 8))
    held = {}
    for name, kind in (("a", "LOGISTIC"), ("b", "TANH")):
        held[name] = graph.tensor(name, (1, 4, 8))
        graph.op(kind, (x,), (held[name],))
    source = held[read]
    rows = graph.tensor("rows", (4, 8))
    graph.op("RESHAPE", (held["a"], graph.constant("shape", np.array([4, 8], np.int32))), (rows,))
    weights, y = graph.constant("weights", np.ones((2, 8), np.float32)), graph.tensor("y", (4, 2))
    graph.op("FULLY_CONNECTED", (rows if reshaped else source, weights, -1), (y,), options("FullyConnectedOptions"))
    return parse_artifact(graph.finish((x,), (y, held["a"], held["b"], rows)))


@pytest.mark.parametrize(("read", "wrong"), [("a", False), ("b", True)])
def test_what_only_lays_values_out_may_be_left_out(read: str, wrong: bool) -> None:
    """A right file of Qwen3's mixture of experts was refused: its gate reads the norm without the RESHAPE."""
    assert bool(wiring_faults(flat(reshaped=True), flat(reshaped=False, read=read))) is wrong
    assert bool(wiring_faults(flat(reshaped=False, read=read), flat(reshaped=True))) is wrong


def test_a_layer_behind_a_change_of_shape_that_was_dropped_is_still_the_layer() -> None:
    """TFLiteConverter leaves out a RESHAPE between a dense layer and a sum, and joins their names."""

    def dense(*, int8: bool, shaped: bool, value: float) -> Artifact:
        graph = Graph()
        kind: dict[str, Any] = {"scale": [0.1], "zero_point": [0]} if int8 else {}
        dtype = "int8" if int8 else "float32"
        x = graph.tensor("x", (1, 4), dtype, **kind)
        values = np.full((3, 4), 2.0 if int8 else 0.2, np.float32).astype(dtype)
        values[1] = round(value / 0.1) if int8 else value
        weights = graph.constant("w", values, **kind)
        made = graph.tensor("joined" if int8 else "fc", (1, 3), dtype, **kind)
        graph.op("FULLY_CONNECTED", (x, weights, -1), (made,), options("FullyConnectedOptions"))
        if shaped:
            made, flat = graph.tensor("moved", (1, 1, 3), dtype, **kind), made
            graph.op("RESHAPE", (flat, graph.constant("shape", np.array([1, 1, 3], np.int32))), (made,))
        y = graph.tensor("y", (1, 1, 3) if shaped else (1, 3), dtype, **kind)
        graph.op("ADD", (made, made), (y,), options("AddOptions"))
        return parse_artifact(graph.finish((x,), (y,)))

    reference = dense(int8=False, shaped=True, value=0.5)
    assert constant_faults(reference, dense(int8=True, shaped=False, value=0.5)) == []
    (fault,) = constant_faults(reference, dense(int8=True, shaped=False, value=0.9))
    assert str(fault).startswith("FULLY_CONNECTED 0 `joined`: operand 1 is 4 steps")


@pytest.mark.parametrize(("read", "wrong"), [("first", False), ("other", True)])
def test_what_stands_twice_in_the_float_file_may_be_computed_once(read: str, wrong: bool) -> None:
    """TensorFlow's quantizer computes equal ops once, under the name of one of them."""

    def network(*, once: bool, read: str) -> Artifact:
        graph = Graph()
        x = graph.tensor("x", SHAPE)
        held = {}
        for name, kind in (("first", "LOGISTIC"), ("other", "TANH"), *([] if once else [("second", "LOGISTIC")])):
            held[name] = graph.tensor(name, SHAPE)
            graph.op(kind, (x,), (held[name],))
        a, b = graph.tensor("a", SHAPE), graph.tensor("b", SHAPE)
        graph.op("SUB", (x, held["first"]), (a,), options("SubOptions"))
        graph.op("SUB", (x, held[read]), (b,), options("SubOptions"))
        return parse_artifact(graph.finish((x,), (a, b, held["other"])))

    whole = network(once=False, read="second")
    faults = wiring_faults(whole, network(once=True, read=read))
    assert bool(faults) is wrong


def test_inputs_of_a_file_are_told_apart() -> None:
    (fault,) = wiring_faults(network("x", "a", int8=False, op="SUB"), network("z", "a", int8=True, op="SUB"))
    assert "comes from input `z`, in the float file from input `x`" in str(fault)


@pytest.mark.parametrize(
    ("want", "got", "point", "wrong"),
    [
        ("RELU", "RELU", 0, False),
        # Integers from the zero point up: their range ends where the activation clips.
        ("RELU", "NONE", -128, False),
        ("RELU", "NONE", 0, True),
        # 127 steps of 0.05 above zero are 6.35.
        ("RELU6", "RELU", 0, True),
        ("RELU6", "RELU", 8, False),
        ("NONE", "RELU", 0, True),
    ],
)
def test_a_fused_activation_is_missed_where_it_clips(want: str, got: str, point: int, wrong: bool) -> None:
    reference = network("a", "b", int8=False, activation=want)
    faults = constant_faults(reference, network("a", "b", int8=True, activation=got, point=point))
    assert [f"its fused activation is {got}, in the float file {want}" in str(fault) for fault in faults] == [
        True
    ] * wrong


def clipped(*, fused: str | None, number: float = 0.5, own: tuple[float, int] = (0.1, 0)) -> Artifact:
    """A difference and a clip at 0 behind it, or with the clip fused; and a product with a number."""
    graph = Graph()
    int8 = fused is not None
    kind: dict[str, Any] = {"scale": [0.1], "zero_point": [0]} if int8 else {}
    dtype = "int8" if int8 else "float32"
    x, z, a = (graph.tensor(name, (1, 4), dtype, **kind) for name in ("x", "z", "a"))
    activation = enum_value("ActivationFunctionType", fused or "NONE")
    graph.op("SUB", (x, z), (a,), options("SubOptions", fused_activation_function=activation))
    if not int8:
        below, a = a, graph.tensor("clipped", (1, 4))
        graph.op("MAXIMUM", (graph.constant("zero", np.array(0, np.float32)), below), (a,))
    factor = np.array(round(number / own[0]) if int8 else number, np.float32).astype(dtype)
    kind = {"scale": own[:1], "zero_point": own[1:]} if int8 else {}
    held = graph.constant("factor", factor, **kind)
    y = graph.tensor("y", (1, 4), dtype, **kind)
    graph.op("MUL", (a, held), (y,), options("MulOptions"))
    return parse_artifact(graph.finish((x, z), (y,)))


def test_a_clip_that_became_a_fused_activation_is_asked_for() -> None:
    reference = clipped(fused=None)
    assert constant_faults(reference, clipped(fused="RELU")) == []
    (fault,) = constant_faults(reference, clipped(fused="NONE"))
    assert str(fault).startswith(
        "SUB 0 `a`: its fused activation is NONE, in the float file NONE with a clip to 0 .. inf"
    )


def test_padding_by_a_value_of_its_own_is_compared() -> None:
    def padded(before: int, value: float) -> Artifact:
        graph = Graph()
        x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 7))
        paddings = graph.constant("paddings", np.array([[0, 0], [before, 3 - before]], np.int32))
        graph.op("PADV2", (x, paddings, graph.constant("value", np.array(value, np.float32))), (y,))
        return parse_artifact(graph.finish((x,), (y,)))

    assert constant_faults(padded(1, -1e9), padded(1, -6.0)) == []
    (fault,) = constant_faults(padded(1, -1e9), padded(2, -1e9))
    assert str(fault) == "PADV2 0 `y`: operand 1 holds 2 at [1, 0], the float file 1"


def test_a_number_is_rounded_to_the_nearest() -> None:
    """Learning rounds weights up or down; a number of a product is off by half a step at most."""
    assert constant_faults(clipped(fused=None, number=0.54), clipped(fused="RELU", number=0.54)) == []
    (fault,) = constant_faults(clipped(fused=None, number=0.54), clipped(fused="RELU", number=0.6))
    assert "operand 1 is 0.6 steps from the float file's (at most 0.5)" in str(fault)
    # At the end of its own range, where a layer's weight may be cut off.
    reference, own = clipped(fused=None, number=0.54), 0.54 / 127
    assert constant_faults(reference, clipped(fused="RELU", number=0.54, own=(own, 0))) == []
    (shifted,) = constant_faults(reference, clipped(fused="RELU", number=0.54, own=(own, 1)))
    assert "operand 1 is 1 steps" in str(shifted)
