"""Convolutions. TFLite has them for images with channels last, and for volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.windows import (
    Window,
    cropped,
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
    parts = _Parts(image_tensor(builder, x), weights, _bias(builder, node), window, int(node.attribute("group", 1)))
    if x.rank == 3:
        return _conv_1d(builder, parts)
    if x.rank == 4:
        return image_value(conv_2d(builder, parts))
    if x.rank == 5:
        return image_value(_conv_3d(builder, parts))
    raise NoFormError(f"a convolution over {x.rank - 2} spatial axes")


def _bias(builder: Builder, node: Node) -> Tensor | None:
    return builder.arranged(node.input(2)) if node.given(2) else None


def _or_zeros(builder: Builder, bias: Tensor | None, channels: int) -> Tensor:
    return builder.constant(np.zeros(channels, np.float32)) if bias is None else bias


def _conv_1d(builder: Builder, parts: _Parts) -> Value:
    """``[N, L, C]`` as an image of height 1."""
    image, w = parts.image, parts.window
    batch, length, channels = image.shape
    flat = Window((1, *w.kernel), (1, *w.strides), (1, *w.dilations), (0, *w.begins), (0, *w.ends))
    tall = builder.reshaped(image, (batch, 1, length, channels))
    made = conv_2d(builder, _Parts(tall, _with_height(builder, parts.weights), parts.bias, flat, parts.groups))
    return image_value(builder.reshaped(made, (batch, *made.shape[2:])))


def _with_height(builder: Builder, weights: Value) -> Value:
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
    bias = _or_zeros(builder, parts.bias, out)
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
        [image, builder.arranged(parts.weights, (2, 3, 4, 1, 0)), _or_zeros(builder, parts.bias, out)],
        shape,
        padding="VALID",
        stride_d=sd,
        stride_h=sh,
        stride_w=sw,
        dilation_d_factor=dd,
        dilation_h_factor=dh,
        dilation_w_factor=dw,
    )


def _conv_transpose(builder: Builder, node: Node) -> Value:
    """TRANSPOSE_CONV over the whole output, cropped to what the pads leave."""
    x, weights = node.input(0), node.input(1)
    if x.rank != 4:
        raise NoFormError(f"a transposed convolution over {x.rank - 2} spatial axes")
    if not weights.is_constant:
        raise NoFormError("a transposed convolution whose weights depend on data")
    window = window_of(node, x.shape[2:], weights.shape[2:])
    groups, bias = int(node.attribute("group", 1)), _bias(builder, node)
    parts = _Parts(image_tensor(builder, x), weights, bias, window, groups)
    kernel = _dilated(weights.data, window.dilations)
    full = [(size - 1) * s + k for size, s, k in zip(x.shape[2:], window.strides, kernel.shape[2:], strict=True)]
    begins, ends = _crops(node, window, full, x.shape[2:])
    made = _transposed(builder, parts, kernel, full)
    return image_value(_within(builder, made, begins, ends, bias))


def _transposed(builder: Builder, parts: _Parts, kernel: npt.NDArray[Any], full: list[int]) -> Tensor:
    """The whole output of each group, side by side."""
    image, groups = parts.image, parts.groups
    per_group = image.shape[3] // groups
    results = []
    for group in range(groups):
        part = _channels(builder, image, group * per_group, per_group)
        weights = kernel[group * per_group : (group + 1) * per_group]
        results.append(_transpose_conv(builder, part, weights, parts.window, full))
    made = results[0]
    if groups > 1:
        shape = (*made.shape[:3], made.shape[3] * groups)
        made = builder.emit("CONCATENATION", results, shape, axis=3)
    return made if parts.bias is None else builder.emit("ADD", [made, parts.bias], made.shape)


def _channels(builder: Builder, image: Tensor, begin: int, count: int) -> Tensor:
    if count == image.shape[3]:
        return image
    shape = (*image.shape[:3], count)
    begins = builder.constant([0, 0, 0, begin], "int32")
    return builder.emit("SLICE", [image, begins, builder.constant(shape, "int32")], shape)


def _transpose_conv(
    builder: Builder, image: Tensor, kernel: npt.NDArray[Any], window: Window, full: list[int]
) -> Tensor:
    """Weights are OHWI for TFLite, IOHW here."""
    shape = (image.shape[0], *full, kernel.shape[1])
    weights = builder.constant(kernel.transpose(1, 2, 3, 0))
    return builder.emit(
        "TRANSPOSE_CONV",
        [builder.constant(shape, "int32"), weights, image],
        shape,
        image.dtype,
        padding="VALID",
        stride_h=window.strides[0],
        stride_w=window.strides[1],
    )


def _dilated(weights: npt.NDArray[Any], dilations: tuple[int, ...]) -> npt.NDArray[Any]:
    """The kernel with zeros in its gaps: TRANSPOSE_CONV has no dilation."""
    if all(d == 1 for d in dilations):
        return weights
    extents = [(k - 1) * d + 1 for k, d in zip(weights.shape[2:], dilations, strict=True)]
    wide = np.zeros((*weights.shape[:2], *extents), weights.dtype)
    wide[:, :, :: dilations[0], :: dilations[1]] = weights
    return wide


def _crops(node: Node, window: Window, full: list[int], image: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """What is cut off before and after each axis; negative where the output is wider than the kernels reach."""
    extra = [int(v) for v in node.attribute("output_padding", [0] * len(full))]
    wanted = node.attribute("output_shape")
    if wanted is None and node.attribute("auto_pad", "NOTSET").startswith("SAME"):
        wanted = [size * s for size, s in zip(image, window.strides, strict=True)]
    if wanted is None:
        return list(window.begins), [e - more for e, more in zip(window.ends, extra, strict=True)]
    totals = [size - int(w) for size, w in zip(full, wanted[-len(full) :], strict=True)]
    later = node.attribute("auto_pad", "NOTSET") == "SAME_UPPER"
    begins = [t // 2 if later else t - t // 2 for t in totals]
    return begins, [t - b for t, b in zip(totals, begins, strict=True)]


def _within(builder: Builder, image: Tensor, begins: list[int], ends: list[int], bias: Tensor | None) -> Tensor:
    """Crops, and where the output is wider fills with what no kernel reached: the bias."""
    image = cropped(builder, image, [0, *(max(b, 0) for b in begins), 0], [0, *(max(e, 0) for e in ends), 0])
    if all(b >= 0 for b in (*begins, *ends)):
        return image
    if bias is not None and not (bias.data is not None and not bias.data.any()):
        raise NoFormError("an output wider than the kernels reach, with a bias")
    window = Window((1, 1), (1, 1), (1, 1), tuple(max(-b, 0) for b in begins), tuple(max(-e, 0) for e in ends))
    return padded(builder, image, window)


OPS = {"Conv": _conv, "ConvTranspose": _conv_transpose}
