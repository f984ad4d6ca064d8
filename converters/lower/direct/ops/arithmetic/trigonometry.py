"""Angles and their inverses, and the error function, to the accuracy of float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, select, unary
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]


class _Real:
    """Arithmetic on one value."""

    def __init__(self, builder: Builder, like: Value) -> None:
        self.builder, self.like = builder, like

    def number(self, value: float) -> Value:
        return scalar(self.builder, value, self.like)

    def op(self, kind: str, *values: Value) -> Value:
        return unary(self.builder, values[0], kind) if len(values) == 1 else binary(self.builder, kind, values)

    def plus(self, a: Value, number: float) -> Value:
        return self.op("ADD", a, self.number(number))

    def times(self, a: Value, number: float) -> Value:
        return self.op("MUL", a, self.number(number))

    def choose(self, kind: str, a: Value, number: float, yes: Value, no: Value) -> Value:
        return select(self.builder, binary(self.builder, kind, [a, self.number(number)], "bool"), yes, no)

    def signed_like(self, size: Value, x: Value) -> Value:
        return self.op("MUL", size, self.op("SIGN", x))

    def log_1p(self, u: Value) -> Value:
        """``log(1 + u)`` for ``u`` above -1, without what the sum rounds off.

        Kahan's: what ``1 + u`` rounds to, less 1, is exact, and the quotient mends the logarithm.
        """
        whole = self.plus(u, 1)
        rounded = self.plus(whole, -1)
        mended = self.op("MUL", self.op("LOG", whole), self.op("DIV", u, rounded))
        near = self.choose("EQUAL", rounded, 0, u, mended)
        return self.choose("GREATER", u, 1, self.op("LOG", whole), near)


def _form(compute: Callable[[_Real, Value], Value]) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        x = node.input()
        return compute(_Real(builder, x), x)

    return form


def _tan(r: _Real, x: Value) -> Value:
    return r.op("DIV", r.op("SIN", x), r.op("COS", x))


def _atan(r: _Real, x: Value) -> Value:
    return r.op("ATAN2", x, r.number(1))


def _leg(r: _Real, x: Value) -> Value:
    """``sqrt(1 - x * x)`` without cancellation near 1."""
    return r.op("SQRT", r.op("MUL", r.op("SUB", r.number(1), x), r.plus(x, 1)))


def _asin(r: _Real, x: Value) -> Value:
    return r.op("ATAN2", x, _leg(r, x))


def _acos(r: _Real, x: Value) -> Value:
    return r.op("ATAN2", _leg(r, x), x)


def _cosh(r: _Real, x: Value) -> Value:
    half = r.times(r.op("EXP", x), 0.5)
    return r.op("ADD", half, r.times(r.op("EXP", r.op("NEG", x)), 0.5))


def _sinh(r: _Real, x: Value) -> Value:
    """By ``expm1(-|x|)``, which is what ELU computes below zero: half of ``-m * (1 + exp(|x|))``."""
    size = r.op("ABS", x)
    small = r.times(r.op("ELU", r.op("NEG", size)), -0.5)
    return r.signed_like(r.op("MUL", small, r.plus(r.op("EXP", size), 1)), x)


# Beyond it x * x + 1 is x * x, and log(x + x) is exact to rounding.
_LARGE = 1e9


def _asinh(r: _Real, x: Value) -> Value:
    size = r.op("ABS", x)
    squared = r.op("MUL", size, size)
    root = r.plus(r.op("SQRT", r.plus(squared, 1)), 1)
    near = r.log_1p(r.op("ADD", size, r.op("DIV", squared, root)))
    far = r.plus(r.op("LOG", size), float(np.log(2)))
    return r.signed_like(r.choose("GREATER", size, _LARGE, far, near), x)


def _acosh(r: _Real, x: Value) -> Value:
    above = r.plus(x, -1)
    root = r.op("SQRT", r.op("MUL", above, r.plus(above, 2)))
    far = r.plus(r.op("LOG", x), float(np.log(2)))
    return r.choose("GREATER", x, _LARGE, far, r.log_1p(r.op("ADD", above, root)))


def _atanh(r: _Real, x: Value) -> Value:
    size = r.op("ABS", x)
    ratio = r.op("DIV", r.times(size, 2), r.op("SUB", r.number(1), size))
    return r.signed_like(r.times(r.log_1p(ratio), 0.5), x)


def _erf(builder: Builder, node: Node) -> Value:
    """ERF, which is no op of TFLite's: a pass makes GELU of it, or a quotient of polynomials."""
    return unary(builder, node.input(), "ERF")


OPS: dict[str, Form] = {
    "Acos": _form(_acos),
    "Acosh": _form(_acosh),
    "Asin": _form(_asin),
    "Asinh": _form(_asinh),
    "Atan": _form(_atan),
    "Atanh": _form(_atanh),
    "Cosh": _form(_cosh),
    "Erf": _erf,
    "Sinh": _form(_sinh),
    "Tan": _form(_tan),
}
