"""Torchvision's pools over regions of an image, with the arguments of its ops (0.28).

Its exporter's own form of ``roi_pool`` takes other arguments than the op has; the two others have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sdk.converters.sources.pytorch.forms.constants import INT64, integers, like, opset


def maxima(input: Any, rois: Any, spatial_scale: float, pooled_height: int, pooled_width: int) -> Any:
    """``roi_pool``: the maximum of each bin. Where it stood is not said: the public function does not return it.

    Args:
        input: ``[N, C, H, W]``.
        rois: ``[R, 5]``: image, left, top, right, bottom.
        spatial_scale: of ``rois`` to elements.
        pooled_height: bins.
        pooled_width: bins.
    """
    pooled = [pooled_height, pooled_width]
    return (opset().MaxRoiPool(input, rois, pooled_shape=pooled, spatial_scale=float(spatial_scale)),)


def aligned_own(
    input: Any, rois: Any, spatial_scale: float, pooled_height: int, pooled_width: int, sampling_ratio: int
) -> Any:
    """``ps_roi_align``: each bin reads a channel of its own. All bins of all channels are made, and its own taken.

    Args:
        input: ``[N, C * bins, H, W]``.
        rois: as for :func:`maxima`.
        spatial_scale: likewise.
        pooled_height: bins.
        pooled_width: bins.
        sampling_ratio: samples of a bin along each axis.
    """
    op = opset()
    bins, regions = pooled_height * pooled_width, int(rois.shape[0])
    image, edges = _parted(op, rois)
    made = op.RoiAlign(
        input,
        edges,
        op.Squeeze(image, integers(op, [1])),
        output_height=pooled_height,
        output_width=pooled_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=float(spatial_scale),
    )
    square = op.Reshape(made, integers(op, [regions, -1, bins, bins]))
    own = op.CastLike(integers(op, np.eye(bins)), input)
    pooled = op.ReduceSum(op.Mul(square, own), integers(op, [3]), keepdims=0)
    return (op.Reshape(pooled, integers(op, [regions, -1, pooled_height, pooled_width])),)


def means_own(input: Any, rois: Any, spatial_scale: float, pooled_height: int, pooled_width: int) -> Any:
    """``ps_roi_pool``: the mean of each bin in a channel of its own, by masks; 0 for an empty bin.

    Args:
        input: as for :func:`aligned_own`.
        rois: likewise.
        spatial_scale: likewise.
        pooled_height: bins.
        pooled_width: bins.
    """
    op = opset()
    height, width = (int(extent) for extent in input.shape[2:])
    image, edges = _parted(op, rois)
    # Halves away from zero, as C's `round`; regions do not lie below zero.
    whole = op.Floor(op.Add(op.Mul(edges, like(op, spatial_scale, edges)), like(op, 0.5, edges)))
    rows = _mask(op, whole, 1, pooled_height, height)
    columns = _mask(op, whole, 0, pooled_width, width)
    images = op.Gather(input, op.Squeeze(image, integers(op, [1])), axis=0)
    shape = integers(op, [int(rois.shape[0]), -1, pooled_height, pooled_width, height, width])
    lines = op.Einsum(op.Reshape(images, shape), columns, equation="rcijhw,rjw->rcijh")
    sums = op.Einsum(lines, rows, equation="rcijh,rih->rcij")
    counts = [op.ReduceSum(mask, integers(op, [2]), keepdims=0) for mask in (rows, columns)]
    area = op.Unsqueeze(op.Einsum(*counts, equation="ri,rj->rij"), integers(op, [1]))
    return (op.Div(sums, op.Max(area, like(op, 1.0, area))),)


def _parted(op: Any, rois: Any) -> tuple[Any, Any]:
    """``[R, 1]`` int64 numbers of images, and ``[R, 4]`` edges."""
    image = op.Slice(rois, *integers(op, [0], [1], [1]))
    return op.Cast(image, to=INT64), op.Slice(rois, *integers(op, [1], [5], [1]))


def _mask(op: Any, edges: Any, first: int, bins: int, extent: int) -> Any:
    """``[R, bins, extent]``: 1 where an element lies in a bin. The last element lies in none, as in torchvision."""
    begin, end = (op.Slice(edges, *integers(op, [place], [place + 1], [1])) for place in (first, first + 2))
    size = op.Max(op.Sub(end, begin), like(op, 1.0, edges))
    step = op.Div(size, like(op, bins, edges))
    number = op.CastLike(integers(op, np.arange(bins)[None]), edges)
    low = op.Add(op.Floor(op.Mul(number, step)), begin)
    high = op.Add(op.Ceil(op.Mul(op.Add(number, like(op, 1.0, edges)), step)), begin)
    high = op.Min(high, like(op, extent - 1.0, edges))
    place = op.CastLike(integers(op, np.arange(extent)[None, None]), edges)
    low, high = (op.Unsqueeze(edge, integers(op, [2])) for edge in (low, high))
    return op.CastLike(op.And(op.GreaterOrEqual(place, low), op.Less(place, high)), edges)
