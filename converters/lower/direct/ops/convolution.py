"""Convolutions. TFLite has them for images with channels last, and for volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.windows import (
    Window,
    image_tensor,
    image_value,
    padded,
    window_of,
)
from edge_sdk.converters.lower.direct.value import Value


@dataclass(frozen=True)
class _Parts:
    """A convolution on images: ``weights`` are OIHW, ``groups`` divide the channels."""

    image: Tensor
    weights: Value
    bias: Tensor | None
    window: Window
    groups: int


def _conv(builder: Builder, node: Node) -> Value:
    x, weights = node.input(0), node.input(1)
    window = window_of(node, x.shape[2:], weights.shape[2:])
    parts = _Parts(image_tensor(builder, x), weights, bias_of(builder, node), window, int(node.attribute("group", 1)))
    if x.rank == 3:
        return _conv_1d(builder, parts)
    if x.rank == 4:
        return image_value(conv_2d(builder, parts))
    if x.rank == 5:
        return image_value(_conv_3d(builder, parts))
    raise NoFormError(f"a convolution over {x.rank - 2} spatial axes")


def bias_of(builder: Builder, node: Node) -> Tensor | None:
    """The third input, a number for each channel."""
    return builder.arranged(node.input(2)) if node.given(2) else None


def or_zeros(builder: Builder, bias: Tensor | None, channels: int) -> Tensor:
    """A bias where the op wants one."""
    return builder.constant(np.zeros(channels, np.float32)) if bias is None else bias


def _conv_1d(builder: Builder, parts: _Parts) -> Value:
    """``[N, L, C]`` as an image of height 1."""
    image, w = parts.image, parts.window
    batch, length, channels = image.shape
    tall = builder.reshaped(image, (batch, 1, length, channels))
    made = conv_2d(
        builder, _Parts(tall, with_height(builder, parts.weights), parts.bias, w.under_height(), parts.groups)
    )
    return image_value(builder.reshaped(made, (batch, *made.shape[2:])))


def with_height(builder: Builder, weights: Value) -> Value:
    """Weights over one axis as weights over two, the first of extent 1."""
    out, inner, extent = weights.shape
    if weights.is_constant:
        return builder.fixed(weights.data.reshape(out, inner, 1, extent))
    tall = builder.reshaped(builder.arranged(weights), (out, inner, 1, extent))
    return Value(tall, (0, 1, 2, 3))


def conv_2d(builder: Builder, parts: _Parts) -> Tensor:
    """CONV_2D or DEPTHWISE_CONV_2D, with a PAD where SAME does not say the padding."""
    window, image = parts.window, parts.image
    same = window.is_same(image.shape[1:3])
    if not same and window.is_padded:
        image = padded(builder, image, window)
    out, per_group = parts.weights.shape[:2]
    shape = (image.shape[0], *window.extents(parts.image.shape[1:3]), out)
    options: dict[str, Any] = {
        "padding": "SAME" if same and window.is_padded else "VALID",
        **_steps(window),
    }
    bias = or_zeros(builder, parts.bias, out)
    if per_group == 1 and parts.groups > 1:
        # 1HWO, where channel c of the input makes the outputs c * multiplier and on: ONNX's order.
        kernel = builder.arranged(parts.weights, (1, 2, 3, 0))
        return builder.emit(
            "DEPTHWISE_CONV_2D", [image, kernel, bias], shape, depth_multiplier=out // parts.groups, **options
        )
    return builder.emit("CONV_2D", [image, builder.arranged(parts.weights, (0, 2, 3, 1)), bias], shape, **options)


def _steps(window: Window) -> dict[str, int]:
    """Strides and dilations as CONV_2D's options."""
    return {
        "stride_h": window.strides[0],
        "stride_w": window.strides[1],
        "dilation_h_factor": window.dilations[0],
        "dilation_w_factor": window.dilations[1],
    }


def _conv_3d(builder: Builder, parts: _Parts) -> Tensor:
    """CONV_3D, whose weights are DHWIO and which has no groups."""
    if parts.groups != 1:
        raise NoFormError(f"a grouped convolution over volumes (group {parts.groups})")
    window, image = parts.window, padded(builder, parts.image, parts.window)
    out = parts.weights.shape[0]
    shape = (image.shape[0], *window.extents(parts.image.shape[1:4]), out)
    (sd, sh, sw), (dd, dh, dw) = window.strides, window.dilations
    return builder.emit(
        "CONV_3D",
        [image, builder.arranged(parts.weights, (2, 3, 4, 1, 0)), or_zeros(builder, parts.bias, out)],
        shape,
        padding="VALID",
        stride_d=sd,
        stride_h=sh,
        stride_w=sw,
        dilation_d_factor=dd,
        dilation_h_factor=dh,
        dilation_w_factor=dw,
    )


OPS = {"Conv": _conv}
