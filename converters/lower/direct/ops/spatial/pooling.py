"""Pools over windows and over whole images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import unary
from edge_sdk.converters.lower.direct.ops.arithmetic.magnitudes import to_power
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import reduced
from edge_sdk.converters.lower.direct.ops.spatial.pool_indices import max_unpool, places_of_maxima
from edge_sdk.converters.lower.direct.ops.windows import (
    Window,
    image_tensor,
    image_value,
    in_planes,
    padded,
    window_of,
)
from edge_sdk.converters.lower.direct.value import Value


def pool_window(node: Node, image: Sequence[int]) -> Window:
    """The window of a pool; ``ceil_mode`` is padding as far as a window that begins inside still reaches."""
    window = window_of(node, image, node.attribute("kernel_shape"))
    if not node.attribute("ceil_mode", 0):
        return window
    rows = zip(image, window.reach, window.strides, window.begins, window.ends, strict=True)
    return replace(window, ends=tuple(_ceil_end(*row) for row in rows))


def _ceil_end(size: int, reach: int, stride: int, begin: int, end: int) -> int:
    count = -(-(size + begin + end - reach) // stride) + 1
    if (count - 1) * stride >= size + begin:
        count -= 1
    return max((count - 1) * stride + reach - size - begin, 0)


# --- maximum ----------------------------------------------------------------------------------------------------------


def _max_pool(builder: Builder, node: Node) -> list[Value]:
    x = node.input()
    window = pool_window(node, x.shape[2:])
    maxima = image_value(in_planes(builder, image_tensor(builder, x), window, _max_plane))
    if not any(node.outputs[1:]):
        return [maxima]
    return [maxima, places_of_maxima(builder, x, window, by_columns=bool(node.attribute("storage_order", 0)))]


def _max_plane(builder: Builder, image: Tensor, window: Window, axes: slice) -> Tensor:
    if window.is_dilated:
        return _pool(builder, "MAX_POOL_2D", *_spread(builder, image, window), same=False)
    same = window.is_same(image.shape[1:3])
    source = image if same or not window.is_padded else padded(builder, image, window, _lowest(image.dtype))
    return _pool(builder, "MAX_POOL_2D", source, window, same=same)


def _lowest(dtype: str) -> float:
    return float(np.finfo(dtype).min if dtype.startswith("float") else np.iinfo(dtype).min)


def _spread(builder: Builder, image: Tensor, window: Window) -> tuple[Tensor, Window]:
    """A window with gaps as one without: its elements are gathered side by side.

    What lies outside the image is the nearest of the window's elements that does not: a maximum is the same.
    """
    for axis in (0, 1):
        one = window.part(slice(axis, axis + 1))
        starts = np.arange(one.extents(image.shape[axis + 1 : axis + 2])[0])
        offsets = np.arange(window.kernel[axis]) * window.dilations[axis]
        places = starts[:, None] * window.strides[axis] - window.begins[axis] + offsets
        inside = _nearest_inside(places, window.dilations[axis], image.shape[axis + 1])
        index = builder.constant(inside.reshape(-1), "int32")
        shape = [*image.shape]
        shape[axis + 1] = inside.size
        image = builder.emit("GATHER", [image, index], shape, axis=axis + 1, batch_dims=0)
    kernel = window.kernel
    return image, Window(kernel, kernel, (1, 1), (0, 0), (0, 0))


def _nearest_inside(places: npt.NDArray[Any], step: int, size: int) -> npt.NDArray[Any]:
    below = np.where(places < 0, places % step, places)
    last = size - 1 - (size - 1 - below) % step
    return np.where(below >= size, last, below)


# --- mean and sum -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mean:
    """A mean over windows.

    Attributes:
        begins: how much padding before each axis counts as elements.
        ends: likewise after it; what only ``ceil_mode`` added never does.
    """

    begins: tuple[int, ...]
    ends: tuple[int, ...]

    def __call__(self, builder: Builder, image: Tensor, window: Window, axes: slice) -> Tensor:
        """TFLite's SAME counts what lies inside; padding that counts is written out, other padding divided out."""
        begins, ends = (((0,) + side[axes])[-2:] for side in (self.begins, self.ends))
        counts = any(begins) or any(ends)
        same = window.is_padded and window.is_same(image.shape[1:3])
        if window.is_dilated:
            made = _summed(builder, image, window, 1 / float(np.prod(window.kernel)))
        elif not window.is_padded or (same and not counts):
            return _pool(builder, "AVERAGE_POOL_2D", image, window, same=same)
        else:
            made = _pool(builder, "AVERAGE_POOL_2D", padded(builder, image, window), window, same=False)
        weights = np.outer(*(_coverage(window, a, image.shape[a + 1], begins[a], ends[a]) for a in (0, 1)))
        if np.all(weights == 1):
            return made
        return builder.emit("MUL", [made, builder.constant(weights[None, :, :, None], "float32")], made.shape)


def _coverage(window: Window, axis: int, size: int, begin: int, end: int) -> npt.NDArray[Any]:
    """For each window the kernel's extent over the number of its elements that count."""
    one = window.part(slice(axis, axis + 1))
    starts = np.arange(one.extents([size])[0]) * one.strides[0] - one.begins[0]
    places = starts[:, None] + np.arange(one.kernel[0]) * one.dilations[0]
    counted = ((places >= -begin) & (places < size + end)).sum(1)
    return np.asarray(one.kernel[0] / counted)


def averaged(builder: Builder, x: Value, kernel: tuple[int, int], strides: tuple[int, int]) -> Value:
    """AVERAGE_POOL_2D of ``[N, C, H, W]`` without padding."""
    window = Window(kernel, strides, (1, 1), (0, 0), (0, 0))
    return image_value(_pool(builder, "AVERAGE_POOL_2D", image_tensor(builder, x), window, same=False))


def _average_pool(builder: Builder, node: Node) -> Value:
    x = node.input()
    window = pool_window(node, x.shape[2:])
    mean = _Mean(*_counted(node, x.shape[2:], window))
    return image_value(in_planes(builder, image_tensor(builder, x), window, mean))


def _counted(node: Node, image: Sequence[int], window: Window) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How much padding counts: all that the node itself asks for, with ``count_include_pad``."""
    if not node.attribute("count_include_pad", 0):
        return (0,) * len(image), (0,) * len(image)
    own = window_of(node, image, node.attribute("kernel_shape"))
    return own.begins, own.ends


def _sum_plane(builder: Builder, image: Tensor, window: Window, axes: slice) -> Tensor:
    return _summed(builder, image, window, 1.0)


def _summed(builder: Builder, image: Tensor, window: Window, weight: float) -> Tensor:
    """Elements of each window times a weight, added by a DEPTHWISE_CONV_2D."""
    same = window.is_same(image.shape[1:3])
    source = image if same or not window.is_padded else padded(builder, image, window)
    channels = image.shape[3]
    kernel = builder.constant(np.full((1, *window.kernel, channels), weight, np.float32))
    return builder.emit(
        "DEPTHWISE_CONV_2D",
        [source, kernel, builder.constant(np.zeros(channels, np.float32))],
        (image.shape[0], *window.extents(image.shape[1:3]), channels),
        padding="SAME" if same else "VALID",
        depth_multiplier=1,
        stride_h=window.strides[0],
        stride_w=window.strides[1],
        dilation_h_factor=window.dilations[0],
        dilation_w_factor=window.dilations[1],
    )


def _lp_pool(builder: Builder, node: Node) -> Value:
    """``sum(|x|^p)^(1/p)`` over windows; padding adds nothing."""
    x, p = node.input(), float(node.attribute("p", 2))
    powers = _magnitude(builder, image_value(image_tensor(builder, x)), p)
    sums = in_planes(builder, powers.tensor, pool_window(node, x.shape[2:]), _sum_plane)
    return to_power(builder, image_value(sums), 1 / p)


def _magnitude(builder: Builder, x: Value, p: float) -> Value:
    """``|x| ** p``."""
    return unary(builder, x, "SQUARE") if p == 2 else to_power(builder, unary(builder, x, "ABS"), p)


# --- whole images -----------------------------------------------------------------------------------------------------


def _pool(builder: Builder, kind: str, source: Tensor, window: Window, *, same: bool) -> Tensor:
    """The op itself, on an image whose padding is written out unless it is SAME."""
    size = window if same else replace(window, begins=(0, 0), ends=(0, 0))
    return builder.emit(
        kind,
        [source],
        (source.shape[0], *size.extents(source.shape[1:3]), source.shape[3]),
        padding="SAME" if same else "VALID",
        stride_h=window.strides[0],
        stride_w=window.strides[1],
        filter_height=window.kernel[0],
        filter_width=window.kernel[1],
    )


def _global(kind: str) -> Callable[[Builder, Node], Value]:
    def form(builder: Builder, node: Node) -> Value:
        return _over_space(builder, node.input(), kind)

    return form


def _over_space(builder: Builder, x: Value, kind: str) -> Value:
    made = reduced(builder, x, kind, range(2, x.rank), keep=True)
    return Value(made.tensor, made.order, spatial=True)


def _global_lp_pool(builder: Builder, node: Node) -> Value:
    p = float(node.attribute("p", 2))
    return to_power(builder, _over_space(builder, _magnitude(builder, node.input(), p), "SUM"), 1 / p)


OPS = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global("MEAN"),
    "GlobalLpPool": _global_lp_pool,
    "GlobalMaxPool": _global("REDUCE_MAX"),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
    "MaxUnpool": max_unpool,
}
