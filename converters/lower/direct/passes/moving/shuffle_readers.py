"""Ops that can read channels in another order than the source's: what becomes of their weights and of their result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edge_sdk.converters.lower.direct.graph import Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import integers, split_operands
from edge_sdk.converters.lower.direct.passes.moving.reshapes import UNARY


@dataclass(frozen=True)
class Order:
    """Which of a value's channels stands at each place of the last axis."""

    channels: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether they stand as the value has them."""
        return self.channels == tuple(range(len(self.channels)))


@dataclass(frozen=True)
class Taken:
    """An op that reads ordered channels; ``keeps_order`` where its result has them in that order as well."""

    op: Op
    keeps_order: bool


def reading_in_order(op: Op, order: Order) -> Taken | None:
    """The op for channels in that order, or None where there is no such form.

    Args:
        op: reads one tensor whose channels are ordered so, and constants.
        order: of its channels.
    """
    rule = _RULES.get(op.kind)
    return rule(op, order) if rule is not None else None


def _product(op: Op, order: Order) -> Taken | None:
    """Convolutions of one group and dense layers sum over the channels."""
    x, weights, *rest = op.inputs
    if x is None or weights is None or weights.data is None or weights.shape[-1] != x.shape[-1]:
        return None
    return Taken(op.reading(x, _picked(weights, order), *rest), keeps_order=False)


def _depthwise(op: Op, order: Order) -> Taken | None:
    x, weights, bias = (*op.inputs, None)[:3]
    known = weights is not None and weights.data is not None and (bias is None or bias.data is not None)
    if x is None or weights is None or not known or weights.shape[-1] != x.shape[-1]:
        return None
    if any(t.quantization is not None for t in (weights, bias) if t is not None):
        return None
    parts = (_picked(weights, order), _picked(bias, order) if bias is not None else None)
    return Taken(op.reading(x, *parts[: len(op.inputs) - 1]), keeps_order=True)


def _alone(op: Op, _: Order) -> Taken | None:
    return Taken(op, keeps_order=True) if op.output.shape[-1] == _channels(op) else None


def _padded(op: Op, order: Order) -> Taken | None:
    pads = integers(op.inputs[1])
    return _alone(op, order) if pads is not None and not any(pads[-2:]) else None


def _reduced(op: Op, order: Order) -> Taken | None:
    x, axes = op.inputs[0], integers(op.inputs[1])
    if x is None or axes is None or any(axis % len(x.shape) == len(x.shape) - 1 for axis in axes):
        return None
    return _alone(op, order)


def _with_constant(op: Op, order: Order) -> Taken | None:
    operands = split_operands(op)
    if operands is None:
        return None
    running, other = operands
    if other.shape and other.shape[-1] != 1:
        if other.shape[-1] != len(order.channels):
            return None
        other = _picked(other, order)
    parts = (running, other) if op.inputs[0] is running else (other, running)
    return _alone(op.reading(*parts), order) if running.shape[-1] == op.output.shape[-1] else None


def _channels(op: Op) -> int | None:
    """Of the first running input."""
    return next((t.shape[-1] for t in op.inputs if t is not None and t.data is None and t.shape), None)


def _picked(tensor: Tensor, order: Order) -> Tensor:
    if tensor.data is None:
        raise ValueError("only constants are picked from")
    return replace(tensor, data=np.ascontiguousarray(tensor.data[..., list(order.channels)]))


_RULES: dict[str, Callable[[Op, Order], Taken | None]] = {
    "CONV_2D": _product,
    "FULLY_CONNECTED": _product,
    "DEPTHWISE_CONV_2D": _depthwise,
    "RESHAPE": _alone,
    "PAD": _padded,
    "PADV2": _padded,
    **dict.fromkeys(("ADD", "DIV", "MUL", "SUB"), _with_constant),
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _reduced),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _alone),
    **dict.fromkeys(UNARY, _alone),
}
