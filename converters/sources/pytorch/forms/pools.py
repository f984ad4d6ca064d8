"""Pools whose windows are not all of one extent."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.sources.pytorch.forms.constants import integers, numbers, opset


def adaptive_max(self: Any, output_size: Sequence[int]) -> tuple[Any, Any]:
    """Each axis' windows side by side, then a pool of windows that do not overlap.

    Args:
        self: ``[..., *space]`` of static extents.
        output_size: of ``space``.

    Returns:
        The maxima, and their flat places in ``space``.
    """
    op = opset()
    count = len(output_size)
    space = [int(extent) for extent in self.shape[-count:]]
    windows = [_windows(size, int(out)) for size, out in zip(space, output_size, strict=True)]
    wide = self
    for axis, places in zip(range(-count, 0), windows, strict=True):
        wide = op.Gather(wide, integers(op, places.reshape(-1)), axis=axis)
    kernel = [places.shape[1] for places in windows]
    maxima, index = op.MaxPool(wide, kernel_shape=kernel, strides=kernel)
    whole = np.arange(int(np.prod(space))).reshape(space)
    table = whole[np.ix_(*(places.reshape(-1) for places in windows))].reshape(-1)
    return maxima, op.Gather(integers(op, table), op.Mod(index, integers(op, np.array(table.size))))


def adaptive_mean_3d(self: Any, output_size: Sequence[int]) -> Any:
    """Each axis by a matrix that averages its windows.

    Args:
        self: ``[N, C, D, H, W]`` of static extents.
        output_size: of ``D``, ``H`` and ``W``.
    """
    op = opset()
    result = self
    for axis, out in zip("dhw", output_size, strict=True):
        size = int(self.shape["ncdhw".index(axis)])
        matrix = op.CastLike(numbers(op, _averaging(size, int(out))), self)
        equation = f"ncdhw,{axis}k->{'ncdhw'.replace(axis, 'k')}"
        result = op.Einsum(result, matrix, equation=equation)
    return result


@functools.lru_cache
def _averaging(size: int, out: int) -> npt.NDArray[np.float32]:
    """``[size, out]``: what each element has in each window's mean."""
    starts, ends = _bounds(size, out)
    place = np.arange(size)[:, None]
    return np.asarray(((place >= starts) & (place < ends)) / (ends - starts), np.float32)


def _bounds(size: int, out: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return np.arange(out) * size // out, -(-(np.arange(out) + 1) * size // out)


@functools.lru_cache
def _windows(size: int, out: int) -> npt.NDArray[np.int64]:
    """``[out, extent of the widest]``: places of each window's elements; a shorter one repeats its last."""
    starts, ends = _bounds(size, out)
    return np.asarray(np.minimum(starts[:, None] + np.arange((ends - starts).max()), ends[:, None] - 1), np.int64)
