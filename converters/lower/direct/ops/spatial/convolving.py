"""A convolution over one, two or three spatial axes, as ops on images.

CONV_3D is in no delegate, has no integer form, and took 2.5 times as long as CONV_2D over slices put side by side
(18x30x30x32, kernel 3, one thread of an AMD EPYC), so volumes are convolved by CONV_2D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.ops.windows import Window, cropped, pad, padded
from edge_sdk.converters.lower.direct.value import Value, identity


@dataclass(frozen=True)
class Parts:
    """A convolution on images: ``weights`` are OIHW, ``groups`` divide the channels."""

    image: Tensor
    weights: Value
    bias: Tensor | None
    window: Window
    groups: int

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is convolved alone."""
        return self.groups > 1 and self.weights.shape[1] == 1


def or_zeros(builder: Builder, bias: Tensor | None, channels: int) -> Tensor:
    """A bias where the op wants one."""
    return builder.constant(np.zeros(channels, np.float32)) if bias is None else bias


def conv_2d(builder: Builder, parts: Parts) -> Tensor:
    """CONV_2D or DEPTHWISE_CONV_2D, with a PAD where SAME does not say the padding."""
    window, image = parts.window, parts.image
    same = window.is_same(image.shape[1:3])
    if not same and window.is_padded:
        image = padded(builder, image, window)
    out = parts.weights.shape[0]
    shape = (image.shape[0], *window.extents(parts.image.shape[1:3]), out)
    options: dict[str, Any] = {
        "padding": "SAME" if same and window.is_padded else "VALID",
        **_steps(window),
    }
    bias = or_zeros(builder, parts.bias, out)
    if parts.is_depthwise:
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


def conv_1d(builder: Builder, parts: Parts) -> Tensor:
    """``[N, L, C]`` as an image of height 1."""
    batch, length, channels = parts.image.shape
    out, inner, extent = parts.weights.shape
    tall = replace(
        parts,
        image=builder.reshaped(parts.image, (batch, 1, length, channels)),
        weights=_shaped(builder, parts.weights, (out, inner, 1, extent)),
        window=parts.window.under_height(),
    )
    made = conv_2d(builder, tall)
    return builder.reshaped(made, (batch, *made.shape[2:]))


def _shaped(builder: Builder, weights: Value, shape: tuple[int, ...]) -> Value:
    """Weights with another shape, in the source's order."""
    return Value(builder.reshaped(builder.arranged(weights), shape), identity(len(shape)))


def conv_3d(builder: Builder, parts: Parts) -> Tensor:
    """``[N, D, H, W, C]``: each step in depth is an image; the kernel's slices read as many of them."""
    if _is_along_depth(parts.window):
        return _along_depth(builder, parts)
    window = parts.window
    begins, ends = (0, window.begins[0], 0, 0, 0), (0, window.ends[0], 0, 0, 0)
    volume = cropped(builder, parts.image, [max(-b, 0) for b in begins], [max(-e, 0) for e in ends])
    volume = pad(builder, volume, [max(b, 0) for b in begins], [max(e, 0) for e in ends])
    depth = window.extents(parts.image.shape[1:4])[0]
    steps = [_steps_in_depth(builder, volume, i, window, depth) for i in range(window.kernel[0])]
    made = _summed(builder, parts, steps) if parts.is_depthwise else _side_by_side(builder, parts, steps)
    return builder.reshaped(made, (parts.image.shape[0], depth, *made.shape[1:]))


def _is_along_depth(window: Window) -> bool:
    """Whether neither height nor width matters."""
    rest = window.part(slice(1, 3))
    return rest.kernel == (1, 1) and rest.strides == (1, 1) and not rest.is_padded


def _along_depth(builder: Builder, parts: Parts) -> Tensor:
    """Height and width as one axis of an image whose height is depth."""
    batch, depth, height, width, channels = parts.image.shape
    (k, s, d, b, e) = (numbers[:1] for numbers in _fields(parts.window))
    flat = replace(
        parts,
        image=builder.reshaped(parts.image, (batch, depth, height * width, channels)),
        weights=_shaped(builder, parts.weights, (*parts.weights.shape[:3], 1)),
        window=Window((*k, 1), (*s, 1), (*d, 1), (*b, 0), (*e, 0)),
    )
    made = conv_2d(builder, flat)
    return builder.reshaped(made, (batch, made.shape[1], height, width, made.shape[3]))


def _fields(window: Window) -> tuple[tuple[int, ...], ...]:
    return window.kernel, window.strides, window.dilations, window.begins, window.ends


def _steps_in_depth(builder: Builder, volume: Tensor, place: int, window: Window, count: int) -> Tensor:
    """What one slice of the kernel reads: ``[N * count, H, W, C]``."""
    begin, stride = place * window.dilations[0], window.strides[0]
    end = begin + (count - 1) * stride + 1
    if stride == 1:
        rows = cropped(builder, volume, (0, begin, 0, 0, 0), (0, volume.shape[1] - end, 0, 0, 0))
    else:
        batch, _, *rest = volume.shape
        bounds = ([0, begin, 0, 0, 0], [batch, end, *rest], [1, stride, 1, 1, 1])
        inputs = [volume, *(builder.constant(numbers, "int32") for numbers in bounds)]
        rows = builder.emit("STRIDED_SLICE", inputs, (batch, count, *rest))
    return builder.reshaped(rows, (rows.shape[0] * count, *rows.shape[2:]))


def _summed(builder: Builder, parts: Parts, steps: list[Tensor]) -> Tensor:
    """A DEPTHWISE_CONV_2D for each slice of the kernel, added."""
    total: Tensor | None = None
    for place, image in enumerate(steps):
        weights = _slice_of(builder, parts.weights, place)
        window, bias = parts.window.part(slice(1, 3)), parts.bias if place == 0 else None
        made = conv_2d(builder, Parts(image, weights, bias, window, parts.groups))
        total = made if total is None else builder.emit("ADD", [total, made], made.shape)
    if total is None:
        raise ValueError("a kernel has at least one slice")
    return total


def _slice_of(builder: Builder, weights: Value, place: int) -> Value:
    if weights.is_constant:
        return builder.fixed(weights.data[:, :, place])
    tensor = builder.arranged(weights)
    depth = tensor.shape[2]
    part = cropped(builder, tensor, (0, 0, place, 0, 0), (0, 0, depth - place - 1, 0, 0))
    return _shaped(builder, Value(part, identity(5)), (*tensor.shape[:2], *tensor.shape[3:]))


def _side_by_side(builder: Builder, parts: Parts, steps: list[Tensor]) -> Tensor:
    """All steps of the kernel as channels, those of a group together, then one CONV_2D."""
    out, inner, depth, height, width = parts.weights.shape
    batch, *space, channels = steps[0].shape
    image = steps[0]
    if depth > 1:
        rows = [builder.reshaped(step, (batch * space[0] * space[1], parts.groups, inner)) for step in steps]
        joined = builder.emit("CONCATENATION", rows, (*rows[0].shape[:2], depth * inner), axis=2)
        image = builder.reshaped(joined, (batch, *space, depth * channels))
    swapped = Value(builder.arranged(parts.weights, (0, 2, 1, 3, 4)), identity(5))
    weights = _shaped(builder, swapped, (out, depth * inner, height, width))
    return conv_2d(builder, Parts(image, weights, parts.bias, parts.window.part(slice(1, 3)), parts.groups))
