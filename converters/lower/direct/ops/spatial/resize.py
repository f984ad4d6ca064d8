"""Resize and Upsample: by TFLite's own ops where they say just that, else axis by axis by known weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary
from edge_sdk.converters.lower.direct.ops.spatial.linear_maps import along, chosen
from edge_sdk.converters.lower.direct.ops.spatial.sampling import Axis, Sampling, nearest_of, weights_of
from edge_sdk.converters.lower.direct.ops.windows import image_tensor
from edge_sdk.converters.lower.direct.value import Value, channels_last


@dataclass(frozen=True)
class _Plan:
    """What becomes of one axis.

    Attributes:
        size: extent before.
        out: extent after.
        matrix: ``[out, size]``.
        index: where each row of the matrix has nothing but one 1: its place.
        outside: which results lie outside and take the extrapolation value.
    """

    size: int
    out: int
    matrix: npt.NDArray[np.float32]
    index: npt.NDArray[np.int64] | None
    outside: npt.NDArray[np.bool_]


def _resize(builder: Builder, node: Node) -> Value:
    x = node.input()
    sampling = _sampling(node)
    plans = {axis.number: _plan(axis, sampling) for axis in _axes(node, x) if not axis.is_untouched}
    return _filled(builder, node, _resized(builder, x, plans, linear=sampling.mode == "linear"), plans)


def _upsample(builder: Builder, node: Node) -> Value:
    """What Resize was called before opset 10."""
    x = node.input()
    sampling = Sampling(_mode(node), "asymmetric", "floor")
    scales = _numbers(node, "scales", 1) or []
    axes = [Axis(i, n, int(np.floor(n * s)), float(s)) for i, (n, s) in enumerate(zip(x.shape, scales, strict=True))]
    plans = {axis.number: _plan(axis, sampling) for axis in axes if not axis.is_untouched}
    return _resized(builder, x, plans, linear=sampling.mode == "linear")


def _mode(node: Node) -> str:
    mode = str(node.attribute("mode", "nearest"))
    # Opset 7 also says how many axes.
    return {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)


def _sampling(node: Node) -> Sampling:
    if node.opset < 11:
        return Sampling(_mode(node), "asymmetric", "simple")
    return Sampling(
        _mode(node),
        str(node.attribute("coordinate_transformation_mode", "half_pixel")),
        str(node.attribute("nearest_mode", "round_prefer_floor")),
        cubic=float(node.attribute("cubic_coeff_a", -0.75)),
        exclude_outside=bool(node.attribute("exclude_outside", 0)),
        antialias=bool(node.attribute("antialias", 0)),
    )


def _numbers(node: Node, name: str, place: int) -> list[float] | None:
    if name in node.attributes:
        return [float(v) for v in node.attributes[name]]
    if not node.given(place):
        return None
    found = np.ravel(node.constant(place, f"`{name}`"))
    return [float(v) for v in found] if found.size else None


def _axes(node: Node, x: Value) -> list[Axis]:
    """Every axis that the node names, with its extents and scale."""
    first = 1 if node.opset < 11 else 2
    named = [int(a) % x.rank for a in node.attribute("axes", range(x.rank))]
    scales, sizes = _numbers(node, "scales", first), _numbers(node, "sizes", 3)
    if scales is None and sizes is None:
        raise NoFormError("neither scales nor sizes are given")
    rois = _rois(node, len(named))
    if scales is not None:
        outs = [int(np.floor(np.float32(x.shape[a]) * np.float32(s))) for a, s in zip(named, scales, strict=True)]
    else:
        outs, scales = _sized(node, [x.shape[a] for a in named], [int(s) for s in sizes or []])
    rows = zip(named, outs, scales, rois, strict=True)
    return [Axis(axis, x.shape[axis], out, scale, roi) for axis, out, scale, roi in rows]


def _rois(node: Node, count: int) -> list[tuple[float, float]]:
    if node.attribute("coordinate_transformation_mode") != "tf_crop_and_resize":
        return [(0.0, 1.0)] * count
    numbers = _numbers(node, "roi", 1) or []
    return list(zip(numbers[:count], numbers[count:], strict=True))


def _sized(node: Node, before: Sequence[int], sizes: Sequence[int]) -> tuple[list[int], list[float]]:
    """Extents and scales from wanted sizes; a policy keeps the aspect ratio."""
    scales = [size / n for size, n in zip(sizes, before, strict=True)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return list(sizes), scales
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [int(scale * n + 0.5) for n in before], [scale] * len(before)


def _plan(axis: Axis, sampling: Sampling) -> _Plan:
    if sampling.mode == "nearest":
        index, outside = nearest_of(axis, sampling)
        matrix = np.zeros((axis.out, axis.size), np.float32)
        matrix[np.arange(axis.out), index] = ~outside
        return _Plan(axis.size, axis.out, matrix, None if outside.any() else index, outside)
    weights, outside = weights_of(axis, sampling)
    return _Plan(axis.size, axis.out, weights.astype(np.float32), None, outside)


def _filled(builder: Builder, node: Node, x: Value, plans: dict[int, _Plan]) -> Value:
    """The extrapolation value where any axis lies outside; the weights are zero there."""
    number = float(node.attribute("extrapolation_value", 0.0))
    if number == 0 or not any(plan.outside.any() for plan in plans.values()):
        return x
    mask = np.zeros([plans[a].out if a in plans else 1 for a in range(x.rank)], np.bool_)
    for axis, plan in plans.items():
        mask |= plan.outside.reshape([-1 if a == axis else 1 for a in range(x.rank)])
    if x.is_constant:
        return builder.fixed(x.data + mask * np.float32(number))
    return binary(builder, "ADD", [x, builder.fixed(mask * np.float32(number))])


# --- forms ------------------------------------------------------------------------------------------------------------


def _resized(builder: Builder, x: Value, plans: dict[int, _Plan], *, linear: bool) -> Value:
    """Axes in pairs by RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR, the others each by its weights or places."""
    whole = x.dtype
    if x.is_constant:
        return _known(builder, x, plans)
    if whole != "float32" and any(plan.index is None for plan in plans.values()):
        x = builder.as_dtype(x, "float32")
    left = dict(plans)
    for pair in _pairs(x.rank):
        here = {axis: left[axis] for axis in pair if axis in left}
        made = _by_op(builder, x, pair, here, linear=linear) if here else None
        if made is not None:
            x = made
            left = {axis: plan for axis, plan in left.items() if axis not in pair}
    for axis, plan in left.items():
        x = chosen(builder, x, axis, plan.index) if plan.index is not None else along(builder, x, axis, plan.matrix)
    return builder.as_dtype(x, whole)


def _known(builder: Builder, x: Value, plans: dict[int, _Plan]) -> Value:
    """A constant, resized here."""
    data = x.data
    for axis, plan in plans.items():
        if plan.index is not None:
            data = np.take(data, plan.index, axis)
        else:
            data = np.moveaxis(np.tensordot(plan.matrix.astype(np.float64), data, (1, axis)), 0, axis)
    return builder.fixed(data.astype(x.dtype))


def _pairs(rank: int) -> list[tuple[int, ...]]:
    """Spatial axes as images have them: the last two, those before them likewise."""
    axes = list(range(2, rank))
    return [tuple(axes[max(i - 2, 0) : i]) for i in range(len(axes), 0, -2)]


def _by_op(builder: Builder, x: Value, pair: tuple[int, ...], plans: dict[int, _Plan], *, linear: bool) -> Value | None:
    """The op over one or two neighbouring spatial axes, or None where it says something else."""
    kind = "RESIZE_BILINEAR" if linear else "RESIZE_NEAREST_NEIGHBOR"
    flags = next((f for f in _FLAGS if all(_agrees(p, kind, align=f[0], half=f[1]) for p in plans.values())), None)
    if flags is None or x.dtype not in _DTYPES:
        return None
    image = image_tensor(builder, x)
    first = pair[0] - 1
    before, after = image.shape[:first], image.shape[first + len(pair) :]
    sizes = [plans[axis].out if axis in plans else x.shape[axis] for axis in pair]
    extents = [1] * (2 - len(pair)) + [x.shape[axis] for axis in pair]
    flat = builder.reshaped(image, (int(np.prod(before)), *extents, int(np.prod(after))))
    wanted = [1] * (2 - len(pair)) + sizes
    made = builder.emit(
        kind,
        [flat, builder.constant(wanted, "int32")],
        (flat.shape[0], *wanted, flat.shape[3]),
        align_corners=flags[0],
        half_pixel_centers=flags[1],
    )
    return Value(builder.reshaped(made, (*before, *sizes, *after)), channels_last(x.rank), spatial=True)


_FLAGS = ((False, True), (False, False), (True, False))
"""``align_corners`` and ``half_pixel_centers``, in the order in which they are tried."""
_DTYPES = frozenset({"float32", "int8", "uint8"})


def _agrees(plan: _Plan, kind: str, *, align: bool, half: bool) -> bool:
    """Whether the op, computing in float32 as its kernel does, comes to the plan."""
    if kind == "RESIZE_NEAREST_NEIGHBOR":
        return plan.index is not None and np.array_equal(_kernel_index(plan, align=align, half=half), plan.index)
    # A place that is rounded to float32 moves a weight by as much.
    bound = 4 * float(np.finfo(np.float32).eps) * max(plan.size, plan.out)
    return bool(np.abs(_kernel_matrix(plan, align=align, half=half) - plan.matrix).max() <= bound)


def _kernel_places(plan: _Plan, *, align: bool, half: bool) -> tuple[npt.NDArray[np.float32], np.float32]:
    scale = np.float32(plan.size) / np.float32(plan.out)
    if align and plan.out > 1:
        scale = np.float32(plan.size - 1) / np.float32(plan.out - 1)
    return np.arange(plan.out, dtype=np.float32), scale


def _kernel_index(plan: _Plan, *, align: bool, half: bool) -> npt.NDArray[Any]:
    rows, scale = _kernel_places(plan, align=align, half=half)
    places = (rows + np.float32(0.5 if half else 0)) * scale
    rounded = np.floor(places + np.float32(0.5)) if align else np.floor(places)
    return np.asarray(np.clip(rounded, 0, plan.size - 1), np.int64)


def _kernel_matrix(plan: _Plan, *, align: bool, half: bool) -> npt.NDArray[np.float64]:
    rows, scale = _kernel_places(plan, align=align, half=half)
    places = (rows + np.float32(0.5)) * scale - np.float32(0.5) if half else rows * scale
    places = np.clip(places.astype(np.float64), 0, plan.size - 1)
    return np.asarray(np.maximum(1 - np.abs(places[:, None] - np.arange(plan.size)), 0))


OPS = {"Resize": _resize, "Upsample": _upsample}
