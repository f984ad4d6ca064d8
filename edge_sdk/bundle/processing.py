"""Pre- and post-processing: the steps of a manifest, done with numpy exactly as FORMAT.md defines them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle.steps import (
    MAX_PIXELS,
    ArgMax,
    Batch,
    Cast,
    CenterCrop,
    Channels,
    InputProcessing,
    Layout,
    Normalize,
    OutputProcessing,
    PostStep,
    PreStep,
    Resize,
    Sigmoid,
    Softmax,
    TopK,
)
from edge_sdk.errors import BundleFormatError, SignatureError

Values = npt.NDArray[Any]
# ITU-R BT.601 luma in 16-bit fixed point, as Pillow and libjpeg have it.
_LUMA = np.array([19595, 38470, 7471], np.int64)


@dataclass(frozen=True)
class Scored:
    """One of the largest values: its index, its value, its label where there are labels."""

    index: int
    score: float
    label: str | None


def preprocess(picture: Values, processing: InputProcessing) -> Values:
    """Real values for an input from a picture, or from values where no step is said.

    Args:
        picture: uint8 [height, width, 3], RGB, upright; or any array for an input of kind ``values``.
        processing: from the manifest.

    Raises:
        SignatureError: the picture is not one.
        BundleFormatError: a step cannot follow the one before it.
    """
    values = np.asarray(picture)
    if processing.kind == "image" and (values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3):
        raise SignatureError(
            f"input `{processing.name}`: expected a picture of uint8[height, width, 3], "
            f"got {values.dtype}{list(values.shape)}",
            hint="decode it to RGB, upright, 8 bits a channel",
        )
    if processing.kind == "image" and 0 in values.shape:
        raise SignatureError(f"input `{processing.name}`: the picture {list(values.shape)} is empty")
    for step in processing.steps:
        values = _pre(values, step, processing.name)
    return values


def postprocess(
    values: Values, processing: OutputProcessing, labels: Sequence[str] = ()
) -> Values | tuple[tuple[Scored, ...], ...]:
    """What the steps make of an output's real values: an array, or after ``top_k`` a ranking for each row.

    Args:
        values: real values, of any shape whose last axis is over classes.
        processing: from the manifest.
        labels: a name for each index of the last axis, or none.

    Raises:
        BundleFormatError: a step follows a ranking.
    """
    made: Any = np.asarray(values)
    for step in processing.steps:
        if isinstance(made, tuple):
            raise BundleFormatError(f"output `{processing.name}`: step {step.op} cannot follow top_k")
        made = _ranking(made, step, labels) if isinstance(step, TopK) else _post(made, step)
    return made  # type: ignore[no-any-return]


def _pre(values: Values, step: PreStep, name: str) -> Values:
    try:
        return _PRE[type(step)](values, step)
    except (ValueError, IndexError, TypeError) as error:
        raise BundleFormatError(f"input `{name}`: step {step.op} cannot take {list(values.shape)}: {error}") from error


def _resize(values: Values, step: Resize) -> Values:
    height, width, _ = values.shape
    rows, columns = step.height, step.width
    top, left, bottom, right = 0.0, 0.0, float(height), float(width)
    if step.fit == "crop":
        top, left, bottom, right = _central_box(height, width, rows / columns)
    elif step.fit == "pad":
        factor = min(rows / height, columns / width)
        rows, columns = (max(1, math.floor(extent * factor + 0.5)) for extent in (height, width))
    elif step.fit == "shorter":
        rows, columns = _shorter(height, width, step.height)
    if rows * columns > MAX_PIXELS:
        raise ValueError(f"it would become {rows}x{columns}, more than {MAX_PIXELS} pixels")
    support = (step.method, step.antialias)
    across = _weights(width, columns, left, right, *support)
    down = _weights(height, rows, top, bottom, *support)
    exact = np.einsum("yh,hwc,xw->yxc", down, values.astype(np.float64), across, optimize=True)
    made = np.clip(np.floor(exact + 0.5), 0, 255).astype(np.uint8)
    return _padded(made, step) if step.fit == "pad" else made


def _central_box(height: int, width: int, ratio: float) -> tuple[float, float, float, float]:
    """Top, left, bottom, right of the largest centred box of this height over width."""
    box_height, box_width = min(height, width * ratio), min(width, height / ratio)
    top, left = (height - box_height) / 2, (width - box_width) / 2
    return top, left, top + box_height, left + box_width


def _shorter(height: int, width: int, size: int) -> tuple[int, int]:
    if height <= width:
        return size, size * width // height
    return size * height // width, size


def _weights(extent: int, count: int, begin: float, end: float, method: str, antialias: bool) -> Values:  # noqa: FBT001
    """A row for each result: how much of each source pixel it takes."""
    scale = (end - begin) / count
    centres = begin + (np.arange(count) + 0.5) * scale
    pixels = np.arange(extent)
    if method == "nearest":
        chosen = np.clip(np.floor(centres), 0, extent - 1)
        picked: Values = (pixels[None, :] == chosen[:, None]).astype(np.float64)
        return picked
    reach = max(scale, 1.0) if antialias else 1.0
    weights = np.maximum(0.0, 1.0 - np.abs(pixels[None, :] + 0.5 - centres[:, None]) / reach)
    total: Values = weights / weights.sum(axis=1, keepdims=True)
    return total


def _padded(values: Values, step: Resize) -> Values:
    made = np.full((step.height, step.width, values.shape[2]), step.pad_value, np.uint8)
    top, left = (step.height - values.shape[0]) // 2, (step.width - values.shape[1]) // 2
    made[top : top + values.shape[0], left : left + values.shape[1]] = values
    return made


def _center_crop(values: Values, step: CenterCrop) -> Values:
    height, width, _ = values.shape
    if height < step.height or width < step.width:
        raise ValueError(f"it is smaller than {step.height}x{step.width}")
    top, left = round((height - step.height) / 2), round((width - step.width) / 2)
    return values[top : top + step.height, left : left + step.width]


def _channels(values: Values, step: Channels) -> Values:
    if step.order == "rgb":
        return values
    if step.order == "bgr":
        return values[..., ::-1]
    luma = (values.astype(np.int64) @ _LUMA + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None]


def _normalize(values: Values, step: Normalize) -> Values:
    mean, std = np.array(step.mean, np.float32), np.array(step.std, np.float32)
    channels = values.shape[-1] if values.ndim else 1
    if not {len(mean), len(std)} <= {1, channels}:
        # numpy would make several channels of one.
        raise ValueError(f"{len(mean)} means and {len(std)} stds for {channels} channels")
    made: Values = (values.astype(np.float32) * np.float32(step.scale) - mean) / std
    return made


def _layout(values: Values, step: Layout) -> Values:
    return values.transpose(2, 0, 1) if step.order == "chw" else values


def _cast(values: Values, step: Cast) -> Values:
    dtype = np.dtype(step.dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    whole: Values = np.clip(np.round(values.astype(np.float64)), limits.min, limits.max)
    return whole.astype(dtype)


def _batch(values: Values, _: Batch) -> Values:
    return values[None]


_PRE: dict[type[Any], Callable[[Values, Any], Values]] = {
    Resize: _resize,
    CenterCrop: _center_crop,
    Channels: _channels,
    Normalize: _normalize,
    Layout: _layout,
    Cast: _cast,
    Batch: _batch,
}


def _post(values: Values, step: PostStep) -> Values:
    wide: Values = values.astype(np.float64)
    if isinstance(step, ArgMax):
        return np.asarray(wide.argmax(-1), np.int64)
    if isinstance(step, Softmax):
        powers = np.exp(wide - wide.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)
    if isinstance(step, Sigmoid):
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * wide)), np.float32)
    raise TypeError(f"{step} makes no array")


def _ranking(values: Values, step: TopK, labels: Sequence[str]) -> tuple[tuple[Scored, ...], ...]:
    rows = values.reshape(-1, values.shape[-1])
    return tuple(_largest(row, step, labels) for row in rows)


def _largest(row: Values, step: TopK, labels: Sequence[str]) -> tuple[Scored, ...]:
    order = np.argsort(-row.astype(np.float64), kind="stable")[: step.k]
    kept = [int(index) for index in order if row[index] >= step.min_score]
    return tuple(Scored(i, float(row[i]), labels[i] if i < len(labels) else None) for i in kept)
