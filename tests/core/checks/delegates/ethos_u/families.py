"""Small int8 files on both sides of each rule of Vela's, by family; built by code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice, permutations, product
from typing import Any

import numpy as np

from tests.core.checks.delegates.xnnpack import FAMILIES as ONE_OP
from tests.core.checks.delegates.xnnpack import MANY
from tests.core.checks.delegates.xnnpack.one_op import Probe, T, ints, op
from tests.graphs import Graph, conv_model, options, padded_pool_model

SCALE = (0.1,)
_EVERY = 5
"""Of thousands of probes; all of them agreed when the rules were written."""


def q(*shape: int, dtype: str = "int8", data: Any = None, scale: tuple[float, ...] | None = SCALE) -> T:
    return T(shape, dtype, scale, data=data)


def layers() -> Iterator[Probe]:
    """Strides, dilations, weights and biases."""
    kernel, bias = q(4, 3, 3, 3, data=1), T((4,), "int32", (0.01,), data=0)
    image = q(1, 16, 16, 3)
    for stride, padding, spread, side in product((1, 3, 4, 16), (0, 1), (1, 2), (16, 19)):
        fields = {"stride_h": stride, "stride_w": stride, "padding": padding}
        size = -(-side // stride) if padding == 0 else -(-(side - 2 * spread) // stride)
        more = {"dilation_h_factor": spread, "dilation_w_factor": spread}
        label = f"stride {stride} padding {padding} dilation {spread} side {side}"
        given = [q(1, side, side, 3), kernel, bias]
        yield f"conv {label}", op("CONV_2D", given, [q(1, size, size, 4)], "Conv2DOptions", **fields, **more)
        deep = [given[0], q(1, 3, 3, 3, data=1), T((3,), "int32", (0.01,), data=0)]
        kind = "DepthwiseConv2DOptions"
        made = [q(1, size, size, 3)]
        yield f"depthwise {label}", op("DEPTHWISE_CONV_2D", deep, made, kind, depth_multiplier=1, **fields, **more)
    plain = {"stride_h": 1, "stride_w": 1, "padding": 0, "dilation_h_factor": 1, "dilation_w_factor": 1}
    for label, filter_, offset in (
        ("per channel", replace(kernel, scale=(0.1,) * 4), replace(bias, scale=(0.01,) * 4)),
        ("no bias", kernel, None),
        ("computed bias", kernel, replace(bias, data=None)),
        ("wide bias", kernel, replace(bias, dtype="int64")),
        ("int16 bias", kernel, replace(bias, dtype="int16")),
        ("tall bias", kernel, replace(bias, shape=(4, 1))),
        ("bare weights", replace(kernel, scale=None), bias),
        ("int16 weights", replace(kernel, dtype="int16"), bias),
    ):
        yield f"conv {label}", op("CONV_2D", [image, filter_, offset], [q(1, 16, 16, 4)], "Conv2DOptions", **plain)


def dense() -> Iterator[Probe]:
    """Sums of weights, computed weights, ranks."""
    # 127 * 65,536 is the largest sum: one more input of weight 127 is beyond it.
    for inputs in (65536, 65537):
        weights = q(1, inputs, data=np.full((1, inputs), 127, np.int8))
        yield f"sum of {inputs}", op("FULLY_CONNECTED", [q(1, inputs), weights], [q(1, 1)], "FullyConnectedOptions")
    for dtype in ("int8", "int16"):
        given = [q(1, 8, dtype=dtype), q(4, 8)]
        label = f"computed weights beside {dtype}"
        yield label, op("FULLY_CONNECTED", given, [q(1, 4, dtype=dtype)], "FullyConnectedOptions")
    for shape in ((4, 8), (4, 1, 1, 8), (4, 2, 4)):
        given = [q(1, 8), q(*shape, data=1)]
        yield f"weights of {shape}", op("FULLY_CONNECTED", given, [q(1, 4)], "FullyConnectedOptions")
    for dtype in ("int8", "uint8", "int16"):
        given = [q(1, 2, 4, dtype=dtype), q(1, 4, 3, dtype=dtype)]
        yield f"matmul {dtype}", op("BATCH_MATMUL", given, [q(1, 2, 3, dtype=dtype)], "BatchMatMulOptions")


def windows() -> Iterator[Probe]:
    """Pools."""
    sizes = ((1, 1), (2, 2), (8, 8), (9, 9), (8, 9), (256, 1), (257, 1), (1, 257))
    for name, (height, width), padding, stride in product(("AVERAGE_POOL_2D", "MAX_POOL_2D"), sizes, (0, 1), (1, 4)):
        fields = {"filter_height": height, "filter_width": width, "padding": padding}
        rows, columns = (
            -(-260 // stride) if padding == 0 else -(-(260 - size + 1) // stride) for size in (height, width)
        )
        made = [q(1, rows, columns, 2)]
        label = f"{name} {height}x{width} padding {padding} stride {stride}"
        yield label, op(name, [q(1, 260, 260, 2)], made, "Pool2DOptions", stride_h=stride, stride_w=stride, **fields)


def over_axes() -> Iterator[Probe]:
    """Means, sums, and the largest of channels."""
    shapes = ((1, 8, 8, 4), (2, 8, 8, 4), (1, 8, 1, 4), (1, 4097, 2, 4), (8, 4), (3, 8, 4))
    for shape, axes in product(shapes, ((1, 2), (3,), (-1,), (0,), (1,), (2, 3))):
        if all(-len(shape) <= axis < len(shape) for axis in axes):
            left = [extent for axis, extent in enumerate(shape) if axis not in {a % len(shape) for a in axes}]
            for name in ("MEAN", "SUM", "REDUCE_MAX"):
                made = op(name, [q(*shape), ints(*axes)], [q(*(left or [1]))], "ReducerOptions")
                yield f"{name} {shape} over {axes}", made
    for depth, axis in product((127, 128), (-1, 3, 1)):
        ranks = T((1, 4, depth if axis == 1 else 4), "int32")
        made = op("ARG_MAX", [q(1, 4, 4, depth), ints(axis)], [ranks], "ArgMaxOptions", output_type=2)
        yield f"ARG_MAX of {depth} along {axis}", made


def moves() -> Iterator[Probe]:
    """Orders, strides, sizes and paddings."""
    for dtype, order in product(("int8", "int32"), (*permutations(range(4)), *permutations(range(3)), (1, 0))):
        shape = (2, 3, 5, 7)[-len(order) :]
        made = [q(*(shape[axis] for axis in order), dtype=dtype)]
        yield f"TRANSPOSE {dtype} {order}", op("TRANSPOSE", [q(*shape, dtype=dtype), ints(*order)], made)
    for order, shape in (((0, 2, 1), (1, 65537, 2)), ((0, 2, 1), (1, 65536, 2)), ((1, 0, 2, 3), (300, 300, 2, 2))):
        made = [q(*(shape[axis] for axis in order))]
        yield f"TRANSPOSE {shape} {order}", op("TRANSPOSE", [q(*shape), ints(*order)], made)
    for axis in range(4):
        steps = [2 if place == axis else 1 for place in range(4)]
        made = [q(*(-(-8 // step) for step in steps))]
        given = [q(8, 8, 8, 8), ints(0, 0, 0, 0), ints(8, 8, 8, 8), ints(*steps)]
        yield f"STRIDED_SLICE step along {axis}", op("STRIDED_SLICE", given, made, "StridedSliceOptions")
    for axes in ((), (1,), (3,)):
        yield f"REVERSE_V2 {axes}", op("REVERSE_V2", [q(1, 4, 4, 3), ints(*axes)], [q(1, 4, 4, 3)])
    pads = T((4, 2), "int32", data=np.array([[0, 0], [1, 1], [1, 1], [0, 0]]))
    for name, kind, paddings in (
        ("PAD", "PadOptions", pads),
        ("PAD", "PadOptions", replace(pads, dtype="int64")),
        ("MIRROR_PAD", "MirrorPadOptions", pads),
    ):
        yield f"{name} {paddings.dtype}", op(name, [q(1, 4, 4, 3), paddings], [q(1, 6, 6, 3)], kind)
    for count in (2, 3):
        given = [T((), "int32", data=np.array(3)), q(1, 4, 4, 6)]
        yield f"SPLIT into {count}", op("SPLIT", given, [q(1, 4, 4, 6 // count)] * count, "SplitOptions", num_splits=2)


def resizes() -> Iterator[Probe]:
    """Factors, corners and centres."""
    names = ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
    sizes = ((8, 8), (16, 16), (24, 24), (32, 32), (64, 64), (128, 128), (16, 32), (15, 15), (4, 4), (29, 29))
    for name, (rows, columns), corners, centers in product(names, sizes, (False, True), (False, True)):
        kind = "ResizeBilinearOptions" if "BILINEAR" in name else "ResizeNearestNeighborOptions"
        made = [q(1, rows, columns, 3)]
        fields = {"align_corners": corners, "half_pixel_centers": centers}
        label = f"{name} {rows}x{columns} corners {corners} centers {centers}"
        yield label, op(name, [q(1, 8, 8, 3), ints(rows, columns)], made, kind, **fields)
        if rows == columns:
            made = [q(1, 1, columns, 3)]
            given = [q(1, 1, 8, 3), ints(1, columns)]
            yield f"row {label}", op(name, given, made, kind, **fields)


def others() -> Iterator[Probe]:
    """What no other family asks: quantization that must agree, activations, shapes, parameters."""
    x, y = q(1, 4, 4, 3), q(1, 4, 4, 3, scale=(0.2,))
    for name, second in product(("MAXIMUM", "MINIMUM"), (x, y)):
        yield f"{name} {second.scale}", op(name, [x, second], [x], "MaximumMinimumOptions")
    for name, dtype, activation in product(("ADD", "MUL", "SUB"), ("int8", "int16", "int32"), (0, 1, 3)):
        one = q(1, 4, 4, 3, dtype=dtype)
        kind = {"ADD": "AddOptions", "MUL": "MulOptions", "SUB": "SubOptions"}[name]
        label = f"{name} {dtype} activation {activation}"
        yield label, op(name, [one, one], [one], kind, fused_activation_function=activation)
    for name in ("GELU", "ELU", "LOG", "EXP", "RSQRT", "HARD_SWISH", "LEAKY_RELU", "PRELU", "DIV", "CAST", "SQRT"):
        more = {"PRELU": [q(1, 1, 3, data=1)], "DIV": [x]}.get(name, [])
        yield name, op(name, [x, *more], [x])
    for shape in ((1, 256, 256, 4), (1, 256, 257, 4), (1, 4)):
        shares = T(shape, "int8", (1 / 256,), -128)
        yield f"SOFTMAX {shape}", op("SOFTMAX", [q(*shape)], [shares], "SoftmaxOptions", beta=1.0)
    for axis, batch in ((0, 0), (1, 0), (1, 1)):
        rows = q(*((3, 2, 4) if axis else (2, 3, 4)))
        indices = T((3, 2) if batch else (2,), "int32")
        fields = {"axis": axis, "batch_dims": batch}
        yield f"GATHER {axis} {batch}", op("GATHER", [q(3, 3, 4), indices], [rows], "GatherOptions", **fields)
    yield from _transposed()


def _transposed() -> Iterator[Probe]:
    for stride, padding, (rows, columns), (high, wide) in product(
        ((1, 1), (2, 2), (2, 1), (1, 2), (3, 3)), (0, 1), ((4, 4), (1, 4), (4, 1)), ((3, 3), (1, 3), (3, 1))
    ):
        grown = [0, 0] if padding == 0 else [max(high - stride[0], 0), max(wide - stride[1], 0)]
        made = [q(1, rows * stride[0] + grown[0], columns * stride[1] + grown[1], 2)]
        given = [ints(*made[0].shape), q(2, high, wide, 3, data=1), q(1, rows, columns, 3)]
        fields = {"stride_h": stride[0], "stride_w": stride[1], "padding": padding}
        label = f"TRANSPOSE_CONV {stride} {padding} {rows}x{columns} {high}x{wide}"
        yield label, op("TRANSPOSE_CONV", given, made, "TransposeConvOptions", **fields)


def graphs() -> Iterator[Probe]:
    """Several ops: what is absorbed, what nobody reads, what stands for a dilation."""
    yield "float", conv_model()
    yield "float with a padded pool", padded_pool_model()
    yield "cpu op between", _between("L2_NORMALIZATION")
    yield "all on the npu", _between("ABS")
    for activation in (0, 1):
        yield f"dilation activation {activation}", _dilated(activation)


def _between(name: str) -> bytes:
    graph = Graph()
    x, y, z = (graph.tensor(label, (1, 4, 4, 2), "int8", scale=SCALE) for label in "xyz")
    flat, dead, end = (graph.tensor(label, (1, 32), "int8", scale=SCALE) for label in ("flat", "dead", "end"))
    shape = graph.constant("shape", np.array([1, 32], np.int32))
    graph.op("ABS", (x,), (y,))
    graph.op(name, (y,), (z,))
    graph.op("RESHAPE", (z, shape), (flat,), options("ReshapeOptions", new_shape=[1, 32]))
    graph.op("NEG", (flat,), (dead,))
    graph.op("TANH", (flat,), (end,))
    return graph.finish((x,), (end,))


def _dilated(activation: int) -> bytes:
    """SPACE_TO_BATCH_ND, CONV_2D, BATCH_TO_SPACE_ND: a convolution with dilation 2."""
    graph = Graph()
    x = graph.tensor("x", (1, 8, 8, 3), "int8", scale=SCALE)
    block = graph.constant("block", np.array([2, 2], np.int32))
    none = graph.constant("none", np.zeros((2, 2), np.int32))
    spread = graph.tensor("spread", (4, 4, 4, 3), "int8", scale=SCALE)
    kernel = graph.constant("kernel", np.ones((4, 3, 3, 3), np.int8), scale=SCALE)
    made = graph.tensor("made", (4, 2, 2, 4), "int8", scale=SCALE)
    y = graph.tensor("y", (1, 4, 4, 4), "int8", scale=SCALE)
    graph.op("SPACE_TO_BATCH_ND", (x, block, none), (spread,), options("SpaceToBatchNDOptions"))
    fields = {"stride_h": 1, "stride_w": 1, "padding": 1, "fused_activation_function": activation}
    graph.op("CONV_2D", (spread, kernel), (made,), options("Conv2DOptions", **fields))
    graph.op("BATCH_TO_SPACE_ND", (made, block, none), (y,), options("BatchToSpaceNDOptions"))
    return graph.finish((x,), (y,))


OWN: dict[str, Callable[[], Iterator[Probe]]] = {
    f"ethos_u {family.__name__}": family
    for family in (layers, dense, windows, over_axes, moves, resizes, others, graphs)
}


def _some(family: Callable[[], Iterator[Probe]]) -> Iterator[Probe]:
    return islice(family(), 0, None, _EVERY)


SOME: dict[str, Callable[[], Iterator[Probe]]] = {
    f"some {name}": partial(_some, family) for name, family in MANY.items()
}
FAMILIES = {**OWN, **ONE_OP, **MANY, **SOME}
