"""Distances between the rows of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sdk.converters.sources.pytorch.forms.constants import integers, like, opset


def between(x1: Any, x2: Any, p: float, compute_mode: int | None = None) -> Any:
    """``torch.cdist``.

    Args:
        x1: ``[..., n, width]``.
        x2: ``[..., m, width]``.
        p: of the norm.
        compute_mode: how PyTorch's own kernel does it.

    Returns:
        ``[..., n, m]``.
    """
    op = opset()
    apart = op.Sub(op.Unsqueeze(x1, integers(op, [-2])), op.Unsqueeze(x2, integers(op, [-3])))
    return _norm(op, apart, p)


def within(self: Any, p: float = 2.0) -> Any:
    """``torch.nn.functional.pdist``: of each of ``[n, width]`` to each later one, ``[n * (n - 1) / 2]``."""
    op = opset()
    first, second = np.triu_indices(int(self.shape[0]), 1)
    apart = op.Sub(op.Gather(self, integers(op, first)), op.Gather(self, integers(op, second)))
    return _norm(op, apart, p)


def _norm(op: Any, apart: Any, p: float) -> Any:
    axis = integers(op, [-1])
    if p == 1:
        return op.ReduceL1(apart, axis, keepdims=0)
    if p == 2:
        return op.ReduceL2(apart, axis, keepdims=0)
    size = op.Abs(apart)
    if p == float("inf"):
        return op.ReduceMax(size, axis, keepdims=0)
    if p == 0:
        return op.ReduceSum(op.CastLike(op.Greater(size, like(op, 0, size)), size), axis, keepdims=0)
    return op.Pow(op.ReduceSum(op.Pow(size, like(op, p, size)), axis, keepdims=0), like(op, 1 / p, size))
