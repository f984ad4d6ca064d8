"""Reshapes, transposes, slices and what they are carried over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from tests.converters.direct.passes.case import Case, Ops, X, binary, convolved, dense, numbers, scalar, unary


def _pooled_flat(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    mean = builder.emit("MEAN", [x, builder.constant([1, 2], "int32")], (2, 1, 1, 3), keep_dims=True)
    return [builder.reshaped(mean, (2, 3))]


def _reshape_over_activation(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    flat = builder.reshaped(x, (6, 4))
    scaled = binary(builder, "MUL", unary(builder, "TANH", flat), scalar(builder, 2))
    return [builder.reshaped(scaled, (2, 3, 4, 1))]


def _broadcast(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    x, z = inputs
    wide = builder.emit("BROADCAST_TO", [x, builder.constant(z.shape, "int32")], z.shape)
    return [binary(builder, "ADD", wide, z)]


def _heads(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Three parts of one dense layer's result, as attention takes them."""
    (x,) = inputs
    cut = builder.reshaped(x, (2, 5, 3, 2, 4))
    parts = []
    for i in range(3):
        begin, size = builder.constant([0, 0, i, 0, 0], "int32"), builder.constant([2, 5, 1, 2, 4], "int32")
        part = builder.emit("SLICE", [cut, begin, size], (2, 5, 1, 2, 4))
        parts.append(builder.reshaped(part, (2, 5, 2, 4)))
    return parts


def _halves(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    parts = []
    for begin, size in ((0, 2), (2, 4)):
        where = builder.constant([0, begin], "int32"), builder.constant([3, size], "int32")
        parts.append(unary(builder, "TANH", builder.emit("SLICE", [x, *where], (3, size))))
    return parts


def _half_and_whole(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A reshaped value that is cut for one reader and read whole by another, which has one operand."""
    (x,) = inputs
    apart = builder.reshaped(x, (3, 3, 2))
    where = builder.constant([0, 0, 0], "int32"), builder.constant([3, 1, 2], "int32")
    return [builder.emit("SLICE", [apart, *where], (3, 1, 2)), unary(builder, "TANH", apart)]


def _slice_of_slice(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    first = builder.emit("SLICE", [x, builder.constant([1, 1], "int32"), builder.constant([2, 4], "int32")], (2, 4))
    return [
        builder.emit("SLICE", [first, builder.constant([0, 2], "int32"), builder.constant([1, 2], "int32")], (1, 2))
    ]


def _shuffled(groups: int) -> Ops:
    """Channels of two pixels in each direction, as PyTorch has them, behind an activation."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        weights, bias = builder.constant(numbers(12, 1, 1, 6 // groups)), builder.constant(numbers(12, seed=1))
        steps: dict[str, Any] = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
        made = builder.emit("CONV_2D", [x, weights, bias], (2, 4, 5, 12), padding="VALID", **steps)
        parts = builder.reshaped(unary(builder, "TANH", made), (2, 20, 3, 4))
        turned = builder.reshaped(builder.transposed(parts, (0, 1, 3, 2)), (2, 4, 5, 12))
        return [builder.emit("DEPTH_TO_SPACE", [turned], (2, 8, 10, 3), block_size=2)]

    return ops


def _shuffled_halves(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A unit of ShuffleNet V2, of channels that halve unevenly, in front of a convolution."""
    joined = builder.emit("CONCATENATION", list(inputs), (2, 4, 5, 10), axis=3)
    for _ in range(2):
        parts = builder.transposed(builder.reshaped(joined, (2, 4, 5, 2, 5)), (0, 1, 2, 4, 3))
        mixed = builder.reshaped(parts, (2, 4, 5, 10))
        axis, part = builder.constant(np.int32(3)), ((2, 4, 5, 5), "float32")
        kept, read = builder.emit_many("SPLIT", [axis, mixed], [part, part], num_splits=2)
        joined = builder.emit("CONCATENATION", [kept, convolved(builder, read, 5)], (2, 4, 5, 10), axis=3)
    return [convolved(builder, joined, 3)]


def _flattened_image(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    turned = builder.transposed(x, (0, 3, 1, 2))
    return [dense(builder, builder.reshaped(turned, (2, 24)), 3, 1)]


def _there_and_back(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    there = builder.transposed(x, (0, 3, 1, 2))
    back = builder.transposed(there, (0, 2, 3, 1))
    return [unary(builder, "TANH", builder.reshaped(builder.reshaped(back, (4, 6)), (24,)))]


def _turned_heads(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    parts = builder.emit_many("SPLIT", [builder.constant(2, "int32"), x], [((2, 5, 8), "float32")] * 3, num_splits=3)
    return [builder.transposed(builder.reshaped(part, (2, 5, 2, 4)), (0, 2, 1, 3)) for part in parts]


def _turned_parts(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    parts = builder.emit_many("SPLIT", [builder.constant(1, "int32"), x], [((2, 3, 4), "float32")] * 2, num_splits=2)
    return [unary(builder, "TANH", builder.transposed(part, (2, 0, 1))) for part in parts]


def _along_one_axis(builder: Builder, x: Tensor) -> Tensor:
    weights, bias = builder.constant(numbers(5, 1, 3, 4)), builder.constant(numbers(5, seed=3))
    steps: dict[str, Any] = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    return builder.emit("CONV_2D", [x, weights, bias], (1, 1, 6, 5), padding="VALID", **steps)


def _squeezed(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A convolution along one axis as tf2onnx leaves it: squeezed, then bias, batch norm and activation."""
    c = _along_one_axis(builder, inputs[0])
    r = builder.reshaped(c, (1, 6, 5))
    biased = binary(builder, "ADD", r, builder.constant(numbers(1, 1, 5, seed=1)))
    scaled = binary(builder, "MUL", biased, builder.constant(numbers(5, seed=2)))
    return [unary(builder, "RELU", binary(builder, "SUB", scaled, scalar(builder, 0.5)))]


def _squeezed_by_place(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """What differs from place to place is no bias."""
    c = _along_one_axis(builder, inputs[0])
    return [binary(builder, "ADD", builder.reshaped(c, (1, 6, 5)), builder.constant(numbers(1, 6, 5)))]


CASES = {
    "a squeezed convolution": Case(
        "sink_reshapes", [(1, 1, 8, 4)], _squeezed, ["CONV_2D", "ADD", "MUL", "SUB", "RELU", "RESHAPE"]
    ),
    "a summand of places behind a squeeze": Case(
        "sink_reshapes", [(1, 1, 8, 4)], _squeezed_by_place, ["CONV_2D", "RESHAPE", "ADD"]
    ),
    "heads turned alike": Case("turn_before_split", [(2, 5, 24)], _turned_heads, ["RESHAPE", "TRANSPOSE", "SPLIT"]),
    "parts turned alike": Case("turn_before_split", [(2, 6, 4)], _turned_parts, ["TRANSPOSE", "SPLIT", "TANH", "TANH"]),
    "a pool and a flattening": Case("absorb_reshapes", [(2, 4, 4, 3)], _pooled_flat, ["MEAN"]),
    "a reshape over activations": Case("absorb_reshapes", [X], _reshape_over_activation, ["TANH", "MUL", "RESHAPE"]),
    "a broadcast": Case("drop_broadcasts", [(1, 3, 1), X], _broadcast, ["ADD"]),
    "heads of attention": Case("join_slices", [(2, 5, 24)], _heads, ["SPLIT", "RESHAPE", "RESHAPE", "RESHAPE"]),
    "parts of unequal size": Case("join_slices", [(3, 6)], _halves, ["SPLIT_V", "TANH", "TANH"]),
    "a part and the whole": Case("join_slices", [(3, 6)], _half_and_whole, ["RESHAPE", "SLICE", "TANH"]),
    "a slice of a slice": Case("join_slices", [(3, 6)], _slice_of_slice, ["SLICE"]),
    "a pixel shuffle": Case("order_channels", [(2, 4, 5, 6)], _shuffled(1), ["CONV_2D", "TANH", "DEPTH_TO_SPACE"]),
    "a pixel shuffle of groups": Case(
        "order_channels",
        [(2, 4, 5, 6)],
        _shuffled(2),
        ["CONV_2D", "TANH", "RESHAPE", "TRANSPOSE", "RESHAPE", "DEPTH_TO_SPACE"],
    ),
    "units of a shuffle": Case(
        "carry_shuffles",
        [(2, 4, 5, 5), (2, 4, 5, 5)],
        _shuffled_halves,
        [
            *("SLICE", "SLICE", "CONCATENATION", "CONV_2D", "SLICE", "SLICE", "SLICE", "CONCATENATION", "CONV_2D"),
            *("SLICE", "SLICE", "SLICE", "CONCATENATION", "CONV_2D"),
        ],
    ),
    "a flattened image": Case(
        "permute_dense_weights", [(2, 2, 3, 4)], _flattened_image, ["RESHAPE", "FULLY_CONNECTED"]
    ),
    "moves there and back": Case("cancel_moves", [(1, 2, 3, 4)], _there_and_back, ["RESHAPE", "TANH"]),
}
