"""Convolutions and pools with what borders them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from tests.converters.direct.passes.case import Case, Ops, binary, convolved, numbers, scalar, unary


def _padded_conv(borders: Sequence[tuple[int, int]], size: int, stride: int) -> Ops:
    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x = inputs[0]
        for begin, end in borders:
            rows = builder.constant([[0, 0], [begin, end], [begin, end], [0, 0]], "int32")
            extent = x.shape[1] + begin + end
            x = builder.emit("PAD", [x, rows], (1, extent, extent, 3))
        weights, bias = builder.constant(numbers(2, 3, 3, 3)), builder.constant(np.zeros(2, np.float32))
        steps: dict[str, Any] = {"stride_h": stride, "stride_w": stride, "dilation_h_factor": 1, "dilation_w_factor": 1}
        return [builder.emit("CONV_2D", [x, weights, bias], (1, size, size, 2), padding="VALID", **steps)]

    return ops


def _bordered_pool(activation: str) -> Ops:
    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        active = unary(builder, activation, x)
        rows = builder.constant([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
        lowest = builder.constant(np.finfo(np.float32).min)
        wide = builder.emit("PADV2", [active, rows, lowest], (1, 8, 8, 3))
        steps: dict[str, Any] = {"stride_h": 2, "stride_w": 2, "filter_height": 3, "filter_width": 3}
        return [builder.emit("MAX_POOL_2D", [wide], (1, 3, 3, 3), padding="VALID", **steps)]

    return ops


def _grown(builder: Builder, x: Tensor, channels: int) -> Tensor:
    shape = (x.shape[0], x.shape[1] + 1, x.shape[2] + 1, channels)
    inputs = [builder.constant(shape, "int32"), builder.constant(numbers(channels, 2, 2, x.shape[3])), x]
    return builder.emit("TRANSPOSE_CONV", inputs, shape, "float32", padding="VALID", stride_w=1, stride_h=1)


def _pooled(kind: str) -> Callable[[Builder, Tensor, int], Tensor]:
    sizes: dict[str, Any] = {"filter_width": 2, "filter_height": 2, "stride_w": 1, "stride_h": 1}
    return lambda builder, x, _: builder.emit(kind, [x], x.shape, padding="SAME", **sizes)


def _clamps(channels: int, window: Callable[[Builder, Tensor, int], Tensor] = convolved) -> Ops:
    """Some with zero in their range, one of what is no window."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        made = binary(builder, "MINIMUM", window(builder, x, channels), scalar(builder, 6))
        made = binary(builder, "MAXIMUM", made, scalar(builder, 0.1))
        return [made, binary(builder, "MAXIMUM", unary(builder, "TANH", x), scalar(builder, 0.1))]

    return ops


CASES = {
    "clamps of a convolution": Case(
        "keep_clamps_apart", [(1, 4, 4, 3)], _clamps(2), ["CONV_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"]
    ),
    "clamps of one channel": Case(
        "keep_clamps_apart", [(1, 4, 1, 3)], _clamps(1), ["CONV_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"]
    ),
    "clamps of one number": Case(
        "keep_clamps_apart",
        [(1, 1, 1, 3)],
        _clamps(1),
        ["CONV_2D", "MINIMUM", "RESHAPE", "MAXIMUM", "RESHAPE", "TANH", "MAXIMUM"],
    ),
    "clamps of a transposed convolution": Case(
        "keep_clamps_apart",
        [(1, 4, 4, 3)],
        _clamps(2, _grown),
        ["TRANSPOSE_CONV", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"],
    ),
    "clamps of a mean over windows": Case(
        "keep_clamps_apart",
        [(1, 4, 4, 3)],
        _clamps(3, _pooled("AVERAGE_POOL_2D")),
        ["AVERAGE_POOL_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"],
    ),
    "clamps of a maximum over windows": Case(
        "keep_clamps_apart",
        [(1, 4, 4, 3)],
        _clamps(3, _pooled("MAX_POOL_2D")),
        ["MAX_POOL_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"],
    ),
    "a pad that is SAME": Case("fold_padding", [(1, 6, 6, 3)], _padded_conv([(1, 1)], 6, 1), ["CONV_2D"]),
    "two pads that are SAME": Case("fold_padding", [(1, 7, 7, 3)], _padded_conv([(1, 0), (0, 1)], 4, 2), ["CONV_2D"]),
    "a pad that is not": Case("fold_padding", [(1, 6, 6, 3)], _padded_conv([(1, 1)], 3, 2), ["PAD", "CONV_2D"]),
    "borders of a pool after RELU": Case(
        "zero_borders", [(1, 6, 6, 3)], _bordered_pool("RELU"), ["RELU", "PAD", "MAX_POOL_2D"]
    ),
    "borders of a pool after TANH": Case(
        "zero_borders", [(1, 6, 6, 3)], _bordered_pool("TANH"), ["TANH", "PADV2", "MAX_POOL_2D"]
    ),
}
