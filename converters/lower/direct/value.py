"""What a name of the source stands for: a tensor of the file, and the order in which it holds the source's axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Tensor

Order = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the source.

    Attributes:
        tensor: what holds it: ``tensor = transpose(value, order)``.
        order: ``order[i]`` is the source's axis that the tensor has at ``i``.
        spatial: the order comes from an op with height and width, and may stand in the file's outputs.
        before: the value of which this one is a reshape, so that reshaping back is the value itself.
    """

    tensor: Tensor
    order: Order
    spatial: bool = False
    before: Value | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """In the source's order."""
        return tuple(self.tensor.shape[place] for place in inverse(self.order))

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.order)

    @property
    def dtype(self) -> str:
        """Numpy's name."""
        return self.tensor.dtype

    @property
    def is_constant(self) -> bool:
        """Whether its values are known."""
        return self.tensor.data is not None

    @property
    def data(self) -> npt.NDArray[Any]:
        """The constant's values, in the source's order."""
        if self.tensor.data is None:
            raise ValueError(f"`{self.tensor.origin}` is no constant")
        return self.tensor.data.transpose(inverse(self.order))

    def place(self, axis: int) -> int:
        """Where the tensor has the source's axis."""
        return self.order.index(axis % self.rank if self.rank else 0)


@dataclass(frozen=True, eq=False)
class Values:
    """A sequence of ONNX's whose length is known: its items stand side by side in the walk, no tensor holds them."""

    items: tuple[Value, ...]


Entry = Value | Values | None
"""What a name stands for: a value, a sequence, or nothing, as an optional input that is absent."""


def identity(rank: int) -> Order:
    """The source's own order."""
    return tuple(range(rank))


def inverse(order: Sequence[int]) -> Order:
    """Where each of the source's axes is."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def channels_last(rank: int) -> Order:
    """Batch, spatial axes, channels: NCHW to NHWC and its like of other ranks."""
    return (0, *range(2, rank), 1) if rank > 2 else identity(rank)


def plain(tensor: Tensor) -> Value:
    """A value that the tensor holds in the source's own order."""
    return Value(tensor, identity(len(tensor.shape)))
