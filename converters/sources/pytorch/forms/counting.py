"""How many elements are where: histograms and searches."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sdk.converters.sources.pytorch.forms.constants import INT32, INT64, integers, like, opset


def histogram(self: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements fall into each of ``bins`` equal parts of ``min`` to ``max``; others are not counted.

    Args:
        self: any shape.
        bins: number of parts; the last one holds its end.
        min: where the first begins.
        max: where the last ends; the data's own extremes where both are equal.

    Returns:
        ``[bins]``, of the dtype of ``self``.
    """
    op = opset()
    flat = op.Reshape(self, integers(op, [-1, 1]))
    low, high = _extremes(op, flat, min, max)
    inside = op.And(op.GreaterOrEqual(flat, low), op.LessOrEqual(flat, high))
    scaled = op.Div(op.Mul(op.Sub(flat, low), like(op, bins, flat)), op.Sub(high, low))
    place = op.Min(op.Floor(scaled), like(op, bins - 1, flat))
    parts = op.CastLike(integers(op, np.arange(bins)[None]), flat)
    counted = op.And(op.Equal(place, parts), inside)
    return op.ReduceSum(op.CastLike(counted, self), integers(op, [0]), keepdims=0)


def _extremes(op: Any, flat: Any, low: float, high: float) -> tuple[Any, Any]:
    if low != high:
        return like(op, low, flat), like(op, high, flat)
    least, most = op.ReduceMin(flat, keepdims=0), op.ReduceMax(flat, keepdims=0)
    one = op.CastLike(op.Equal(least, most), flat)
    return op.Sub(least, one), op.Add(most, one)


def searched(
    sorted_sequence: Any,
    self: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Where each value would stand in its row: as many places on as there are smaller ones in it.

    Args:
        sorted_sequence: ``[..., n]``, or ``[n]`` for all rows.
        self: values, ``[..., m]``.
        out_int32: whether int32, else int64.
        right: behind equal ones too.
        side: ``left`` or ``right``, likewise.
        sorter: order of ``sorted_sequence``, where it is not sorted.
    """
    op = opset()
    if sorter is not None:
        sorted_sequence = op.GatherElements(sorted_sequence, sorter, axis=-1)
    row, value = op.Unsqueeze(sorted_sequence, integers(op, [-2])), op.Unsqueeze(self, integers(op, [-1]))
    before = op.LessOrEqual if right or side == "right" else op.Less
    counted = op.ReduceSum(op.Cast(before(row, value), to=INT32), integers(op, [-1]), keepdims=0)
    return counted if out_int32 else op.Cast(counted, to=INT64)
