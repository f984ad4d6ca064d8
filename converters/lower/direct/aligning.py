"""Values of several inputs brought to one order of axes, as broadcasting ops need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.fitting import broadcast
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.value import Order, Value, identity


@dataclass(frozen=True)
class Aligned:
    """Operands in one order.

    Attributes:
        tensors: as TFLite broadcasts them; a lower rank stands for leading ones.
        order: of the result.
        shape: of the result's tensor.
        spatial: see :class:`Value`.
    """

    tensors: tuple[Tensor, ...]
    order: Order
    shape: tuple[int, ...]
    spatial: bool

    def value(self, tensor: Tensor) -> Value:
        """The result as a value."""
        return Value(tensor, self.order, self.spatial)


def aligned(builder: Builder, values: Sequence[Value]) -> Aligned:
    """Operands of an element-wise op in the order that costs least: constants follow, the fullest operand leads."""
    broadcast(builder.origin, [value.shape for value in values])
    rank = max(value.rank for value in values)
    lead = _leader(values, rank)
    order = lead.order if lead is not None else identity(rank)
    tensors = tuple(_follow(builder, value, order) for value in values)
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    spatial = any(value.spatial and value.rank == rank for value in values)
    return Aligned(tensors, order, tuple(int(extent) for extent in shape), spatial)


def _leader(values: Sequence[Value], rank: int) -> Value | None:
    """A runtime operand of full rank: not one to be broadcast if there is another, then one in a spatial order."""
    running = [value for value in values if not value.is_constant and value.rank == rank]
    return min(running, key=lambda v: (_broadcast_axes(v, values), not v.spatial), default=None)


def _broadcast_axes(value: Value, values: Sequence[Value]) -> int:
    whole = np.broadcast_shapes(*(other.shape for other in values))
    return sum(own == 1 != full for own, full in zip(value.shape, whole, strict=True))


def _follow(builder: Builder, value: Value, order: Order) -> Tensor:
    if value.tensor.size == 1 and value.rank < 2:
        return value.tensor
    missing = len(order) - value.rank
    if not missing:
        return builder.arranged(value, order)
    if value.is_constant:
        return builder.constant(value.data.reshape((1,) * missing + value.shape).transpose(order))
    extended = (*range(missing), *(axis + missing for axis in value.order))
    if extended == order:
        # Leading ones need no op.
        return value.tensor
    shape = (1,) * missing + value.tensor.shape
    return builder.arranged(Value(builder.reshaped(value.tensor, shape), extended), order)
