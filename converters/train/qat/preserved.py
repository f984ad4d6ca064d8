"""What an earlier stage won, kept while weights are trained with rounding: zeros stay zero, equal weights equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_FEW = 0.9
"""Weights of more distinct values than this share of their number share nothing worth keeping."""


class Preserved:
    """What of a weight stays: a mask of zeros, and which places hold equal values."""

    def __init__(self, mask: Array | None, places: Array | None) -> None:
        self._mask, self._places = mask, places

    @staticmethod
    def of(values: Array, axis: int | None, *, zeros: bool, clusters: bool) -> Preserved | None:
        """What is worth keeping of a weight; None where nothing is."""
        mask = values != 0 if zeros and (values == 0).any() else None
        places = _equal_places(values, axis) if clusters else None
        return None if mask is None and places is None else Preserved(mask, places)

    def apply(self, values: Array) -> Array:
        """Equal places get their mean, zeros stay zero."""
        if self._places is not None:
            flat = self._places.reshape(-1)
            sums = np.bincount(flat, values.reshape(-1).astype(np.float64))
            values = (sums / np.maximum(np.bincount(flat), 1))[flat].reshape(values.shape).astype(np.float32)
        return values if self._mask is None else values * self._mask


def _equal_places(values: Array, axis: int | None) -> Array | None:
    """A number for each place, the same for equal values of one channel; None where hardly any are equal.

    BatchNorm scales each channel by itself when it is folded: weights that shared a value in the model share one in
    each channel of the file.
    """
    channel = np.zeros(values.shape, np.int64)
    if axis is not None:
        shape = [-1 if a == axis else 1 for a in range(values.ndim)]
        channel = channel + np.arange(values.shape[axis]).reshape(shape)
    keys = np.stack([channel.reshape(-1), values.reshape(-1).view(np.int32).astype(np.int64)])
    _, places = np.unique(keys, axis=1, return_inverse=True)
    found = places.reshape(values.shape)
    return found if found.max() + 1 <= _FEW * values.size else None
