"""The built-in rule sets read without faults and say what their sources say of hand-built graphs of one op.

None of these delegates can run here, so nothing but their sources stands behind the expectations: there is no hardware
oracle, and all that the rules say is *predicted*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_sets import CHECKS, PLACING, checks_of, place_by, rule_set
from edge_sdk.checks.placement.rules import Operand, find_rules
from edge_sdk.checks.placement.rules import RuleSet as Rules
from edge_sdk.profile.rule_sets import rule_set_names
from tests.core.checks.placement.test_rules import named_by
from tests.graphs import Graph, conv_model, options

SCALE = (0.5,)
PLAIN = frozenset({"float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"})
OTHERS = [name for name in rule_set_names() if not name.startswith("xnnpack")]


@dataclass(frozen=True)
class T:
    """A tensor of a one-op graph: with ``values`` a constant."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: tuple[float, ...] | None = None
    zero_point: tuple[int, ...] | None = None
    values: Any = None

    def add(self, graph: Graph, name: str) -> int:
        more: dict[str, Any] = {"scale": self.scale, "zero_point": self.zero_point}
        if self.values is None:
            return graph.tensor(name, self.shape, self.dtype, **more)
        filled = np.broadcast_to(np.asarray(self.values, self.dtype), self.shape)
        return graph.constant(name, np.ascontiguousarray(filled), **more)


def q(*shape: int, values: Any = None, dtype: str = "int8") -> T:
    """8 bits with one scale."""
    return T(shape, dtype, SCALE, values=values)


def f(*shape: int, values: Any = None) -> T:
    return T(shape, values=values)


def ints(*values: int) -> T:
    return T((len(values),), "int32", values=values)


@dataclass(frozen=True)
class Case:
    """One op on one delegate; taken where ``rule`` is empty, else refused with these words in the message."""

    rules: str
    op: str
    inputs: tuple[T | None, ...]
    outputs: tuple[T, ...]
    rule: str = ""
    found: str = ""
    limit: str = ""
    version: int = 1
    level: int | None = None
    options: tuple[str, dict[str, Any]] | None = field(default=None)

    def __str__(self) -> str:
        return f"{self.rules}-{self.op}-{self.rule or 'taken'}"


def one_op(case: Case) -> Subgraph:
    graph = Graph()
    inputs = [-1 if t is None else t.add(graph, f"in{place}") for place, t in enumerate(case.inputs)]
    outputs = [t.add(graph, f"out{place}") for place, t in enumerate(case.outputs)]
    given: Node | None = options(case.options[0], **case.options[1]) if case.options else None
    graph.op(case.op, inputs, outputs, given, version=case.version)
    fed = [index for index, t in zip(inputs, case.inputs, strict=True) if t is not None and t.values is None]
    return parse_artifact(graph.finish(fed, outputs)).main


def conv(**more: Any) -> tuple[str, dict[str, Any]]:
    return "Conv2DOptions", {"stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1, **more}


def depthwise(**more: Any) -> tuple[str, dict[str, Any]]:
    return "DepthwiseConv2DOptions", {**conv()[1], "depth_multiplier": 1, **more}


PICTURE, KERNEL, BIAS = f(1, 8, 8, 3), f(4, 3, 3, 3, values=0), f(4, values=0)
RESULT = f(1, 8, 8, 4)
Q_PICTURE, Q_KERNEL = q(1, 8, 8, 3), q(4, 3, 3, 3, values=0)
Q_BIAS = T((4,), "int32", SCALE, values=0)
Q_RESULT = q(1, 8, 8, 4)
PER_CHANNEL = T((4, 3, 3, 3), "int8", (0.5, 0.5, 0.5, 0.25), values=0)
QUANTIZED_CONV = (Q_PICTURE, Q_KERNEL, Q_BIAS)
FLOAT_CONV = (PICTURE, KERNEL, BIAS)
SLICED = ("StridedSliceOptions", {"shrink_axis_mask": 1})
ROWS = (f(1, 4), f(5, 4, values=0), f(5, values=0))

GPU = [
    Case("gpu_v2", "CONV_2D", FLOAT_CONV, (RESULT,), options=conv()),
    Case("gpu_v2", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), options=conv()),
    Case("gpu_v2", "CONV_2D", FLOAT_CONV, (RESULT,), "option-value", "0", "1 or more", options=conv(stride_h=0)),
    Case("gpu_v2", "CONV_2D", FLOAT_CONV, (RESULT,), "op-version", "7", "6", version=7, options=conv()),
    Case("gpu_v2", "CONV_2D", (PICTURE, f(4, 3, 3, 3), f(4)), (RESULT,), "computed-inputs", "3", "2", options=conv()),
    Case("gpu_v2", "ADD", (f(1, 4, 4, 3), f(4, 4, 3)), (f(1, 4, 4, 3),)),
    Case("gpu_v2", "ADD", (f(2, 4, 4, 3), f(4, 4, 3)), (f(2, 4, 4, 3),), "tensor-shape", "[4, 4, 3]", "equal ranks"),
    Case("gpu_v2", "MUL", (f(1, 4), f()), (f(1, 4),), "tensor-rank", "no dimension", "rank 1 to 4"),
    Case("gpu_v2", "DIV", (f(1, 4), f(values=0)), (f(1, 4),)),
    Case("gpu_v2", "TANH", (f(1, 2, 2, 2, 2),), (f(1, 2, 2, 2, 2),), "tensor-rank", "5", "4 or less"),
    Case("gpu_v2", "TANH", (T((1, 4), "int32"),), (f(1, 4),), "tensor-type", "int32", "float32"),
    Case("gpu_v2", "TANH", (f(1, 4, values=0),), (f(1, 4),), "computed-inputs", "0", "1 or more"),
    Case("gpu_v2", "BATCH_MATMUL", (f(1, 4, 4), f(1, 4, 4)), (f(1, 4, 4),)),
    Case("gpu_v2", "BATCH_MATMUL", (f(1, 4, 4), f(1, 4, 4, values=0)), (f(1, 4, 4),)),
    Case(
        "gpu_v2", "BATCH_MATMUL", (f(1, 4, 4, values=0), f(1, 4, 4)), (f(1, 4, 4),),
        "tensor-constant", "constant", "computed at run time",
    ),
    Case("gpu_v2", "SLICE", (f(4, 4), ints(0, 0), ints(2, 2)), (f(2, 2),), "tensor-rank", "2", "3 to 4"),
    Case("gpu_v2", "SLICE", (f(4, 4, 4), ints(0, 0, 0), ints(2, 2, 2)), (f(2, 2, 2),)),
    Case("gpu_v2", "SOFTMAX", (f(1, 4),), (f(1, 4),), options=("SoftmaxOptions", {"beta": 1.0})),
    Case(
        "gpu_v2", "SOFTMAX", (f(1, 4),), (f(1, 4),), "option-value", "2", "1", options=("SoftmaxOptions", {"beta": 2.0})
    ),
    Case("gpu_v2", "MEAN", (f(1, 4, 4, 3), T((2,), "int32")), (f(1, 3),), "tensor-constant", "run time", "constant"),
    Case("gpu_v2", "CAST", (T((4,), "int32"),), (f(4),)),
    Case("gpu_v2", "CAST", (T((4,), "bool"),), (f(4),), "tensor-readers", "outside", "one op"),
    Case("gpu_v2", "GREATER", (f(4), f(4)), (T((4,), "bool"),), "tensor-readers", "nobody", "CAST or SELECT"),
    Case("gpu_v2", "EXPAND_DIMS", (f(4), ints(0)), (f(1, 4),), "op-not-handled", "EXPAND_DIMS", ""),
    Case("gpu_v2", "PAD", (f(4, 4), T((2, 2), "int32", values=1)), (f(6, 6),), "tensor-shape", "[2, 2]", "[4, 2]"),
    Case(
        "gpu_v2", "DEPTHWISE_CONV_2D", (PICTURE, f(1, 3, 3, 3, values=0), f(3, values=0)), (f(1, 8, 8, 4),),
        "tensor-shape", "4", "3", options=depthwise(),
    ),
]  # fmt: skip
NNAPI = [
    Case("nnapi", "CONV_2D", FLOAT_CONV, (RESULT,), options=conv(), level=27),
    Case("nnapi", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), options=conv(), level=29),
    Case("nnapi", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), "feature-level", "28", "29", options=conv(), level=28),
    Case("nnapi", "CONV_2D", (PICTURE, KERNEL), (RESULT,), "input-count", "2", "3", options=conv()),
    Case(
        "nnapi", "CONV_2D", FLOAT_CONV, (RESULT,), "feature-level", "2x2", "29", level=28,
        options=conv(dilation_h_factor=2, dilation_w_factor=2),
    ),
    Case(
        "nnapi", "CONV_2D", (PICTURE, PER_CHANNEL, BIAS), (RESULT,), "feature-level", "int8", "29", level=28,
        options=conv(),
    ),
    Case("nnapi", "CONV_2D", (PICTURE, PER_CHANNEL, BIAS), (RESULT,), options=conv(), level=29),
    Case("nnapi", "CONV_2D", FLOAT_CONV, (RESULT,), "op-version", "6", "5", version=6, options=conv()),
    Case("nnapi", "BATCH_MATMUL", (f(1, 2, 3), f(1, 3, 2)), (f(1, 2, 2),), level=1000006),
    Case("nnapi", "BATCH_MATMUL", (f(1, 2, 3), f(1, 3, 2)), (f(1, 2, 2),), "feature-level", "31", "1000006", level=31),
    Case(
        "nnapi", "BATCH_MATMUL", (f(1, 2, 3), f(2, 3, 2)), (f(2, 2, 2),), "tensor-shape", "[2, 3, 2]", "[1, 2, 3]",
        level=1000006,
    ),
    Case("nnapi", "TANH", (q(1, 4),), (q(1, 4),), level=29),
    Case("nnapi", "TANH", (q(1, 4),), (q(1, 4),), "feature-level", "28", "29", level=28),
    Case("nnapi", "ADD", (f(1, 1, 1, 1, 2), f(1)), (f(1, 1, 1, 1, 2),), "tensor-rank", "5", "4 or less"),
    Case("nnapi", "ADD", (T((2,), "int32"), T((2,), "int32")), (T((2,), "int32"),), level=30),
    Case("nnapi", "ADD", (T((2,), "int32"),) * 2, (T((2,), "int32"),), "feature-level", "29", "30", level=29),
    Case("nnapi", "SOFTMAX", (f(1, 2, 3),), (f(1, 2, 3),), "feature-level", "3", "29", level=28),
    Case("nnapi", "SOFTMAX", (f(1, 2, 3),), (f(1, 2, 3),)),
    Case("nnapi", "MEAN", (f(2, 2), ints(0, 1)), (f(),), "tensor-rank", "0", "1 or more", level=29),
    Case(
        "nnapi", "FULLY_CONNECTED", ROWS, (f(1, 5),), "feature-level", "keep_num_dims", "30", level=29,
        options=("FullyConnectedOptions", {"keep_num_dims": True}),
    ),
    Case("nnapi", "CUMSUM", (f(4), ints(0)), (f(4),), "op-not-handled", "CUMSUM", ""),
    Case(
        "nnapi", "UNPACK", (f(2, 3),), (f(2), f(2), f(2)), "option-value", "1", "but the last", level=30,
        options=("UnpackOptions", {"axis": 1, "num": 3}),
    ),
    Case("nnapi", "LSTM", (f(1, 2),) * 20, (f(1, 2),), level=28),
    Case("nnapi", "LSTM", (f(1, 2),) * 24, (f(1, 2),), "feature-level", "28", "29", level=28),
]  # fmt: skip
EDGETPU = [
    Case("edgetpu", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), options=conv()),
    Case("edgetpu", "CONV_2D", FLOAT_CONV, (RESULT,), "tensor-type", "float32", "int8 or uint8", options=conv()),
    Case(
        "edgetpu", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), "option-value", "2x1", "same in x and y",
        options=conv(dilation_h_factor=2),
    ),
    Case("edgetpu", "CONV_2D", (Q_PICTURE, q(4, 3, 3, 3), Q_BIAS), (Q_RESULT,), "tensor-constant", "run time", ""),
    Case("edgetpu", "TANH", (q(2, 8, 8, 3),), (q(2, 8, 8, 3),), "tensor-shape", "[2, 8, 8, 3]", "last 3"),
    Case("edgetpu", "SOFTMAX", (q(1, 16000),), (q(1, 16000),)),
    Case("edgetpu", "SOFTMAX", (q(1, 16001),), (q(1, 16001),), "tensor-elements", "16001", "16000 or less"),
    Case("edgetpu", "MEAN", (q(1, 8, 8, 6), ints(1, 2)), (q(1, 6),)),
    Case("edgetpu", "MEAN", (q(1, 8, 8, 6), ints(3)), (q(1, 8, 8),), "tensor-shape", "6 channels", "multiples of 4"),
    Case("edgetpu", "MEAN", (q(1, 8, 8, 6), ints(0)), (q(8, 8, 6),), "batch-dimension", "0", "but the batch"),
    Case("edgetpu", "CONCATENATION", (q(1, 4), q(1, 4, values=0)), (q(1, 8),)),
    Case(
        "edgetpu", "CONCATENATION", (q(1, 4), q(1, 4, values=1)), (q(1, 8),), "constant-value", "than zero", "of zeros"
    ),
    Case("edgetpu", "RESIZE_BILINEAR", (q(1, 64, 64, 32), ints(128, 128)), (q(1, 128, 128, 32),)),
    Case(
        "edgetpu", "RESIZE_BILINEAR", (q(1, 33, 33, 21), ints(513, 513)), (q(1, 513, 513, 21),), "tensor-shape",
        "513x513 of 33x33", "128 a side",
    ),
    Case("edgetpu", "SQUEEZE", (q(1, 5, 10),), (q(5, 10),)),
    Case("edgetpu", "SQUEEZE", (q(5, 1, 10),), (q(5, 10),), "tensor-shape", "[5, 1, 10]", "leading dimensions of 1"),
    Case("edgetpu", "LEAKY_RELU", (q(1, 4),), (q(1, 4),), "op-not-handled", "LEAKY_RELU", ""),
]  # fmt: skip
HEXAGON = [
    Case("hexagon", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), options=conv()),
    Case("hexagon", "CONV_2D", FLOAT_CONV, (RESULT,), "tensor-type", "float32", "uint8 or int8", options=conv()),
    Case("hexagon", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), "option-value", "4", "3 or less", options=conv(stride_w=4)),
    Case(
        "hexagon", "DEPTHWISE_CONV_2D", (Q_PICTURE, q(1, 1, 3, 3, values=0), Q_BIAS), (Q_PICTURE,), "tensor-shape",
        "height 1", "2 or more", options=depthwise(),
    ),
    Case("hexagon", "RELU", (q(1, 4),), (q(1, 4),), version=2),
    Case("hexagon", "RELU", (q(1, 4),), (q(1, 4),), "op-version", "1", ""),
    Case("hexagon", "NEG", (q(1, 1, 1, 1, 2),), (q(1, 1, 1, 1, 2),), "tensor-rank", "5", "4 or less"),
    Case(
        "hexagon", "MAX_POOL_2D", (q(1, 20, 20, 3),), (q(1, 20, 20, 3),), "option-value", "13x3", "12 or less",
        options=("Pool2DOptions", {"filter_height": 13, "filter_width": 3}),
    ),
    Case(
        "hexagon", "FULLY_CONNECTED", (q(1, 4), T((2, 4), "int8", (0.5, 0.25), values=0), None), (q(1, 2),),
        "tensor-quantization", "a scale for each channel", "one scale", options=("FullyConnectedOptions", {}),
    ),
    Case(
        "hexagon", "FULLY_CONNECTED", (q(1, 4), q(2, 4, values=0), None), (q(1, 2),),
        options=("FullyConnectedOptions", {}),
    ),
]  # fmt: skip
CLOSED = [
    Case("vx", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), options=conv()),
    Case("vx", "CONV_2D", (PICTURE, Q_KERNEL, BIAS), (RESULT,), "mixed-types", "int8", "float32", options=conv()),
    Case("vx", "TANH", (T((4,), "int64"),), (f(4),), "tensor-type", "int64", "float32"),
    Case("vx", "TANH", (f(1, 70000),), (f(1, 70000),), "tensor-shape", "70000", "65535"),
    Case("vx", "SELECT", (T((2,), "bool"), q(2), q(2)), (q(2),), "tensor-type", "int8", "float32"),
    Case("vx", "SLICE", (f(2, 4, 4, 3), ints(0), ints(1)), (f(1, 4, 4, 3),), "batch-dimension", "[1, 4", "batch of 2"),
    Case("vx", "TILE", (f(2), ints(2)), (f(4),), "op-not-handled", "TILE", ""),
    Case("teflon", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), options=conv()),
    Case(
        "teflon", "CONV_2D", (Q_PICTURE, PER_CHANNEL, Q_BIAS), (Q_RESULT,),
        "tensor-quantization", "a scale for each channel", "one scale",
    ),
    Case(
        "teflon", "CONV_2D", QUANTIZED_CONV, (Q_RESULT,), "quantization-scale", "63.5", "6 or less",
        options=conv(fused_activation_function=3),
    ),
    Case("teflon", "ADD", (q(4), q(4)), (q(4),)),
    Case("teflon", "ADD", (q(4), q(4, values=0)), (q(4),), "tensor-constant", "constant", "run time"),
    Case("qnn_htp", "FLOOR_DIV", (f(4), f(4)), (f(4),)),
    Case("qnn_htp", "LSTM", (f(1, 2),) * 20, (f(1, 2),), "op-not-handled", "LSTM", ""),
    Case("qnn_htp", "TANH", (T((4,), "string"),), (f(4),), "tensor-type", "string", "float32"),
    Case("mediatek", "GELU", (f(4),), (f(4),)),
    Case("mediatek", "EXP", (f(4),), (f(4),), "op-not-handled", "EXP", ""),
]  # fmt: skip


@pytest.mark.parametrize("name", rule_set_names())
def test_it_reads_without_faults_and_names_its_source(name: str) -> None:
    rules = rule_set(name)
    assert rules.name == name
    assert rules.by_op
    assert rules.source.file
    assert any(letter.isdigit() for letter in rules.source.version)


@pytest.mark.parametrize("name", OTHERS)
def test_what_nothing_confirmed_is_called_predicted(name: str) -> None:
    assert rule_set(name).source.note.startswith("predicted")


@pytest.mark.parametrize("name", CHECKS)
def test_no_function_is_left_over(name: str) -> None:
    assert named_by(find_rules(name, checks_of(name))) == set(checks_of(name))


def test_functions_belong_to_a_set() -> None:
    assert {*CHECKS, *PLACING} <= set(rule_set_names())


@pytest.mark.parametrize("case", [*GPU, *NNAPI, *EDGETPU, *HEXAGON, *CLOSED], ids=str)
def test_one_op(case: Case) -> None:
    placement = place_by(case.rules, one_op(case), level=case.level)
    if not case.rule:
        assert placement.claimed == (0,), placement.refused[0].message
        return
    reason = placement.refused[0]
    assert reason.rule == case.rule, reason.message
    assert case.found in reason.message
    assert case.limit in reason.message
    assert reason.op_name == case.op


@pytest.mark.parametrize("name", ["gpu_v2", "nnapi", "qnn_htp"])
def test_a_small_network_is_taken_whole(name: str) -> None:
    assert place_by(name, parse_artifact(conv_model()).main, level=31).claimed == (0, 1, 2)


def half_weights(last: Callable[[Graph, int], int]) -> Placement:
    """``CONV_2D`` with float16 weights and bias, and one op behind it."""
    graph = Graph()
    picture, kernel, bias = (
        graph.tensor("picture", (1, 8, 8, 3)),
        graph.tensor("k", (4, 3, 3, 3)),
        graph.tensor("b", (4,)),
    )
    for name, wide in (("half kernel", kernel), ("half bias", bias)):
        shape = (4, 3, 3, 3) if wide == kernel else (4,)
        graph.op("DEQUANTIZE", (graph.constant(name, np.zeros(shape, np.float16)),), (wide,))
    features = graph.tensor("features", (1, 8, 8, 4))
    graph.op("CONV_2D", (picture, kernel, bias), (features,), options(conv()[0], **conv()[1]))
    return place_by("gpu_v2", parse_artifact(graph.finish((picture,), (last(graph, features),))).main)


def test_float16_weights_go_along_with_the_whole_graph() -> None:
    def tanh(graph: Graph, features: int) -> int:
        result = graph.tensor("result", (1, 8, 8, 4))
        graph.op("TANH", (features,), (result,))
        return result

    assert half_weights(tanh).claimed == (0, 1, 2, 3)


def test_float16_weights_stay_outside_of_a_part_of_the_graph() -> None:
    def shape(graph: Graph, features: int) -> int:
        result = graph.tensor("result", (4,), "int32")
        graph.op("SHAPE", (features,), (result,))
        return result

    placement = half_weights(shape)
    assert placement.claimed == (2,)
    assert placement.refused[0].rule == "partly-taken"
    assert "op 3 SHAPE" in placement.refused[0].message


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_data_lets_through_never_breaks_a_function(name: str) -> None:
    generator = np.random.default_rng(0)
    rules = rule_set(name)
    for op, rule in rules.by_op.items():
        for _ in range(0 if op.startswith("CUSTOM") or not rule.also else 4):
            inputs = [_fitting(generator, rules, operand) for operand in rule.inputs for _ in range(_count(operand))]
            outputs = [_fitting(generator, rules, operand) for operand in rule.outputs for _ in range(_count(operand))]
            place_by(name, one_op(Case(name, op, tuple(inputs), tuple(outputs))), level=int(generator.integers(27, 32)))


def _count(operand: Operand) -> int:
    return operand.count[0] if operand.count else 1


def _fitting(generator: np.random.Generator, rules: Rules, operand: Operand) -> T:
    """A small tensor of a type and rank that the operand may have."""
    low, high = (operand.rank.min or 0, operand.rank.max or 5) if operand.rank else (0, 5)
    shape = tuple(int(extent) for extent in generator.integers(1, 5, generator.integers(int(low), int(high) + 1)))
    if operand.elements and operand.elements.min:
        shape = (int(operand.elements.min),)
    forms = rules.types[operand.type] if operand.type else ()
    dtype = str(generator.choice([d for form in forms for d in form.dtypes if d in PLAIN] or ["float32", "int32"]))
    scale = SCALE if any(form.quantization == "per_tensor" for form in forms) or generator.random() < 0.5 else None
    return T(shape, dtype, scale, values=0 if operand.constant or generator.random() < 0.3 else None)


def test_eight_bit_weights_that_are_widened_for_a_dense_layer_keep_a_file_off_the_gpu() -> None:
    """LiteRT issue 9523; for a convolution, or from float16, they are taken."""
    for dtype, reader, refused in (
        ("int8", "FULLY_CONNECTED", True),
        ("int8", "ADD", False),
        ("float16", "FULLY_CONNECTED", False),
    ):
        graph = Graph()
        x, y = graph.tensor("x", (4, 4)), graph.tensor("y", (4, 4))
        scale: dict[str, Any] = {"scale": [0.1], "zero_point": [0]} if dtype == "int8" else {}
        stored = graph.constant("stored", np.ones((4, 4), dtype), **scale)
        wide = graph.tensor("wide", (4, 4))
        graph.op("DEQUANTIZE", (stored,), (wide,), version=2)
        graph.op(reader, (x, wide), (y,), options("FullyConnectedOptions" if reader[0] == "F" else "AddOptions"))
        placed = place_by("gpu_v2", parse_artifact(graph.finish((x,), (y,))).main)
        assert (0 in placed.refused and placed.refused[0].rule == "dequantized-weights") == refused
