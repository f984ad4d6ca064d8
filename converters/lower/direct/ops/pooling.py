"""Pools over windows and over whole images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.reduction import reduced
from edge_sdk.converters.lower.direct.ops.windows import (
    Window,
    image_tensor,
    image_value,
    padded,
    window_of,
)
from edge_sdk.converters.lower.direct.value import Value

_LOWEST = float(np.finfo(np.float32).min)


def _max_pool(builder: Builder, node: Node) -> Value:
    if len([name for name in node.outputs if name]) > 1:
        raise NoFormError("a max pool that also gives the places of the maxima")
    return _pooled(builder, node, _max_image)


def _average_pool(builder: Builder, node: Node) -> Value:
    return _pooled(builder, node, _average_image)


def _pooled(builder: Builder, node: Node, pool: Callable[[Builder, Node, Tensor, Window], Tensor]) -> Value:
    x = node.input()
    window = _with_ceil(node, window_of(node, x.shape[2:], node.attribute("kernel_shape")), x.shape[2:])
    if any(d != 1 for d in window.dilations):
        raise NoFormError("a pool with dilations")
    image = image_tensor(builder, x)
    if x.rank == 4:
        return image_value(pool(builder, node, image, window))
    if x.rank == 3:
        tall = builder.reshaped(image, (image.shape[0], 1, *image.shape[1:]))
        made = pool(builder, node, tall, _with_height(window))
        return image_value(builder.reshaped(made, (made.shape[0], *made.shape[2:])))
    raise NoFormError(f"a pool over {x.rank - 2} spatial axes")


def _with_height(w: Window) -> Window:
    return Window((1, *w.kernel), (1, *w.strides), (1, *w.dilations), (0, *w.begins), (0, *w.ends))


def _with_ceil(node: Node, window: Window, image: Sequence[int]) -> Window:
    """``ceil_mode`` as more padding at the end: as far as a window that begins inside still reaches."""
    if not node.attribute("ceil_mode", 0):
        return window
    ends = []
    for size, reach, stride, begin, end in zip(
        image, window.reach, window.strides, window.begins, window.ends, strict=True
    ):
        count = -(-(size + begin + end - reach) // stride) + 1
        if (count - 1) * stride >= size + begin:
            count -= 1
        ends.append((count - 1) * stride + reach - size - begin)
    return replace(window, ends=tuple(ends))


def _max_image(builder: Builder, node: Node, image: Tensor, window: Window) -> Tensor:
    same = window.is_same(image.shape[1:3])
    source = image if same or not window.is_padded else padded(builder, image, window, _LOWEST)
    return _pool(builder, "MAX_POOL_2D", source, window, image, same=same)


def _average_image(builder: Builder, node: Node, image: Tensor, window: Window) -> Tensor:
    """TFLite's SAME counts what lies inside; padding that counts is written out, other padding is divided out."""
    counts_pads = bool(node.attribute("count_include_pad", 0))
    if not window.is_padded or (window.is_same(image.shape[1:3]) and not counts_pads):
        same = window.is_padded
        return _pool(builder, "AVERAGE_POOL_2D", image, window, image, same=same)
    made = _pool(builder, "AVERAGE_POOL_2D", padded(builder, image, window), window, image, same=False)
    weights = _coverage(node, window, image.shape[1:3], counts_pads=counts_pads)
    if np.all(weights == 1):
        return made
    factor = builder.constant(weights.astype(np.float32)[None, :, :, None])
    return builder.emit("MUL", [made, factor], made.shape)


def _coverage(
    node: Node, window: Window, image: Sequence[int], *, counts_pads: bool
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """For each window the kernel's size over the number of elements that count."""
    pads = node.attribute("pads", [0] * 4) if counts_pads and "pads" in node.attributes else None
    axes = []
    for axis, size in enumerate(image):
        begin, end = window.begins[axis], window.ends[axis]
        counted = np.zeros(begin + size + end)
        counted[begin : begin + size] = 1
        if counts_pads:
            # What only ceil_mode added does not count.
            own_end = int(pads[len(pads) // 2 + axis - (2 - len(pads) // 2)]) if pads is not None else end
            counted[: begin + size + own_end] = 1
        starts = np.arange(window.extents(image)[axis]) * window.strides[axis]
        axes.append(np.array([counted[s : s + window.kernel[axis]].sum() for s in starts]))
    inside = np.outer(axes[0], axes[1])
    return np.asarray(window.kernel[0] * window.kernel[1] / inside)


def _pool(builder: Builder, kind: str, source: Tensor, window: Window, image: Tensor, *, same: bool) -> Tensor:
    shape = (image.shape[0], *window.extents(image.shape[1:3]), image.shape[3])
    return builder.emit(
        kind,
        [source],
        shape,
        padding="SAME" if same else "VALID",
        stride_h=window.strides[0],
        stride_w=window.strides[1],
        filter_height=window.kernel[0],
        filter_width=window.kernel[1],
    )


def _global(kind: str) -> Callable[[Builder, Node], Value]:
    def form(builder: Builder, node: Node) -> Value:
        x = node.input()
        made = reduced(builder, x, kind, range(2, x.rank), keep=True)
        return Value(made.tensor, made.order, spatial=True)

    return form


OPS = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global("MEAN"),
    "GlobalMaxPool": _global("REDUCE_MAX"),
    "MaxPool": _max_pool,
}
