"""Known weights or places along one axis of a value, wherever the tensor has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.value import Value


def along(builder: Builder, x: Value, axis: int, matrix: npt.NDArray[Any]) -> Value:
    """``matrix @ x`` over an axis of the source: FULLY_CONNECTED where it lies last, else BATCH_MATMUL; no TRANSPOSE.

    Args:
        builder: what makes ops.
        x: any shape.
        axis: of the source.
        matrix: ``[extent after, extent before]``.
    """
    place, shape = x.place(axis), x.tensor.shape
    out = matrix.shape[0]
    weights = builder.constant(matrix, "float32")
    before, after = shape[:place], shape[place + 1 :]
    if not after:
        made = builder.emit("FULLY_CONNECTED", [x.tensor, weights, None], (*before, out), keep_num_dims=len(shape) != 2)
        return Value(made, x.order, x.spatial)
    rows = builder.reshaped(x.tensor, (int(np.prod(before)), shape[place], int(np.prod(after))))
    left = builder.reshaped(weights, (1, *matrix.shape))
    made = builder.emit("BATCH_MATMUL", [left, rows], (rows.shape[0], out, rows.shape[2]), adj_x=False, adj_y=False)
    return Value(builder.reshaped(made, (*before, out, *after)), x.order, x.spatial)


def chosen(builder: Builder, x: Value, axis: int, places: npt.NDArray[Any]) -> Value:
    """Elements of an axis of the source by known places; a place may come more than once."""
    place = x.place(axis)
    shape = list(x.tensor.shape)
    shape[place] = len(places)
    index = builder.constant(places, "int32")
    return Value(builder.emit("GATHER", [x.tensor, index], shape, axis=place, batch_dims=0), x.order, x.spatial)
