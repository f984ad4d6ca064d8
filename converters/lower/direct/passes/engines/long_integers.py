"""Integers of 64 bits where the engine's kernels know 32, and of any width where they know reals only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Op, Tensor

_LOWEST = -(2**63)
# The largest float32 below 2^63.
_HIGHEST_FLOAT = 9223371487098961920.0


def as_signed(builder: Builder, tensor: Tensor, *, shifted: bool) -> Tensor:
    """uint64 as int64: the same bits, or (``shifted``) the number less 2^63, whose order is the same."""
    if tensor.data is not None:
        bits = tensor.data.view(np.int64) if tensor.data.ndim else tensor.data.reshape(1).view(np.int64).reshape(())
        return builder.constant(bits ^ np.int64(_LOWEST) if shifted else bits)
    made = builder.emit("BITCAST", [tensor], tensor.shape, "int64")
    return _lifted(builder, made) if shifted else made


def from_signed(builder: Builder, tensor: Tensor, *, shifted: bool) -> Tensor:
    """The way back of :func:`as_signed`."""
    made = _lifted(builder, tensor) if shifted else tensor
    return builder.emit("BITCAST", [made], made.shape, "uint64")


def _lifted(builder: Builder, tensor: Tensor) -> Tensor:
    # Adding 2^63 wraps round, which turns the sign bit over and nothing else.
    return builder.emit("ADD", [tensor, builder.constant(_LOWEST, "int64")], tensor.shape)


class _Maker:
    """Ops on int64 and float32 tensors of broadcast shapes."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def op(self, kind: str, *inputs: Tensor, dtype: str | None = None) -> Tensor:
        shape = np.broadcast_shapes(*(tensor.shape for tensor in inputs))
        return self._builder.emit(kind, inputs, shape, dtype or inputs[-1].dtype)

    def number(self, value: float, dtype: str = "int64") -> Tensor:
        return self._builder.constant(value, dtype)

    def cast(self, tensor: Tensor, dtype: str) -> Tensor:
        return self._builder.cast(tensor, dtype)

    def guesses(self, tensor: Tensor) -> int:
        """Rounds of 20 bits that the tensor's numbers need, with two bits to spare."""
        low, high = self._builder.bounds.of(tensor)
        return -(-(max(-low - 1, high).bit_length() + 2) // 20)

    def is_positive(self, *tensors: Tensor) -> bool:
        """Whether no number is below zero."""
        return all(self._builder.bounds.of(tensor)[0] >= 0 for tensor in tensors)

    def is_below(self, tensor: Tensor, value: int) -> Tensor:
        return self.op("LESS", tensor, self.number(value), dtype="bool")


def _inputs(op: Op) -> list[Tensor]:
    return [tensor for tensor in op.inputs if tensor is not None]


def _absolute(builder: Builder, op: Op) -> list[Tensor]:
    make = _Maker(builder)
    (x,) = _inputs(op)
    return [make.op("MAXIMUM", x, make.op("NEG", x))]


def _sign(builder: Builder, op: Op) -> list[Tensor]:
    """-1, 0 or 1: what the bounds leave of the number."""
    make = _Maker(builder)
    (x,) = _inputs(op)
    return [make.op("MINIMUM", make.op("MAXIMUM", x, make.number(-1)), make.number(1))]


def _relu(builder: Builder, op: Op) -> list[Tensor]:
    make = _Maker(builder)
    (x,) = _inputs(op)
    return [make.op("MAXIMUM", x, make.number(0, x.dtype))]


def _square(builder: Builder, op: Op) -> list[Tensor]:
    (x,) = _inputs(op)
    return [_Maker(builder).op("MUL", x, x)]


def _squared_difference(builder: Builder, op: Op) -> list[Tensor]:
    make = _Maker(builder)
    difference = make.op("SUB", *_inputs(op))
    return [make.op("MUL", difference, difference)]


def _floor_divide(builder: Builder, op: Op) -> list[Tensor]:
    """The quotient of what is left when the remainder is gone, which leaves none."""
    make = _Maker(builder)
    a, b = _inputs(op)
    return [_exact_quotient(make, make.op("SUB", a, make.op("FLOOR_MOD", a, b)), b)]


def _divide(builder: Builder, op: Op) -> list[Tensor]:
    """Cut towards zero: by the remainder that has the dividend's sign."""
    make = _Maker(builder)
    a, b = _inputs(op)
    if make.is_positive(a, b):
        return _floor_divide(builder, op)
    remainder = make.op("FLOOR_MOD", a, b)
    negative = make.is_below(make.op("MUL", make.op("SIGN", a), make.op("SIGN", b)), 0)
    other = make.op("NOT_EQUAL", remainder, make.number(0), dtype="bool")
    lifted = make.op("LOGICAL_AND", negative, other, dtype="bool")
    whole = make.op("SELECT_V2", lifted, make.op("SUB", remainder, b), remainder)
    return [_exact_quotient(make, make.op("SUB", a, whole), b)]


def _exact_quotient(make: _Maker, a: Tensor, b: Tensor) -> Tensor:
    """``a / b`` where ``b`` divides ``a``.

    Float32 guesses what is left to 2^-20 of it at the worst, so each guess takes 20 bits off; the last one is rounded
    from less than a quarter beside the quotient.
    """
    divisor = make.cast(b, "float32")
    total: Tensor | None = None
    left = a
    for _ in range(make.guesses(a)):
        ratio = make.op("DIV", make.cast(left, "float32"), divisor)
        guess = make.cast(make.op("ROUND", _within(make, ratio)), "int64")
        total = guess if total is None else make.op("ADD", total, guess)
        left = make.op("SUB", left, make.op("MUL", guess, b))
    return a if total is None else total


def _within(make: _Maker, ratio: Tensor) -> Tensor:
    high = make.op("MINIMUM", ratio, make.number(_HIGHEST_FLOAT, "float32"))
    return make.op("MAXIMUM", high, make.number(float(_LOWEST), "float32"))


def _arg(peak: str) -> Callable[[Builder, Op], list[Tensor]]:
    """The first place that holds the extreme."""

    def form(builder: Builder, op: Op) -> list[Tensor]:
        x, axis = _inputs(op)
        place = int(axis.data.reshape(-1)[0]) if axis.data is not None else 0
        kept = [1 if i == place else size for i, size in enumerate(x.shape)]
        most = builder.emit(peak, [x, builder.constant([place], "int32")], kept, keep_dims=True)
        same = builder.emit("EQUAL", [x, most], x.shape, "bool")
        return [builder.emit("ARG_MAX", [same, axis], op.output.shape, op.output.dtype, **op.options)]

    return form


def _exclusive_or(builder: Builder, op: Op) -> list[Tensor]:
    """In halves of 32 bits."""
    halves = [_halves(builder, tensor) for tensor in _inputs(op)]
    shape = np.broadcast_shapes(*(half.shape for half in halves))
    made = builder.emit("BITWISE_XOR", halves, shape)
    return [builder.emit("BITCAST", [made], shape[:-1], "int64")]


def _halves(builder: Builder, tensor: Tensor) -> Tensor:
    if tensor.data is not None:
        return builder.constant(np.ascontiguousarray(tensor.data[..., None]).view(np.int32))
    return builder.emit("BITCAST", [tensor], (*tensor.shape, 2), "int32")


LONG: Mapping[str, Callable[[Builder, Op], list[Tensor]]] = {
    "ABS": _absolute,
    "ARG_MAX": _arg("REDUCE_MAX"),
    "ARG_MIN": _arg("REDUCE_MIN"),
    "BITWISE_XOR": _exclusive_or,
    "DIV": _divide,
    "FLOOR_DIV": _floor_divide,
    "SIGN": _sign,
    "SQUARED_DIFFERENCE": _squared_difference,
}
"""An op's kind to its form in int64."""
WHOLE: Mapping[str, Callable[[Builder, Op], list[Tensor]]] = {"RELU": _relu, "SQUARE": _square}
"""Ops that know only reals to their form in any integer."""
