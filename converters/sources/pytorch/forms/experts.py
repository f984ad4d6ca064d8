"""Products of more than two tensors: a matrix of each row's own, as mixtures of experts have it, and bilinear ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.sources.pytorch.forms.constants import INT64, integers, opset


def grouped(self: Any, mat2: Any, offs: Any, bias: Any = None, out_dtype: Any = None) -> Any:
    """One matrix for all experts: a row stands at its own expert's place, with zeros at the others'.

    Which rows an expert gets depends on data, so that every row has to be able to go to every one.

    Args:
        self: ``[rows, in]``, sorted by expert.
        mat2: ``[experts, in, out]``.
        offs: ``[experts]``: where each one's rows end.
        bias: PyTorch's own kernels take none.
        out_dtype: only that of ``self`` exists on a CPU.

    Returns:
        ``[rows, out]``; zeros behind the last expert's rows.
    """
    op = opset()
    (rows, inner), (experts, _, outer) = ([int(extent) for extent in value.shape] for value in (self, mat2))
    ends = op.Unsqueeze(op.Cast(offs, to=INT64), integers(op, [0]))
    starts = op.Concat(integers(op, [[0]]), op.Slice(ends, *integers(op, [0], [-1], [1])), axis=1)
    row = integers(op, np.arange(rows)[:, None])
    own = op.CastLike(op.And(op.GreaterOrEqual(row, starts), op.Less(row, ends)), self)
    placed = op.Mul(op.Unsqueeze(self, integers(op, [1])), op.Unsqueeze(own, integers(op, [2])))
    wide = op.Reshape(placed, integers(op, [rows, experts * inner]))
    return op.MatMul(wide, op.Reshape(mat2, integers(op, [experts * inner, outer])))


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def trilinear(
    i1: Any,
    i2: Any,
    i3: Any,
    expand1: Sequence[int],
    expand2: Sequence[int],
    expand3: Sequence[int],
    sumdim: Sequence[int],
    unroll_dim: int = 1,
) -> Any:
    """A sum of products of three tensors, as ``nn.Bilinear`` has it.

    Args:
        i1: lacks the axes ``expand1`` of the product.
        i2: likewise, ``expand2``.
        i3: likewise, ``expand3``.
        expand1: axes.
        expand2: axes.
        expand3: axes.
        sumdim: axes of the product that are summed.
        unroll_dim: how PyTorch's own kernel loops.
    """
    op = opset()
    axes = _LETTERS[: len(i1.shape) + len(expand1)]
    terms = ["".join(a for place, a in enumerate(axes) if place not in lacks) for lacks in (expand1, expand2, expand3)]
    rest = "".join(a for place, a in enumerate(axes) if place not in sumdim)
    return op.Einsum(i1, i2, i3, equation=f"{','.join(terms)}->{rest}")
