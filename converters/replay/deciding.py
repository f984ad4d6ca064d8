"""Kernels of ops that compare, count or choose; see :mod:`.ops`. Their results are steps: no gradient passes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sdk.converters.replay import moving

if TYPE_CHECKING:
    from edge_sdk.converters.replay.steps import Step

_BOOL = 6
_WIDE, _WHOLE = frozenset({4, 12, 15}), frozenset({2, 3, 4, 7, 9, 12, 15, 16})
"""Codes of TFLite's TensorType: whole numbers, and those of them that 32 bits do not hold."""
DECIDING = frozenset(
    {
        "ARG_MAX", "ARG_MIN", "CEIL", "EQUAL", "FLOOR", "FLOOR_DIV", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL",
        "NOT_EQUAL", "ONE_HOT", "ROUND", "SIGN",
    }
)  # fmt: skip
"""Ops whose result is a step of what they read."""


def sampled(b: Any, value: Any) -> Any:
    """A whole-number constant, which has no sample axis yet, as a value; others as they are."""
    return b.constant(value[None]) if isinstance(value, np.ndarray) else value


def pair(function: Callable[[Any, Any], Any]) -> Any:
    """Of two operands that are broadcast; nothing is fused."""

    def kernel(b: Any, _: Step, args: list[Any]) -> list[Any]:
        args = [sampled(b, a) for a in args]
        rank = max(len(b.shape(a)) for a in args)
        return [function(*(b.align(a, rank) for a in args))]

    return kernel


def one_hot(b: Any, step: Step, args: list[Any]) -> list[Any]:
    """``args``: places, their number, and the two values."""
    places, depth, on, off = args
    rank = len(step.shapes[0])
    axis = step.op.options.get("axis", -1) % rank + 1
    count = int(moving.constant(b.number(depth)).reshape(-1)[0])
    every = np.arange(count, dtype=np.float32).reshape([count if a == axis else 1 for a in range(rank + 1)])
    # As float32, which is exact for places of any one-hot that fits in memory.
    hot = b.to_float(b.expand(sampled(b, places), axis)) == b.constant(every)
    return [b.where(hot, *(b.align(sampled(b, value), rank + 1) for value in (on, off)))]


def arg(name: str) -> Any:
    """Of ARG_MAX and ARG_MIN."""

    def kernel(b: Any, step: Step, args: list[Any]) -> list[Any]:
        axis = int(moving.constant(args[1]).reshape(-1)[0]) % (len(b.shape(args[0])) - 1) + 1
        wide = step.op.options.get("output_type", 0) in _WIDE
        return [moving.out(b, step, b.to_whole(getattr(b, name)(args[0], axis), wide=wide))]

    return kernel


def every(b: Any, step: Step, args: list[Any]) -> list[Any]:
    """REDUCE_ALL: the least of 0 and 1."""
    return [_reduced(b, step, args, "min")]


def some(b: Any, step: Step, args: list[Any]) -> list[Any]:
    """REDUCE_ANY: the most of 0 and 1."""
    return [_reduced(b, step, args, "max")]


def _reduced(b: Any, step: Step, args: list[Any], name: str) -> Any:
    rank = len(b.shape(args[0])) - 1
    axes = tuple(int(a) % rank + 1 for a in np.atleast_1d(moving.constant(args[1])))
    return moving.out(b, step, getattr(b, name)(b.to_float(args[0]), axes)) > 0.5


def cast(b: Any, step: Step, args: list[Any]) -> list[Any]:
    """To whole numbers towards zero; to a decision where not zero."""
    kind, x = step.op.options.get("out_data_type", 0), sampled(b, args[0])
    if kind == _BOOL:
        return [b.to_float(x) != 0]
    return [b.to_whole(x, wide=kind in _WIDE) if kind in _WHOLE else b.to_float(x)]
