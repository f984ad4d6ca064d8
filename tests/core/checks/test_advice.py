"""The smallest change that would help: small graphs of which the answer is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.checks.advice.advising import advise
from edge_sdk.checks.advice.changes import SUBSTITUTES
from edge_sdk.checks.advice.requantizing import floated, quantized
from edge_sdk.checks.advice.rewriting import first_part, last_part, sliced, without_conversions
from edge_sdk.checks.on_device import place_on_device
from edge_sdk.profile.records import Delegate
from tests.core.checks.lint.graphs import IN, OUT, SIDE, Net, ints, plain, weights_of
from tests.graphs import conv_model

EDGE_TPU = Delegate("external", "edgetpu", "npu", ("int8",))
VX = Delegate("external", "vx", "npu", ("int8",), weights="per_tensor")
GPU = Delegate("gpu", "gpu_v2", "gpu", ("float16", "int8"))
XNNPACK = Delegate("xnnpack", "xnnpack", "cpu", ("float32", "int8"))


def graph_of(data: bytes) -> Subgraph:
    return parse_artifact(data).main


def between(*names: str, dtype: str = "int8") -> Subgraph:
    """CONV_2D, ops of one input, CONV_2D."""
    net = plain(dtype)
    for name in names:
        net.grow(name, scale=0.1)
    net.conv(weights_of(dtype, columns=OUT), data_scale=0.1)
    return graph_of(net.done())


def test_what_is_taken_whole_needs_no_advice() -> None:
    assert advise(between("RELU6"), EDGE_TPU) == ()


def test_one_op_in_the_middle_is_replaced() -> None:
    graph = between("HARD_SWISH")
    assert place_on_device(graph, EDGE_TPU).claimed == (0,)
    best = advise(graph, EDGE_TPU)[0]
    assert best.changes == ("replace op 1 HARD_SWISH by RELU6",)
    assert best.mac_share_now == pytest.approx(1 / 3)
    assert (best.mac_share, best.verdict) == (1.0, "all")
    assert best.needs == "change the source, train again"


def test_a_substitute_that_is_refused_is_not_offered() -> None:
    words = [change for advice in advise(between("CEIL"), EDGE_TPU) for change in advice.changes]
    assert words[0] == "leave out op 1 CEIL"
    assert not any("replace" in text for text in words)


def test_two_kinds_are_replaced_one_after_the_other() -> None:
    advice = advise(between("HARD_SWISH", "GELU"), EDGE_TPU)
    assert advice[-1].verdict == "all"
    assert set(advice[-1].changes) == {"replace op 1 HARD_SWISH by RELU6", "replace op 2 GELU by RELU"}


def test_a_float_file_is_quantized_for_an_npu() -> None:
    graph = graph_of(conv_model(channels=8))
    best = advise(graph, EDGE_TPU)[0]
    assert best.changes == ("quantize (static_wi8_ai8, --io int8)",)
    assert (best.mac_share_now, best.mac_share, best.verdict, best.needs) == (0.0, 1.0, "all", "convert again")


def test_weights_per_tensor_for_an_npu_that_takes_one_scale() -> None:
    net = Net()
    net.conv(weight_scale=[0.01] * OUT)
    best = advise(graph_of(net.done()), VX)[0]
    assert best.changes == ("quantize weights per tensor (--weights per_tensor)",)
    assert (best.mac_share_now, best.mac_share, best.verdict) == (0.0, 1.0, "all")
    quantize = advise(graph_of(plain("float32").done()), replace(VX, precision=("int8",), max_rank=None))
    assert quantize == ()  # VX takes floats as well


def test_integer_ends() -> None:
    net = plain()
    net.grow("DEQUANTIZE", dtype="float32")
    assert advise(graph_of(net.done()), EDGE_TPU)[0].changes == ("integer inputs and outputs (--io int8)",)


def test_int16_activations_are_not_told_to_change_their_ends_to_int8() -> None:
    """16 bits inside are what keeps the delegate away; where it takes them, float ends are."""
    net = plain("int16")
    net.grow("DEQUANTIZE", dtype="float32")
    graph = graph_of(net.done())
    assert advise(graph, EDGE_TPU)[0].changes == ("int8 in place of int16 (static_wi8_ai8, --io int8)",)
    net = Net("int16")
    net.grow("ADD", net.first)
    net.grow("DEQUANTIZE", dtype="float32")
    takes = advise(graph_of(net.done()), replace(EDGE_TPU, rules="ethos_u"))
    assert takes[0].changes == ("integer inputs and outputs (--io int16)",)
    assert advise(graph_of(plain("int16").done()), EDGE_TPU)[0].changes[0].startswith("int8 in place of int16")


def test_batch_of_one() -> None:
    net = Net()
    for tensor in net.node.tensors:
        tensor.shape = [2, SIDE, SIDE, IN]
    net.grow("RELU")
    best = advise(graph_of(net.done()), EDGE_TPU)[0]
    assert best.changes == ("batch 1 (--batch 1)",)
    assert best.verdict == "all"


def test_float16_for_a_gpu_that_takes_no_int16() -> None:
    net = Net("int16")
    net.grow("TANH")
    best = advise(graph_of(net.done()), replace(GPU, precision=("float16",)))[0]
    assert best.changes == ("recipe float16",)
    assert best.verdict == "all"


def test_split_before_the_last_op() -> None:
    net = plain()
    net.grow("ARG_MAX", ints(net, "axis", 3), shape=(1, SIDE, SIDE), dtype="bool")
    advice = advise(graph_of(net.done()), EDGE_TPU)
    assert advice[-1].needs == "two files"
    assert advice[-1].changes == ("split before op 1 ARG_MAX; the first file, 100% of the MACs, is taken whole",)


def test_split_after_the_first_op() -> None:
    net = Net("float32")
    net.grow("CEIL")
    net.conv()
    texts = [change for advice in advise(graph_of(net.done()), GPU) for change in advice.changes]
    assert "split after op 0 CEIL; the second file, 100% of the MACs, is taken whole" in texts


def test_the_option_that_keeps_more_partitions() -> None:
    graph = between("CEIL", "FLOOR_DIV", dtype="float32")
    now = place_on_device(graph, GPU)
    (option,) = [advice for advice in advise(graph, GPU) if advice.needs == "an option in the app"]
    assert option.changes == ("set the delegate's option max_delegated_partitions to 2",)
    assert (option.partitions_now, option.partitions, option.mac_share) == (1, 2, 1.0)
    assert len(now.claimed) < len(place_on_device(graph, GPU, all_partitions=True).claimed)


def test_gather_of_one_index_is_a_slice() -> None:
    net = plain("float32")
    index = net.constant("index", np.array(2, np.int32))
    net.grow("GATHER", index, kind="GatherOptions", axis=1, shape=(1, SIDE, OUT))
    graph = graph_of(net.done())
    assert advise(graph, XNNPACK)[0].changes == (
        "replace op 1 GATHER by SLICE and RESHAPE, where the index is one constant",
    )
    made = sliced(graph, (1,))
    assert made is not None
    assert [op.name for op in made.ops] == ["CONV_2D", "SLICE", "RESHAPE"]
    begin, size = (made.tensors[i].values().tolist() for i in made.ops[1].inputs[1:])
    assert (begin, size) == ([0, 2, 0, 0], [1, 1, SIDE, OUT])
    rows = ints(net, "rows", 0, 1)
    net.grow("GATHER", rows, kind="GatherOptions", axis=1, shape=(1, 2, OUT))
    assert sliced(graph_of(net.done()), (2,)) is None


def test_graphs_are_not_changed_and_stay_whole() -> None:
    graph = between("HARD_SWISH", dtype="float32")
    for made in (quantized(graph, per_channel=True), quantized(graph, per_channel=False), floated(graph)):
        assert [op.index for op in made.ops] == list(range(len(made.ops)))
        for tensor in made.tensors:
            if tensor.constant is not None:
                assert tensor.constant.nbytes == tensor.size_bytes
    assert {t.dtype for t in graph.tensors} == {"float32"}
    integer = quantized(graph, per_channel=True)
    assert {t.dtype for t in integer.tensors} == {"int8", "int32"}
    assert len(next(t for t in integer.tensors if t.name == "weights0").quantization.scale) == OUT  # type: ignore[union-attr]
    assert {t.dtype for t in floated(integer).tensors} == {"float32"}


def test_parts_have_their_own_inputs_and_outputs() -> None:
    graph = between("HARD_SWISH")
    first, last = first_part(graph, 1), last_part(graph, 2)
    assert (first.inputs, first.outputs) == (graph.inputs, graph.ops[0].outputs)
    assert (last.inputs, last.outputs) == (graph.ops[1].outputs, graph.outputs)
    assert [op.index for op in last.ops] == [0]


def test_conversions_are_taken_out() -> None:
    net = plain()
    net.grow("DEQUANTIZE", dtype="float32")
    made = without_conversions(graph_of(net.done()))
    assert [op.name for op in made.ops] == ["CONV_2D"]
    assert made.outputs == made.ops[0].outputs


def test_substitutes_are_ops_of_the_schema() -> None:
    from edge_sdk.artifact.schema import schema

    known = set(schema().enums["BuiltinOperator"].values())
    assert set(SUBSTITUTES) <= known
    assert {s.name for row in SUBSTITUTES.values() for s in row} <= known


@pytest.mark.parametrize("delegate", [EDGE_TPU, VX, GPU, XNNPACK], ids=lambda one: one.rules)
def test_advice_keeps_its_promise(delegate: Delegate) -> None:
    """What is told is better than what is, and the gravest change is named."""
    for names in (("HARD_SWISH",), ("CEIL", "GELU"), ("ELU", "SIGN", "ROUND")):
        for dtype in ("int8", "float32"):
            for advice in advise(between(*names, dtype=dtype), delegate):
                better = advice.mac_share > advice.mac_share_now or advice.verdict == "all"
                assert better or advice.partitions < advice.partitions_now
                assert advice.changes
                assert advice.needs
