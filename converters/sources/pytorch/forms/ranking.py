"""Elements by their rank."""

from __future__ import annotations

from typing import Any

from edge_sdk.converters.sources.pytorch.forms.constants import integers, opset


def ranked(self: Any, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Any, Any]:
    """``torch.kthvalue``: the ``k``-th smallest along ``dim``, from 1 on, and its place.

    Args:
        self: of a static extent along ``dim``.
        k: rank.
        dim: axis.
        keepdim: whether it stays, of extent 1.
    """
    op = opset()
    both = op.TopK(self, integers(op, [k]), axis=dim, largest=0, sorted=1)
    value, place = (op.Slice(part, *integers(op, [k - 1], [k], [dim])) for part in both)
    return (
        (value, place) if keepdim else (op.Squeeze(value, integers(op, [dim])), op.Squeeze(place, integers(op, [dim])))
    )


def middle(self: Any, dim: int, keepdim: bool = False) -> tuple[Any, Any]:
    """``torch.median`` along an axis: the lower one of two."""
    return ranked(self, (int(self.shape[dim]) + 1) // 2, dim, keepdim)


def middle_of_all(self: Any) -> Any:
    """``torch.median`` of all elements."""
    op = opset()
    count = 1
    for extent in self.shape:
        count *= int(extent)
    flat = op.Reshape(self, integers(op, [-1]))
    value, _ = op.TopK(flat, integers(op, [(count + 1) // 2]), axis=0, largest=0, sorted=1)
    return op.Squeeze(op.Slice(value, *integers(op, [-1], [2**31 - 1], [0])), integers(op, [0]))
