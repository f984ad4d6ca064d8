"""Running products and extremes, in as many steps as their length has doublings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_sdk.converters.sources.pytorch.forms.constants import INT64, integers, opset

# Begins far enough for any slice.
_END = 2**31 - 1


def running_product(self: Any, dim: int, dtype: int | None = None) -> Any:
    """``torch.cumprod``.

    Args:
        self: of a static extent along ``dim``.
        dim: axis.
        dtype: ONNX' number of the result's.
    """
    op = opset()
    value = self if dtype is None else op.Cast(self, to=dtype)
    return _running(op, value, self.shape, dim, op.Mul)


def running_most(self: Any, dim: int) -> tuple[Any, Any]:
    """``torch.cummax``: the largest so far along ``dim``, and the last place where it stood."""
    op = opset()
    return _running_extreme(op, self, dim, op.Max)


def running_least(self: Any, dim: int) -> tuple[Any, Any]:
    """``torch.cummin``, likewise."""
    op = opset()
    return _running_extreme(op, self, dim, op.Min)


def _running_extreme(op: Any, value: Any, dim: int, join: Callable[..., Any]) -> tuple[Any, Any]:
    extreme = _running(op, value, value.shape, dim, join)
    extents = np.ones(len(value.shape), int)
    extents[dim] = int(value.shape[dim])
    places = integers(op, np.arange(extents[dim]).reshape(extents))
    # A place counts where the extreme so far is its own value; the last such one so far is asked for.
    own = op.Mul(op.Cast(op.Equal(value, extreme), to=INT64), places)
    return extreme, _running(op, own, value.shape, dim, op.Max)


def _running(op: Any, value: Any, shape: Any, dim: int, join: Callable[..., Any]) -> Any:
    """Before: ``[a, b, c, d]``. After one step ``[a, ab, bc, cd]``, after two ``[a, ab, abc, abcd]``."""
    size, step = int(shape[dim]), 1
    while step < size:
        head = op.Slice(value, *integers(op, [0], [step], [dim]))
        tail = op.Slice(value, *integers(op, [step], [_END], [dim]))
        earlier = op.Slice(value, *integers(op, [0], [-step], [dim]))
        value = op.Concat(head, join(tail, earlier), axis=dim)
        step *= 2
    return value
