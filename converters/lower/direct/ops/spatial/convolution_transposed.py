"""Transposed convolutions over one, two or three spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.spatial.convolution import bias_of
from edge_sdk.converters.lower.direct.ops.spatial.convolving import Parts, conv_2d, or_zeros
from edge_sdk.converters.lower.direct.ops.windows import (
    Window,
    cropped,
    image_tensor,
    image_value,
    pad,
    window_of,
)
from edge_sdk.converters.lower.direct.value import Value


@dataclass(frozen=True)
class Transposed:
    """A transposed convolution of one group.

    Attributes:
        weights: ``[I, O, *kernel]``, its gaps filled with zeros.
        strides: of each axis.
        begins: how much of the whole result is cut off before each axis; below zero, how much is added.
        extents: of the result.
    """

    weights: Value
    strides: tuple[int, ...]
    begins: tuple[int, ...]
    extents: tuple[int, ...]

    @property
    def kernel(self) -> tuple[int, ...]:
        """Extents of the kernel."""
        return self.weights.shape[2:]

    def full(self, image: Sequence[int]) -> tuple[int, ...]:
        """Extents of all that the kernels reach."""
        return tuple((n - 1) * s + k for n, s, k in zip(image, self.strides, self.kernel, strict=True))

    def is_same(self, image: Sequence[int]) -> bool:
        """Whether SAME cuts off just this; see XNNPACK's `CalculateTransposeConvPaddings` for the stride."""
        rows = zip(image, self.full(image), self.kernel, self.strides, self.begins, self.extents, strict=True)
        return all(
            whole >= out and begin == (whole - out) // 2 and size == -(-out // stride) and kernel >= stride
            for size, whole, kernel, stride, begin, out in rows
        )

    def valid_extents(self, image: Sequence[int]) -> tuple[int, ...]:
        """What VALID is asked for: all that the kernels reach, and up to a stride more where the result wants it."""
        rows = zip(self.full(image), self.strides, self.begins, self.extents, strict=True)
        return tuple(min(max(whole, begin + out), whole + stride - 1) for whole, stride, begin, out in rows)


def _conv_transpose(builder: Builder, node: Node) -> Value:
    x, groups = node.input(0), int(node.attribute("group", 1))
    if x.rank not in (3, 4, 5):
        raise NoFormError(f"a transposed convolution over {x.rank - 2} spatial axes")
    window = window_of(node, x.shape[2:], node.input(1).shape[2:])
    weights = with_gaps(builder, node.input(1), window.dilations)
    begins, extents = _cut(node, window, x.shape[2:])
    whole = Transposed(weights, window.strides, begins, extents)
    image, bias = image_tensor(builder, x), bias_of(builder, node)
    if groups == 1:
        return image_value(transposed_conv(builder, image, whole, bias))
    if _is_many(groups, x.shape[1]) and x.rank < 5 and node.input(1).is_constant:
        return image_value(_stuffed(builder, node, image, whole))
    parts = _channel_parts(builder, image, groups)
    kernels = _input_parts(builder, whole.weights, groups)
    biases = _bias_parts(builder, bias, groups)
    made = [
        transposed_conv(builder, part, replace(whole, weights=kernel), summand)
        for part, kernel, summand in zip(parts, kernels, biases, strict=True)
    ]
    shape = (*made[0].shape[:-1], made[0].shape[-1] * groups)
    return image_value(builder.emit("CONCATENATION", made, shape, axis=len(shape) - 1))


def _cut(node: Node, window: Window, image: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is cut off before each axis, and the extents of the result."""
    full = [(n - 1) * s + r for n, s, r in zip(image, window.strides, window.reach, strict=True)]
    extra = [int(v) for v in node.attribute("output_padding", [0] * len(full))]
    auto = node.attribute("auto_pad", "NOTSET")
    wanted = node.attribute("output_shape")
    if wanted is None and auto.startswith("SAME"):
        wanted = [n * s for n, s in zip(image, window.strides, strict=True)]
    if wanted is None:
        rows = zip(full, extra, window.begins, window.ends, strict=True)
        return window.begins, tuple(size + more - b - e for size, more, b, e in rows)
    extents = tuple(int(n) for n in wanted[-len(full) :])
    totals = [size + more - out for size, more, out in zip(full, extra, extents, strict=True)]
    # What the kernels do not reach lies behind, as in ONNX Runtime.
    return tuple(max(t // 2 if auto == "SAME_UPPER" else t - t // 2, 0) for t in totals), extents


def transposed_conv(builder: Builder, image: Tensor, conv: Transposed, bias: Tensor | None) -> Tensor:
    """TRANSPOSE_CONV, or CONV_3D_TRANSPOSE; what neither SAME nor VALID cuts off is cut by a SLICE.

    Args:
        builder: what makes ops.
        image: ``[N, *space, I]``.
        conv: over one, two or three axes.
        bias: ``[O]`` or None.
    """
    if len(conv.strides) == 1:
        tall = builder.reshaped(image, (image.shape[0], 1, *image.shape[1:]))
        made = transposed_conv(builder, tall, _under_height(builder, conv), bias)
        return builder.reshaped(made, (made.shape[0], *made.shape[2:]))
    space = image.shape[1:-1]
    if conv.is_same(space):
        return _emitted(builder, image, conv, conv.extents, bias, "SAME")
    extents = conv.valid_extents(space)
    rows = zip(extents, conv.begins, conv.extents, strict=True)
    ends = [size - begin - out for size, begin, out in rows]
    begins = conv.begins
    if min((*begins, *ends)) >= 0:
        made = _emitted(builder, image, conv, extents, bias, "VALID")
        return cropped(builder, made, (0, *begins, 0), (0, *ends, 0))
    # Beyond what the kernels reach there is nothing but the bias.
    made = _emitted(builder, image, conv, extents, None, "VALID")
    made = cropped(builder, made, (0, *(max(b, 0) for b in begins), 0), (0, *(max(e, 0) for e in ends), 0))
    made = pad(builder, made, (0, *(max(-b, 0) for b in begins), 0), (0, *(max(-e, 0) for e in ends), 0))
    return made if bias is None else builder.emit("ADD", [made, bias], made.shape)


def _under_height(builder: Builder, conv: Transposed) -> Transposed:
    inner, out, extent = conv.weights.shape
    tall = builder.reshaped(builder.arranged(conv.weights), (inner, out, 1, extent))
    return Transposed(Value(tall, (0, 1, 2, 3)), (1, *conv.strides), (0, *conv.begins), (1, *conv.extents))


def _emitted(
    builder: Builder, image: Tensor, conv: Transposed, extents: Sequence[int], bias: Tensor | None, padding: str
) -> Tensor:
    """The op itself. Weights are OHWI in two dimensions, DHWOI in three."""
    shape = (image.shape[0], *extents, conv.weights.shape[1])
    size = builder.constant(shape, "int32")
    if len(conv.strides) == 2:
        kernel = builder.arranged(conv.weights, (1, 2, 3, 0))
        inputs = [size, kernel, image] if bias is None else [size, kernel, image, bias]
        height, width = conv.strides
        return builder.emit(
            "TRANSPOSE_CONV", inputs, shape, image.dtype, padding=padding, stride_h=height, stride_w=width
        )
    kernel = builder.arranged(conv.weights, (2, 3, 4, 1, 0))
    depth, height, width = conv.strides
    return builder.emit(
        "CONV_3D_TRANSPOSE",
        [size, kernel, image, or_zeros(builder, bias, shape[-1])],
        shape,
        image.dtype,
        padding=padding,
        stride_d=depth,
        stride_h=height,
        stride_w=width,
        dilation_d_factor=1,
        dilation_h_factor=1,
        dilation_w_factor=1,
    )


def with_gaps(builder: Builder, weights: Value, dilations: Sequence[int]) -> Value:
    """The kernel with zeros in its gaps: the ops have no dilation."""
    for axis, step in enumerate(dilations, 2):
        if step != 1 and weights.shape[axis] != 1:
            weights = _spread(builder, weights, axis, step)
    return weights


def _spread(builder: Builder, x: Value, axis: int, step: int) -> Value:
    """Zeros between the elements of an axis."""
    size = x.shape[axis]
    if x.is_constant:
        wide: npt.NDArray[Any] = np.zeros((*x.shape[:axis], (size - 1) * step + 1, *x.shape[axis + 1 :]), x.dtype)
        wide[(slice(None),) * axis + (slice(None, None, step),)] = x.data
        return builder.fixed(wide)
    before, after = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1 :]))
    rows = pad(
        builder, builder.reshaped(builder.arranged(x), (before, size, after)), (0, 0, 0), (0, 0, after * (step - 1))
    )
    whole = builder.reshaped(rows, (before, size * step, after))
    part = cropped(builder, whole, (0, 0, 0), (0, step - 1, 0))
    return _shaped(builder, part, (*x.shape[:axis], (size - 1) * step + 1, *x.shape[axis + 1 :]))


def _shaped(builder: Builder, tensor: Tensor, shape: Sequence[int]) -> Value:
    """A tensor with another shape, in the source's order."""
    return Value(builder.reshaped(tensor, shape), tuple(range(len(shape))))


# --- groups -----------------------------------------------------------------------------------------------------------

_FEW = 8


def _is_many(groups: int, channels: int) -> bool:
    """Whether an op for each group is more than a convolution over an image full of zeros."""
    return groups > _FEW or groups == channels


def _stuffed(builder: Builder, node: Node, image: Tensor, conv: Transposed) -> Tensor:
    """A convolution by the turned kernel over the image with zeros between its elements."""
    if len(conv.strides) == 1:
        tall = builder.reshaped(image, (image.shape[0], 1, *image.shape[1:]))
        made = _stuffed(builder, node, tall, _under_height(builder, conv))
        return builder.reshaped(made, (made.shape[0], *made.shape[2:]))
    batch, height, width, channels = image.shape
    high, wide = conv.strides
    rows = pad(
        builder, builder.reshaped(image, (batch * height, 1, width, channels)), (0, 0, 0, 0), (0, high - 1, 0, 0)
    )
    columns = builder.reshaped(rows, (batch * height * high * width, 1, channels))
    columns = pad(builder, columns, (0, 0, 0), (0, wide - 1, 0))
    stuffed = builder.reshaped(columns, (batch, height * high, width * wide, channels))
    begins = tuple(k - 1 - b for k, b in zip(conv.kernel, conv.begins, strict=True))
    sizes = zip(conv.extents, conv.kernel, begins, stuffed.shape[1:3], strict=True)
    ends = tuple(out + k - 1 - begin - size for out, k, begin, size in sizes)
    window = Window(conv.kernel, (1, 1), (1, 1), begins, ends)
    groups = int(node.attribute("group", 1))
    return conv_2d(builder, Parts(stuffed, _turned(builder, conv, groups), bias_of(builder, node), window, groups))


def _turned(builder: Builder, conv: Transposed, groups: int) -> Value:
    """``[I, O / groups, *kernel]`` to ``[O, I / groups, *kernel]``, back to front."""
    inner, out, *kernel = conv.weights.shape
    grouped = conv.weights.data[:, :, ::-1, ::-1].reshape(groups, inner // groups, out, *kernel)
    return builder.fixed(grouped.swapaxes(1, 2).reshape(groups * out, inner // groups, *kernel))


def _channel_parts(builder: Builder, image: Tensor, groups: int) -> Sequence[Tensor]:
    """The image's channels, group by group."""
    last = len(image.shape) - 1
    part = (*image.shape[:-1], image.shape[-1] // groups)
    return builder.emit_many(
        "SPLIT", [builder.constant(last, "int32"), image], [(part, image.dtype)] * groups, num_splits=groups
    )


def _input_parts(builder: Builder, weights: Value, groups: int) -> list[Value]:
    """``[I, ...]`` cut along its first axis."""
    if weights.is_constant:
        return [builder.fixed(part) for part in np.split(weights.data, groups)]
    tensor = builder.arranged(weights)
    part = (tensor.shape[0] // groups, *tensor.shape[1:])
    made = builder.emit_many(
        "SPLIT", [builder.constant(0, "int32"), tensor], [(part, tensor.dtype)] * groups, num_splits=groups
    )
    return [Value(one, tuple(range(len(part)))) for one in made]


def _bias_parts(builder: Builder, bias: Tensor | None, groups: int) -> Sequence[Tensor | None]:
    if bias is None:
        return [None] * groups
    if bias.data is not None:
        return [builder.constant(part) for part in np.split(bias.data, groups)]
    part = ((bias.shape[0] // groups,), bias.dtype)
    return builder.emit_many("SPLIT", [builder.constant(0, "int32"), bias], [part] * groups, num_splits=groups)


OPS = {"ConvTranspose": _conv_transpose}
