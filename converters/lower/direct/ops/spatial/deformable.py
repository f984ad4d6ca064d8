"""Convolution whose kernel's elements lie where another tensor says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.spatial.convolving import or_zeros
from edge_sdk.converters.lower.direct.ops.spatial.taps import LINEAR, Maths, sampled
from edge_sdk.converters.lower.direct.ops.windows import Window, image_tensor, image_value, window_of
from edge_sdk.converters.lower.direct.value import Value


def _deform_conv(builder: Builder, node: Node) -> Value:
    """Samples of every window side by side as channels, then a convolution of kernel 1."""
    x, weights = node.input(0), node.input(1)
    if x.rank != 4:
        raise NoFormError(f"a deformable convolution over {x.rank - 2} spatial axes")
    window = window_of(node, x.shape[2:], weights.shape[2:])
    extents = window.extents(x.shape[2:])
    columns = _columns(builder, node, window, extents)
    made = _product(builder, node, columns)
    return image_value(builder.reshaped(made, (x.shape[0], *extents, weights.shape[0])))


def _columns(builder: Builder, node: Node, window: Window, extents: tuple[int, ...]) -> Tensor:
    """``[N, windows, kernel, C]``: what each window reads."""
    x, groups = node.input(0), int(node.attribute("offset_group", 1))
    batch, channels = x.shape[:2]
    windows, size = int(np.prod(extents)), int(np.prod(window.kernel))
    image = _grouped(builder, image_tensor(builder, x), (batch, int(np.prod(x.shape[2:])), groups, channels // groups))
    image = builder.reshaped(image, (batch * groups, *x.shape[2:], channels // groups))
    places = _places(builder, node.input(2), window, extents, groups)
    rows = sampled(builder, image, places, LINEAR, "zeros", corners=False)
    if node.given(4):
        mask = _grouped(builder, image_tensor(builder, node.input(4)), (batch, windows, groups, size))
        rows = Maths(builder).two("MUL", rows, builder.reshaped(mask, (batch * groups, windows * size, 1)))
    apart = (batch, groups, windows * size, channels // groups)
    together = _grouped(builder, rows, apart)
    return builder.reshaped(together, (batch, windows, size, channels))


def _grouped(builder: Builder, tensor: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """A tensor of this shape with its middle axes swapped."""
    whole = builder.reshaped(tensor, shape)
    return whole if shape[1] == 1 or shape[2] == 1 else builder.transposed(whole, (0, 2, 1, 3))


def _places(builder: Builder, offset: Value, window: Window, extents: tuple[int, ...], groups: int) -> list[Tensor]:
    """For height and width ``[N * groups, 1, windows * kernel]``: where each element of each window lies."""
    windows, size = int(np.prod(extents)), int(np.prod(window.kernel))
    batch = offset.shape[0]
    apart = _grouped(builder, image_tensor(builder, offset), (batch, windows, groups, size * 2))
    moved = builder.reshaped(apart, (batch * groups, windows * size, 2))
    places = Maths(builder).two("ADD", moved, _undisturbed(window, extents)[None])
    shape = ((batch * groups, windows * size, 1), places.dtype)
    parts = builder.emit_many("SPLIT", [builder.constant(2, "int32"), places], [shape] * 2, num_splits=2)
    return [builder.reshaped(part, (batch * groups, 1, windows * size)) for part in parts]


def _undisturbed(window: Window, extents: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """``[windows * kernel, 2]``: where the elements lie without an offset."""
    axes = []
    for i in (0, 1):
        starts = np.arange(extents[i]) * window.strides[i] - window.begins[i]
        axes.append(starts[:, None] + np.arange(window.kernel[i]) * window.dilations[i])
    rows = np.broadcast_to(axes[0][:, None, :, None], (*extents, *window.kernel))
    columns = np.broadcast_to(axes[1][None, :, None, :], (*extents, *window.kernel))
    return np.asarray(np.stack([rows.reshape(-1), columns.reshape(-1)], 1), np.float64)


def _product(builder: Builder, node: Node, columns: Tensor) -> Tensor:
    """``[N, windows, 1, O]`` from ``[N, windows, kernel, C]``, group by group."""
    weights, groups = node.input(1), int(node.attribute("group", 1))
    out = weights.shape[0]
    bias = or_zeros(builder, builder.arranged(node.input(3)) if node.given(3) else None, out)
    kernel = builder.arranged(weights, (0, 2, 3, 1))
    if groups == 1:
        return _pointwise(builder, columns, kernel, bias)
    parts = [_split(builder, tensor, axis, groups) for tensor, axis in ((columns, 3), (kernel, 0), (bias, 0))]
    made = [_pointwise(builder, *one) for one in zip(*parts, strict=True)]
    return builder.emit("CONCATENATION", made, (*made[0].shape[:-1], out), axis=3)


def _split(builder: Builder, tensor: Tensor, axis: int, count: int) -> list[Tensor]:
    if tensor.data is not None:
        return [builder.constant(part) for part in np.split(tensor.data, count, axis)]
    shape = [*tensor.shape]
    shape[axis] //= count
    place = builder.constant(axis, "int32")
    return list(builder.emit_many("SPLIT", [place, tensor], [(shape, tensor.dtype)] * count, num_splits=count))


def _pointwise(builder: Builder, columns: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    batch, windows, size, channels = columns.shape
    flat = builder.reshaped(columns, (batch, windows, 1, size * channels))
    weights = builder.reshaped(kernel, (kernel.shape[0], 1, 1, size * channels))
    return builder.emit(
        "CONV_2D",
        [flat, weights, bias],
        (batch, windows, 1, kernel.shape[0]),
        padding="VALID",
        stride_h=1,
        stride_w=1,
        dilation_h_factor=1,
        dilation_w_factor=1,
    )


OPS = {"DeformConv": _deform_conv}
