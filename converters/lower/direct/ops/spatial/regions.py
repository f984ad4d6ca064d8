"""Pools over regions of an image that depend on data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.spatial.taps import LINEAR, Maths, Samples, taps_of
from edge_sdk.converters.lower.direct.ops.windows import image_tensor, image_value
from edge_sdk.converters.lower.direct.value import Value


@dataclass(frozen=True)
class _Bins:
    """How an axis of each region is divided.

    Attributes:
        count: bins.
        samples: for each bin.
        size: of the image's axis.
    """

    count: int
    samples: int
    size: int

    @property
    def taps(self) -> int:
        """Elements that each bin reads."""
        return 2 * self.samples

    def shares(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """``[1, 1, count * samples]``: where the samples lie, in shares of the region."""
        inner = (np.arange(self.samples) + 0.5) / self.samples
        return np.asarray((np.arange(self.count)[:, None] + inner).reshape(1, 1, -1) / self.count)


def _roi_align(builder: Builder, node: Node) -> Value:
    """Every bin's samples, each of four elements with their weights, read by one GATHER; then their mean or maximum."""
    x, samples = node.input(0), int(node.attribute("sampling_ratio", 0))
    if samples < 1:
        raise NoFormError("as many samples as each region is large (sampling_ratio 0): that depends on data")
    counts = [int(node.attribute(name, 1)) for name in ("output_height", "output_width")]
    bins = [_Bins(count, samples, size) for count, size in zip(counts, x.shape[2:], strict=True)]
    regions, axes = node.input(1).shape[0], _axes(builder, node, bins)
    index = _flat(builder, node, axes, x.shape)
    channels = x.shape[1]
    image = builder.reshaped(image_tensor(builder, x), (x.tensor.size // channels, channels))
    rows = builder.emit("GATHER", [image, index], (*index.shape, channels), image.dtype, axis=0, batch_dims=0)
    maximum = node.attribute("mode", "avg") == "max"
    made = _weighed(builder, rows, axes, bins, regions, maximum=maximum)
    return image_value(builder.reshaped(made, (regions, *counts, channels)))


def _axes(builder: Builder, node: Node, bins: list[_Bins]) -> list[Samples]:
    """For height and width: ``[R, bins * taps]`` places as float32, and weights."""
    maths = Maths(builder)
    rois = builder.arranged(node.input(1))
    half = node.opset >= 16 and node.attribute("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scaled = maths.two("MUL", rois, float(node.attribute("spatial_scale", 1.0)))
    if half:
        scaled = maths.two("SUB", scaled, 0.5)
    shape = ((rois.shape[0], 2), rois.dtype)
    first, last = builder.emit_many("SPLIT", [builder.constant(1, "int32"), scaled], [shape] * 2, num_splits=2)
    extent = maths.two("SUB", last, first)
    if not half:
        extent = maths.two("MAXIMUM", extent, 1.0)
    return [_axis(maths, first, extent, column, one) for column, one in zip((1, 0), bins, strict=True)]


def _axis(maths: Maths, first: Tensor, extent: Tensor, column: int, bins: _Bins) -> Samples:
    begin, length = (_column(maths.builder, tensor, column) for tensor in (first, extent))
    places = maths.two("ADD", maths.two("MUL", length, bins.shares()), begin)
    # Beyond one element outside, a sample counts nothing.
    middle = (bins.size - 1) / 2
    distance = maths.one("ABS", maths.two("SUB", places, middle))
    inside = maths.builder.cast(maths.two("LESS_EQUAL", distance, middle + 1, "bool"), "float32")
    taps, weights = taps_of(maths, maths.clamped(places, 0, bins.size - 1), LINEAR)
    taps = maths.two("MINIMUM", taps, bins.size - 1.0)
    return Samples(_by_bin(maths.builder, taps), _by_bin(maths.builder, maths.two("MUL", weights, inside)))


def _column(builder: Builder, tensor: Tensor, column: int) -> Tensor:
    """One column of ``[R, columns]`` as ``[R, 1, 1]``."""
    rows = tensor.shape[0]
    begin, size = builder.constant([0, column], "int32"), builder.constant([rows, 1], "int32")
    return builder.reshaped(builder.emit("SLICE", [tensor, begin, size], (rows, 1)), (rows, 1, 1))


def _by_bin(builder: Builder, tensor: Tensor) -> Tensor:
    """``[R, 2, P]`` to ``[R, P * 2]``: the elements of one bin lie together."""
    regions, taps, places = tensor.shape
    return builder.reshaped(builder.transposed(tensor, (0, 2, 1)), (regions, places * taps))


def _flat(builder: Builder, node: Node, axes: list[Samples], shape: tuple[int, ...]) -> Tensor:
    """``[R, height's, width's]``: places in all images."""
    maths = Maths(builder)
    regions = node.input(1).shape[0]
    rows, columns = (builder.cast(one.index, "int32") for one in axes)
    batch = builder.reshaped(builder.arranged(builder.as_dtype(node.input(2), "int32")), (regions, 1))
    rows = maths.two("MUL", maths.two("ADD", rows, maths.two("MUL", batch, shape[2])), shape[3])
    return maths.two(
        "ADD",
        builder.reshaped(rows, (regions, rows.shape[1], 1)),
        builder.reshaped(columns, (regions, 1, columns.shape[1])),
    )


def _weighed(
    builder: Builder, rows: Tensor, axes: list[Samples], bins: list[_Bins], regions: int, *, maximum: bool
) -> Tensor:
    """``[R, bins, taps, bins, taps, C]`` over both axes of taps."""
    maths = Maths(builder)
    high, wide = bins
    shape = (regions * high.count, high.taps, wide.count, wide.taps)
    weights = maths.two(
        "MUL",
        builder.reshaped(_weights(axes[0]), (regions, high.count * high.taps, 1)),
        builder.reshaped(_weights(axes[1]), (regions, 1, wide.count * wide.taps)),
    )
    channels = rows.shape[-1]
    whole = maths.two("MUL", builder.reshaped(rows, (*shape, channels)), builder.reshaped(weights, (*shape, 1)))
    axes_of_taps = builder.constant([1, 3], "int32")
    made = builder.emit(
        "REDUCE_MAX" if maximum else "SUM",
        [whole, axes_of_taps],
        (regions * high.count, wide.count, channels),
        keep_dims=False,
    )
    return made if maximum else maths.two("MUL", made, 1 / (high.samples * wide.samples))


def _weights(samples: Samples) -> Tensor:
    if samples.weights is None:
        raise ValueError("samples of a region have weights")
    return samples.weights


def _max_roi_pool(builder: Builder, node: Node) -> Value:
    """The maximum of what a bin's mask leaves, first over height, then over width; 0 for an empty bin."""
    x, rois = node.input(0), builder.arranged(node.input(1))
    counts = [int(n) for n in node.attribute("pooled_shape")]
    regions, (_, channels, height, width) = rois.shape[0], x.shape
    maths = Maths(builder)
    image = _images(builder, x, rois)
    masks = [_mask(maths, node, rois, axis, counts[axis], (height, width)[axis]) for axis in (0, 1)]
    flat = builder.reshaped(image, (regions, 1, height, width * channels))
    rows = _masked_max(builder, flat, builder.reshaped(masks[0], (regions, counts[0], height, 1)), 2)
    # Height's bins go to the channels' side, so that width's mask broadcasts over four axes.
    across = builder.transposed(builder.reshaped(rows, (regions, counts[0], width, channels)), (0, 2, 1, 3))
    across = builder.reshaped(across, (regions, 1, width, counts[0] * channels))
    cells = _masked_max(builder, across, builder.reshaped(masks[1], (regions, counts[1], width, 1)), 2)
    empty = maths.two("EQUAL", cells, float(np.finfo(np.float32).min), "bool")
    zero = builder.constant(np.float32(0))
    made = builder.emit("SELECT_V2", [empty, zero, cells], cells.shape, cells.dtype)
    whole = builder.reshaped(made, (regions, counts[1], counts[0], channels))
    return Value(whole, (0, 3, 2, 1), spatial=False)


def _images(builder: Builder, x: Value, rois: Tensor) -> Tensor:
    """Each region's whole image: ``[R, H, W, C]``."""
    image = image_tensor(builder, x)
    column = builder.emit(
        "SLICE",
        [rois, builder.constant([0, 0], "int32"), builder.constant([rois.shape[0], 1], "int32")],
        (rois.shape[0], 1),
    )
    index = builder.cast(builder.reshaped(column, (rois.shape[0],)), "int32")
    return builder.emit("GATHER", [image, index], (rois.shape[0], *image.shape[1:]), image.dtype, axis=0, batch_dims=0)


def _mask(maths: Maths, node: Node, rois: Tensor, axis: int, count: int, size: int) -> Tensor:
    """``[R, bins, extent]``: which elements lie in which bin. The steps are those of the reference."""
    scale = float(node.attribute("spatial_scale", 1.0))
    first, last = (
        _rounded(maths, maths.two("MUL", _column(maths.builder, rois, 2 - axis + 2 * end), scale)) for end in (0, 1)
    )
    extent = maths.two("MAXIMUM", maths.two("ADD", maths.two("SUB", last, first), 1.0), 1.0)
    step = maths.two("DIV", extent, float(count))
    bins = np.arange(count, dtype=np.float64).reshape(1, -1, 1)
    begins = maths.one("FLOOR", maths.two("MUL", step, bins))
    ends = maths.one("CEIL", maths.two("MUL", step, bins + 1))
    places = maths.builder.constant(np.arange(size, dtype=np.float32).reshape(1, 1, -1))
    low, high = (maths.clamped(maths.two("ADD", edge, first), 0, size) for edge in (begins, ends))
    after = maths.two("LESS_EQUAL", low, places, "bool")
    return maths.two("LOGICAL_AND", after, maths.two("GREATER", high, places, "bool"), "bool")


def _rounded(maths: Maths, tensor: Tensor) -> Tensor:
    """Halves away from zero, as C's `round`; regions do not lie below zero."""
    return maths.one("FLOOR", maths.two("ADD", tensor, 0.5))


def _masked_max(builder: Builder, image: Tensor, mask: Tensor, axis: int) -> Tensor:
    """``[R, 1, E, C]`` under ``[R, bins, E, 1]``: ``[R, bins, C]``."""
    regions, bins, extent, _ = mask.shape
    lowest = builder.constant(np.float32(np.finfo(np.float32).min))
    shape = (regions, bins, extent, image.shape[3])
    kept = builder.emit("SELECT_V2", [mask, image, lowest], shape, image.dtype)
    place = builder.constant([axis], "int32")
    return builder.emit("REDUCE_MAX", [kept, place], (regions, bins, image.shape[3]), keep_dims=False)


OPS = {"MaxRoiPool": _max_roi_pool, "RoiAlign": _roi_align}
