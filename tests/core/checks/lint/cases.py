"""A file for each lint rule that has its mistake, and the same file without it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.note import put_note
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from tests.core.checks.lint.graphs import IN, OUT, RELU6, SIDE, Net, ints, plain, weights_of
from tests.graphs import Graph, conv_model, enum_value, loop_model, options, padded_pool_model

CASES: dict[str, tuple[Callable[[], bytes], Callable[[], bytes]]] = {}
"""Rule to a file with the mistake and one without."""


def case(rule: str) -> Callable[[Callable[..., bytes]], Callable[..., bytes]]:
    """A function of one truth value: whether the file has the mistake."""

    def keep(build: Callable[..., bytes]) -> Callable[..., bytes]:
        CASES[rule] = (lambda: build(True), lambda: build(False))
        return build

    return keep


@case("int8-is-float")
def claimed(wrong: bool) -> bytes:
    root, _ = parse_tree(plain("float32" if wrong else "int8").done())
    put_note(root, {"recipe": "static_wi8_ai8"})
    return pack_tree(root)


@case("dynamic-range")
def dynamic(wrong: bool) -> bytes:
    net = Net("float32")
    kernel = net.constant("w", weights_of().reshape(OUT, IN), scale=[0.01])
    if not wrong:
        kernel = net.constant("f", weights_of("float32").reshape(OUT, IN))
    result = net.grow("FULLY_CONNECTED", kernel, -1, kind="FullyConnectedOptions", shape=(SIDE * SIDE, OUT))
    assert result
    return net.done()


@case("float-constants")
def float_table(wrong: bool) -> bytes:
    net = Net("int8")
    table = np.ones((64, SIDE * SIDE * 2), np.float32) * np.arange(64, dtype=np.float32)[:, None]
    if wrong:
        rows = net.tensor("rows", (64, SIDE * SIDE * 2))
        net.op("ABS", (net.constant("table", table),), (rows,))
    net.conv()
    return net.done()


@case("nan-constant")
def diverged(wrong: bool) -> bytes:
    net = Net("float32")
    values = np.arange(IN, dtype=np.float32)
    values[1] = np.nan if wrong else 2
    net.grow("ADD", net.constant("b", values), kind="AddOptions")
    # What a program puts where there is no value is no weight that diverged.
    somewhere = net.constant("somewhere", np.array([True] + [False] * (IN - 1)))
    net.op(
        "SELECT_V2",
        (somewhere, net.constant("none", np.array(np.nan, np.float32)), net.last),
        (net.tensor("y", (1, IN)),),
    )
    return net.done()


@case("bad-scale")
def zero_scale(wrong: bool) -> bytes:
    net = Net()
    net.conv(weight_scale=[0.0 if wrong else 0.01] + [0.01] * (OUT - 1))
    return net.done()


@case("shared-scale")
def joined(wrong: bool) -> bytes:
    """Scores of 0 to 1 beside boxes of 0 to 640, as detectors do."""
    net = Net(scale=0.05)
    scores = net.grow("LOGISTIC", scale=1 / 256, zero_point=-128)
    wide = 2.5 if wrong else 1 / 256
    point = -128
    same = net.grow("QUANTIZE", scale=wide, zero_point=point)
    boxes = net.value("boxes", (1, SIDE, SIDE, IN), scale=wide, zero_point=point)
    both = net.value("both", (1, SIDE, SIDE, 2 * IN), scale=wide, zero_point=point)
    net.op("CONCATENATION", (same, boxes), (both,), options("ConcatenationOptions", axis=3))
    net.last = both
    assert scores
    return net.done(inputs=(boxes,))


@case("drowned-by-constant")
def masked(wrong: bool) -> bytes:
    largest = 1e9 if wrong else 10.0
    net = Net(scale=0.05)
    mask = net.constant("mask", np.full(IN, -127, np.int8), scale=[largest / 127])
    net.grow("ADD", mask, kind="AddOptions", scale=largest / 120, zero_point=120)
    return net.done()


@case("huge-scale")
def padded(wrong: bool) -> bytes:
    net = Net(scale=0.05)
    net.grow("QUANTIZE", scale=1e36 if wrong else 0.1, zero_point=127)
    return net.done()


@case("tiny-scale")
def calibrated_on_zeros(wrong: bool) -> bytes:
    net = Net()
    net.conv(scale=1e-9 if wrong else 0.1)
    return net.done()


@case("large-constant")
def lowest_float(wrong: bool) -> bytes:
    return padded_pool_model() if wrong else conv_model()


@case("fixed-scale")
def softmax(wrong: bool) -> bytes:
    net = Net()
    net.grow("SOFTMAX", kind="SoftmaxOptions", beta=1.0, scale=0.09 if wrong else 1 / 256, zero_point=-128)
    return net.done()


@case("scales-differ")
def reshaped(wrong: bool) -> bytes:
    net = Net(scale=0.05)
    net.grow("RESHAPE", ints(net, "shape", 1, -1), shape=(1, SIDE * SIDE * IN), scale=0.1 if wrong else 0.05)
    return net.done()


@case("int16-zero-point")
def asymmetric(wrong: bool) -> bytes:
    net = Net("int16", zero_point=5 if wrong else 0)
    net.grow("RELU", zero_point=5 if wrong else 0)
    return net.done()


@case("batch-matmul-zero-point")
def multiplied(wrong: bool) -> bytes:
    net = Net()
    second = net.value("second", (1, SIDE, IN, 3), scale=0.05, zero_point=7 if wrong else 0)
    net.grow("BATCH_MATMUL", second, kind="BatchMatMulOptions", shape=(1, SIDE, SIDE, 3))
    return net.done(inputs=(second,))


@case("dead-channel")
def dead(wrong: bool) -> bytes:
    net, weights = Net(), weights_of()
    weights[:2] *= 0 if wrong else 1
    net.conv(weights)
    return net.done()


@case("scale-floor")
def floor(wrong: bool) -> bytes:
    net = Net()
    net.conv(weight_scale=[1.19e-7 if wrong else 0.02] + [0.01] * (OUT - 1))
    return net.done()


@case("saturated-bias")
def bias_at_the_end(wrong: bool) -> bytes:
    net = Net()
    bias = np.arange(OUT, dtype=np.int32)
    bias[3] = np.iinfo(np.int32).max if wrong else 3
    net.conv(bias=bias, weight_scale=[0.01] * OUT)
    return net.done()


@case("bias-scale")
def bias_in_another_unit(wrong: bool) -> bytes:
    net = Net()
    net.conv(bias=np.full(OUT, 500, np.int32), bias_scale=[0.01 if wrong else 0.0005])
    return net.done()


@case("bias-beyond-range")
def far_bias(wrong: bool) -> bytes:
    net = Net()  # the result covers -12.8 to 12.7; one step of the bias is 0.0005
    net.conv(bias=np.full(OUT, 100_000 if wrong else 10_000, np.int32))
    return net.done()


@case("constant-channel")
def stuck(wrong: bool) -> bytes:
    net, bias = Net(), np.zeros(OUT, np.int32)
    bias[:3] = -1_000_000 if wrong else 0
    net.conv(bias=bias, activation=RELU6, zero_point=-128)
    return net.done()


@case("coarse-weights")
def one_scale_for_all(wrong: bool) -> bytes:
    net, weights = Net(), weights_of()
    weights[:2] = weights[:2] // 40 if wrong else weights[:2]
    net.conv(weights)
    return net.done()


@case("weight-minus-128")
def lowest_weight(wrong: bool) -> bytes:
    net, weights = Net(), weights_of()
    weights[0, 0, 0, 0] = -128 if wrong else -127
    net.conv(weights)
    return net.done()


@case("weight-zero-point")
def asymmetric_weights(wrong: bool) -> bytes:
    net = Net()
    net.conv(weight_point=[3 if wrong else 0])
    return net.done()


@case("multiplier-range")
def too_fine_a_result(wrong: bool) -> bytes:
    net = Net(scale=5.0)  # times the weights' 0.01 over the result's scale
    net.conv(data_scale=5.0, scale=0.0001 if wrong else 0.1)
    return net.done()


@case("float-island")
def island(wrong: bool) -> bytes:
    net = plain()
    if wrong:
        net.grow("DEQUANTIZE", dtype="float32")
        net.grow("EXP", dtype="float32")
        net.grow("QUANTIZE", dtype="int8")
    net.conv(weights_of(columns=OUT))
    return net.done()


@case("conversion-pair")
def pair(wrong: bool) -> bytes:
    net = plain()
    net.grow("DEQUANTIZE", dtype="float32")
    if wrong:
        net.grow("QUANTIZE", dtype="int8")
    return net.done()


@case("requantize-chain")
def chain(wrong: bool) -> bytes:
    net = plain()
    for scale in (0.2, 0.3) if wrong else (0.2,):
        net.grow("QUANTIZE", scale=scale)
    return net.done()


@case("layout-transpose")
def relaid(wrong: bool) -> bytes:
    net = plain()
    first = ints(net, "first", 0, 3, 1, 2)
    last = ints(net, "last", 0, 2, 3, 1)
    net.grow("RELU", scale=0.1)
    if wrong:
        net.grow("TRANSPOSE", first, shape=(1, OUT, SIDE, SIDE), scale=0.1)
        net.grow("RELU", scale=0.1)
        net.grow("TRANSPOSE", last, shape=(1, SIDE, SIDE, OUT), scale=0.1)
    net.conv(weights_of(columns=OUT), data_scale=0.1)
    return net.done()


@case("unused-op")
def unused(wrong: bool) -> bytes:
    net = plain()
    kept = net.last
    other = net.grow("TANH")
    net.last = kept
    return net.done() if wrong else net.done(other)


@case("unused-constant")
def unread(wrong: bool) -> bytes:
    net = plain()
    if wrong:
        net.constant("left", np.arange(4096, dtype=np.float32))
    return net.done()


@case("duplicate-constant")
def twice(wrong: bool) -> bytes:
    net = plain("float32")
    tables = [np.arange(1024, dtype=np.float32) * scale for scale in (1, 1 if wrong else 2)]
    results = [net.tensor(f"result{place}", (1024,)) for place in range(2)]
    for place, (table, result) in enumerate(zip(tables, results, strict=True)):
        net.op("ABS", (net.constant(f"table{place}", table),), (result,))
    return net.done(*results)


@case("unfolded-constant")
def weights_made_anew(wrong: bool) -> bytes:
    net = Net("float32")
    kernel = net.constant("w", weights_of("float32"))
    if wrong:
        flat = net.constant("flat", weights_of("float32").reshape(OUT, IN))
        kernel = net.tensor("grown", (OUT, 1, 1, IN))
        net.op("RESHAPE", (flat, ints(net, "shape", OUT, 1, 1, IN)), (kernel,))
    net.grow("CONV_2D", kernel, -1, kind="Conv2DOptions", stride_w=1, stride_h=1, shape=(1, SIDE, SIDE, OUT))
    return net.done()


@case("idle-op")
def idle(wrong: bool) -> bytes:
    net = plain("float32")
    factor = net.constant("one", np.array([1.0 if wrong else 2.0], np.float32))
    net.grow("MUL", factor, kind="MulOptions")
    return net.done()


@case("unfused-activation")
def relu_behind(wrong: bool) -> bytes:
    net = plain()
    if wrong:
        net.grow("RELU", scale=0.1)
    return net.done()


@case("unfused-scale")
def factor_behind(wrong: bool) -> bytes:
    net = plain("float32")
    factor = np.arange(1, 1 + OUT, dtype=np.float32)
    net.grow("MUL", net.constant("factor", factor if wrong else factor[:1]), kind="MulOptions")
    return net.done()


@case("flex-op")
def flex(wrong: bool) -> bytes:
    net = plain("float32")
    result = net.value("result", (1, SIDE, SIDE, OUT))
    net.op("CUSTOM", (net.last,), (result,), custom="FlexErf" if wrong else "MyErf")
    net.last = result
    return net.done()


@case("open-shape")
def batch(wrong: bool) -> bytes:
    net = plain()
    if wrong:
        net.node.tensors[net.first].shape_signature = [-1, SIDE, SIDE, IN]
    return net.done()


@case("open-loop")
def doubled_until(wrong: bool) -> bytes:
    """``x = x + x`` while the largest is below 10; or five times, whatever ``x`` is."""
    return loop_model(bound=None if wrong else 5)


@case("idle-padding")
def strided(wrong: bool) -> bytes:
    """3x3 windows at every fourth place of 32: the 32nd row is unread; of 31 it would be read."""
    side = 32 if wrong else 31
    net = Net("float32")
    net.first = net.last = net.value("wide", (1, side, side, IN))
    kernel = net.constant("kernel", np.ones((OUT, 3, 3, IN), np.float32))
    bias = net.constant("bias", np.zeros(OUT, np.float32))
    settings = {"stride_w": 4, "stride_h": 4, "dilation_w_factor": 1, "dilation_h_factor": 1, "padding": 0}
    net.grow("CONV_2D", kernel, bias, kind="Conv2DOptions", shape=(1, 8, 8, OUT), **settings)
    return net.done()


def _dense(dtype: str, *, blocks: bool = False) -> bytes:
    """A dense layer with weights of a few bits, by channel or in blocks of 32."""
    net, wide = Net("float32", channels=64), 64
    data = bytes(OUT * wide // (4 if dtype == "int2" else 2))
    kernel = net.stored("kernel", (OUT, wide), dtype, data, scale=[0.1] * OUT)
    if blocks:
        in_blocks(net, kernel, 32)
    net.grow("FULLY_CONNECTED", kernel, -1, kind="FullyConnectedOptions", shape=(SIDE * SIDE, OUT))
    return net.done()


def in_blocks(net: Graph, tensor: int, size: int) -> None:
    """Gives a tensor a scale for each block of a row."""
    shape = net.node.tensors[tensor].shape
    scales = net.constant(f"scales{tensor}", np.full((shape[0], shape[1] // size), 0.1, np.float16))
    details = new_node(schema(), "BlockwiseQuantization", scales=scales, zero_points=-1, block_size=size)
    fields = {"details": details, "details_type": enum_value("QuantizationDetails", "BlockwiseQuantization")}
    net.node.tensors[tensor].quantization = new_node(schema(), "QuantizationParameters", **fields)


@case("int2-blocks")
def two_bits(wrong: bool) -> bytes:
    return _dense("int2", blocks=wrong)


@case("int4-expanded")
def weight_only(wrong: bool) -> bytes:
    net = Net("float32")
    stored = net.stored("kernel", (OUT, IN), "int4", bytes(OUT * IN // 2), scale=[0.1] * OUT)
    if wrong:
        expanded = net.tensor("expanded", (OUT, IN))
        net.op("DEQUANTIZE", (stored,), (expanded,))
        stored = expanded
    net.grow("FULLY_CONNECTED", stored, -1, kind="FullyConnectedOptions", shape=(SIDE * SIDE, OUT))
    return net.done()


@case("int4-unpacked")
def narrow_convolution(wrong: bool) -> bytes:
    net = Net("float32")
    bits, dtype = (2, "int4") if wrong else (1, "int8")
    kernel = net.stored("kernel", (OUT, 1, 1, IN), dtype, bytes([1]) * (OUT * IN // bits), scale=[0.1] * OUT)
    settings = {"stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1, "padding": 0}
    net.grow("CONV_2D", kernel, -1, kind="Conv2DOptions", shape=(1, SIDE, SIDE, OUT), **settings)
    return net.done()
