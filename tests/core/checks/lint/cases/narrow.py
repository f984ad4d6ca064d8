"""Weights of 4 and 2 bits."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.schema import schema
from tests.core.checks.lint.cases.table import case
from tests.core.checks.lint.graphs import IN, OUT, SIDE, Net
from tests.graphs import Graph, enum_value


def dense(dtype: str, *, blocks: bool = False, activation: str = "NONE") -> bytes:
    """A dense layer with weights of a few bits, by channel or in blocks of 32."""
    net, wide = Net("float32", channels=64), 64
    data = bytes(OUT * wide // (4 if dtype == "int2" else 2))
    kernel = net.stored("kernel", (OUT, wide), dtype, data, scale=[0.1] * OUT)
    if blocks:
        in_blocks(net, kernel, 32)
    fused = enum_value("ActivationFunctionType", activation)
    shape = (SIDE * SIDE, OUT)
    net.grow("FULLY_CONNECTED", kernel, -1, kind="FullyConnectedOptions", shape=shape, fused_activation_function=fused)
    return net.done()


def in_blocks(net: Graph, tensor: int, size: int) -> None:
    """Gives a tensor a scale for each block of a row."""
    shape = net.node.tensors[tensor].shape
    scales = net.constant(f"scales{tensor}", np.full((shape[0], shape[1] // size), 0.1, np.float16))
    details = new_node(schema(), "BlockwiseQuantization", scales=scales, zero_points=-1, block_size=size)
    fields = {"details": details, "details_type": enum_value("QuantizationDetails", "BlockwiseQuantization")}
    net.node.tensors[tensor].quantization = new_node(schema(), "QuantizationParameters", **fields)


@case("int4-blocks")
def fused_beside_blocks(wrong: bool) -> bytes:
    return dense("int4", blocks=True, activation="RELU" if wrong else "NONE")


@case("int2-blocks")
def two_bits(wrong: bool) -> bytes:
    return dense("int2", blocks=wrong)


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
