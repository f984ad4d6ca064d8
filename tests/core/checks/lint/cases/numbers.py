"""Mistakes in scales, ranges and weights."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.note import put_note
from edge_sdk.artifact.tree import pack_tree, parse_tree
from tests.core.checks.lint.cases.table import case
from tests.core.checks.lint.graphs import IN, OUT, RELU6, SIDE, Net, ints, plain, weights_of
from tests.graphs import conv_model, options, padded_pool_model


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
