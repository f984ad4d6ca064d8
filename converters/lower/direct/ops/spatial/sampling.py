"""Where the elements of a resized axis come from, by ONNX's rules.

Where ONNX Runtime and ONNX's reference evaluator disagree (the length of an axis whose scale does not give a whole
number, with ``align_corners``), this is ONNX Runtime's and PyTorch's reading: the whole number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.node import NoFormError

Floats = npt.NDArray[Any]


@dataclass(frozen=True)
class Axis:
    """An axis that is resized.

    Attributes:
        number: in the source's order.
        size: extent before.
        out: extent after.
        scale: ``out / size`` as it was given.
        roi: the part that is taken, in shares of the axis.
    """

    number: int
    size: int
    out: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)

    @property
    def is_untouched(self) -> bool:
        """Whether every element stays where it is."""
        return self.size == self.out and self.scale == 1 and self.roi == (0.0, 1.0)


@dataclass(frozen=True)
class Sampling:
    """How: ``mode`` is nearest, linear or cubic; the rest by the names of ONNX's attributes."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


def _half_pixel(axis: Axis, rows: Floats, scale: Any) -> Floats:
    return np.asarray((rows + rows.dtype.type(0.5)) / scale - rows.dtype.type(0.5))


def _symmetric(axis: Axis, rows: Floats, scale: Any) -> Floats:
    offset = rows.dtype.type(axis.size / 2 * (1 - axis.out / (axis.scale * axis.size)))
    return np.asarray(offset + (rows + rows.dtype.type(0.5)) / scale - rows.dtype.type(0.5))


def _pytorch_half_pixel(axis: Axis, rows: Floats, scale: Any) -> Floats:
    return np.asarray(_half_pixel(axis, rows, scale) if axis.out > 1 else rows * 0)


def _asymmetric(axis: Axis, rows: Floats, scale: Any) -> Floats:
    return np.asarray(rows / scale)


def _align_corners(axis: Axis, rows: Floats, scale: Any) -> Floats:
    return np.asarray(rows * 0 if axis.out == 1 else rows * (axis.size - 1) / rows.dtype.type(axis.out - 1))


def _crop(axis: Axis, rows: Floats, scale: Any) -> Floats:
    begin, end = axis.roi
    last = axis.size - 1
    if axis.out == 1:
        return np.asarray(rows * 0 + rows.dtype.type((begin + end) * last / 2))
    return np.asarray(
        rows.dtype.type(begin * last) + rows * rows.dtype.type((end - begin) * last) / rows.dtype.type(axis.out - 1)
    )


_COORDINATES: dict[str, Callable[[Axis, Floats, Any], Floats]] = {
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "tf_crop_and_resize": _crop,
}


def _places(axis: Axis, sampling: Sampling, dtype: type[np.floating[Any]]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Where each result lies in the axis before, and whether that is outside."""
    if sampling.coordinates not in _COORDINATES:
        raise NoFormError(f"the coordinates `{sampling.coordinates}`")
    places = _COORDINATES[sampling.coordinates](axis, np.arange(axis.out, dtype=dtype), dtype(axis.scale))
    outside = (places < 0) | (places > axis.size - 1)
    return places, outside & (sampling.coordinates == "tf_crop_and_resize")


_NEAREST: dict[str, Callable[[Floats], Floats]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda places: np.floor(places + places.dtype.type(0.5)),
    "round_prefer_floor": lambda places: np.ceil(places - places.dtype.type(0.5)),
}


def nearest_of(axis: Axis, sampling: Sampling) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The place that each result is taken from, and which lie outside.

    In float32, as the runtimes compute it: in exact numbers a place such as 3 / 0.6f would fall short of 5.
    """
    places, outside = _places(axis, sampling, np.float32)
    # Before opset 11: up where an axis becomes shorter.
    simple = "ceil" if axis.scale < 1 else "floor"
    chosen = _NEAREST[simple if sampling.nearest == "simple" else sampling.nearest](places)
    return np.clip(chosen, 0, axis.size - 1).astype(np.int64), outside


def weights_of(axis: Axis, sampling: Sampling) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """``[out, size]`` weights of a linear or cubic resize, zero for what lies outside; and which do."""
    places, outside = _places(axis, sampling, np.float64)
    squeeze = min(axis.scale, 1.0) if sampling.antialias else 1.0
    reach = int(np.ceil((1 if sampling.mode == "linear" else 2) / squeeze))
    taps = np.floor(places).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
    weights = _kernel(sampling)(np.abs(taps - places[:, None]) * squeeze)
    if sampling.exclude_outside:
        weights = np.where((taps < 0) | (taps >= axis.size), 0.0, weights)
    if sampling.exclude_outside or sampling.antialias:
        weights = weights / weights.sum(1, keepdims=True)
    matrix = np.zeros((axis.out, axis.size))
    np.add.at(matrix, (np.arange(axis.out)[:, None], np.clip(taps, 0, axis.size - 1)), weights)
    matrix[outside] = 0
    return matrix, outside


def _kernel(sampling: Sampling) -> Callable[[Floats], npt.NDArray[np.float64]]:
    """The weight of an element by its distance."""
    if sampling.mode == "linear":
        return lambda distance: np.maximum(1 - distance, 0)
    if sampling.mode != "cubic":
        raise NoFormError(f"the mode `{sampling.mode}`")
    a = sampling.cubic

    def cubic(d: Floats) -> npt.NDArray[np.float64]:
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((d - 5) * d + 8) * d * a - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0.0))

    return cubic
