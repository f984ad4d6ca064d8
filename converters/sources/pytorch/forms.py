"""ONNX forms of ATen ops for which PyTorch's exporter has none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def translations() -> dict[Any, Callable[..., Any]]:
    """What ``torch.onnx.export`` takes as ``custom_translation_table``."""
    import torch

    aten = torch.ops.aten
    return {aten.adaptive_max_pool2d.default: _adaptive_max, aten.adaptive_max_pool3d.default: _adaptive_max}


def _adaptive_max(self: Any, output_size: Sequence[int]) -> tuple[Any, Any]:
    """Each axis' windows side by side, then a pool of windows that do not overlap.

    Args:
        self: ``[..., *space]`` of static extents.
        output_size: of ``space``.

    Returns:
        The maxima, and their flat places in ``space``.
    """
    from onnxscript import opset20 as op

    count = len(output_size)
    space = [int(extent) for extent in self.shape[-count:]]
    windows = [_windows(size, int(out)) for size, out in zip(space, output_size, strict=True)]
    wide = self
    for axis, places in zip(range(-count, 0), windows, strict=True):
        wide = op.Gather(wide, _constant(op, places.reshape(-1)), axis=axis)
    kernel = [places.shape[1] for places in windows]
    maxima, index = op.MaxPool(wide, kernel_shape=kernel, strides=kernel)
    whole = np.arange(int(np.prod(space))).reshape(space)
    table = whole[np.ix_(*(places.reshape(-1) for places in windows))].reshape(-1)
    return maxima, op.Gather(_constant(op, table), op.Mod(index, _constant(op, np.array(table.size))))


def _constant(op: Any, values: npt.NDArray[Any]) -> Any:
    import onnx_ir

    return op.Constant(value=onnx_ir.tensor(values.astype(np.int64)))


@functools.lru_cache
def _windows(size: int, out: int) -> npt.NDArray[np.int64]:
    """``[out, extent of the widest]``: places of each window's elements; a shorter one repeats its last."""
    starts = np.arange(out) * size // out
    ends = -(-(np.arange(out) + 1) * size // out)
    return np.asarray(np.minimum(starts[:, None] + np.arange((ends - starts).max()), ends[:, None] - 1), np.int64)
