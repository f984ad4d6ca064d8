"""Ops that cost time or do nothing."""

from __future__ import annotations

import numpy as np

from tests.core.checks.lint.cases.table import case
from tests.core.checks.lint.graphs import IN, OUT, SIDE, Net, ints, plain, weights_of
from tests.graphs import loop_model


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
