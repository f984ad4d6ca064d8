"""One element at a time: arithmetic, comparisons, logic, casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.aligning import aligned
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.reading import computed_dtype, dtype_name
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]


def unary(builder: Builder, value: Value, kind: str, dtype: str | None = None, **options: Any) -> Value:
    """One op on one value, its axes where they were."""
    tensor = builder.emit(kind, [value.tensor], value.tensor.shape, dtype, **options)
    return Value(tensor, value.order, value.spatial)


def binary(builder: Builder, kind: str, values: Sequence[Value], dtype: str | None = None, **options: Any) -> Value:
    """One op on broadcast values of one dtype."""
    operands = aligned(builder, values)
    return operands.value(builder.emit(kind, operands.tensors, operands.shape, dtype, **options))


def scalar(builder: Builder, number: float, like: Value) -> Value:
    """A constant of rank 0 in another value's dtype."""
    return builder.fixed(np.asarray(number, like.dtype))


def _plain_unary(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        return unary(builder, node.input(), kind)

    return form


def _arithmetic(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        return binary(builder, kind, [node.input(0), node.input(1)])

    return form


def _compare(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        return binary(builder, kind, [node.input(0), node.input(1)], "bool")

    return form


def _divide(builder: Builder, node: Node) -> Value:
    """Integers are cut towards zero."""
    a, b = node.input(0), node.input(1)
    if a.dtype == "float32" and b.is_constant and b.tensor.size == 1:
        return _times_reciprocal(builder, a, b)
    return binary(builder, "DIV", [a, b])


def _times_reciprocal(builder: Builder, a: Value, b: Value) -> Value:
    """Exact where the divisor is a power of two; else a division stays one."""
    number = float(b.data.reshape(-1)[0])
    if number and np.frexp(abs(number))[0] == 0.5:
        return binary(builder, "MUL", [a, builder.fixed(np.float32(1 / number).reshape(b.shape))])
    return binary(builder, "DIV", [a, b])


def _variadic(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        values = [value for value in node.inputs if value is not None]
        made = values[0]
        for value in values[1:]:
            made = binary(builder, kind, [made, value])
        return made

    return form


def _mean(builder: Builder, node: Node) -> Value:
    total = _variadic("ADD")(builder, node)
    return binary(builder, "DIV", [total, scalar(builder, len(node.inputs), total)])


def _logical(kind: str) -> Form:
    def form(builder: Builder, node: Node) -> Value:
        return binary(builder, kind, [node.input(0), node.input(1)])

    return form


def _xor(builder: Builder, node: Node) -> Value:
    return binary(builder, "NOT_EQUAL", [node.input(0), node.input(1)])


def _where(builder: Builder, node: Node) -> Value:
    """SELECT_V2, whose operands broadcast."""
    operands = aligned(builder, [node.input(0), node.input(1), node.input(2)])
    return operands.value(builder.emit("SELECT_V2", operands.tensors, operands.shape, node.input(1).dtype))


def _cast(builder: Builder, node: Node) -> Value:
    dtype = computed_dtype(dtype_name(node.attribute("to")))
    return cast(builder, node.input(), dtype)


def cast(builder: Builder, value: Value, dtype: str) -> Value:
    """As ONNX casts: to bool by comparison with zero."""
    if dtype == "bool" and value.dtype != "bool":
        return binary(builder, "NOT_EQUAL", [value, scalar(builder, 0, value)], "bool")
    return builder.as_dtype(value, dtype)


def _cast_like(builder: Builder, node: Node) -> Value:
    return cast(builder, node.input(0), node.input(1).dtype)


def _clip(builder: Builder, node: Node) -> Value:
    x = node.input()
    low, high = (_bound(builder, node, name, place) for place, name in ((1, "min"), (2, "max")))
    return clipped(builder, x, low, high)


def _bound(builder: Builder, node: Node, name: str, place: int) -> Value | None:
    if name in node.attributes:
        return builder.fixed(np.asarray(node.attributes[name], node.input().dtype))
    return node.input(place) if node.given(place) else None


def clipped(builder: Builder, x: Value, low: Value | None, high: Value | None) -> Value:
    """RELU and its kin where the bounds are theirs, else MAXIMUM and MINIMUM."""
    bounds = tuple(number_of(value) for value in (low, high))
    if x.dtype == "float32" and bounds in _CLIPS:
        return unary(builder, x, _CLIPS[bounds])
    made = x
    for bound, kind in ((low, "MAXIMUM"), (high, "MINIMUM")):
        number = number_of(bound)
        if bound is not None and not (number is not None and np.isinf(number)):
            made = binary(builder, kind, [made, bound])
    return made


_CLIPS: dict[tuple[float | None, float | None], str] = {
    (0.0, None): "RELU",
    (0.0, float("inf")): "RELU",
    (0.0, float(np.finfo(np.float32).max)): "RELU",
    (0.0, 6.0): "RELU6",
    (-1.0, 1.0): "RELU_N1_TO_1",
}


def number_of(value: Value | None) -> float | None:
    """The one number of a constant; None for all else."""
    known = value is not None and value.is_constant and value.tensor.size == 1
    return float(value.data.reshape(-1)[0]) if known and value is not None else None


def reciprocal_of(builder: Builder, x: Value) -> Value:
    """``1 / x``."""
    return binary(builder, "DIV", [scalar(builder, 1, x), x])


def _reciprocal(builder: Builder, node: Node) -> Value:
    return reciprocal_of(builder, node.input())


def _identity(builder: Builder, node: Node) -> Value:
    return node.input()


def _modulo(builder: Builder, node: Node) -> Value:
    """The divisor's sign, or with ``fmod`` the dividend's."""
    a, b = node.input(0), node.input(1)
    if not node.attribute("fmod", 0) or a.dtype.startswith("uint"):
        return binary(builder, "FLOOR_MOD", [a, b])
    # The remainder of magnitudes, with the dividend's sign.
    remainder = binary(builder, "FLOOR_MOD", [unary(builder, value, "ABS") for value in (a, b)])
    negative = binary(builder, "LESS", [a, scalar(builder, 0, a)], "bool")
    return select(builder, negative, unary(builder, remainder, "NEG"), remainder)


def _is_nan(builder: Builder, node: Node) -> Value:
    x = node.input()
    return binary(builder, "NOT_EQUAL", [x, x], "bool")


def _is_inf(builder: Builder, node: Node) -> Value:
    x = node.input()
    infinities = [np.inf] * node.attribute("detect_positive", 1) + [-np.inf] * node.attribute("detect_negative", 1)
    if not infinities:
        return binary(builder, "LESS", [x, x], "bool")
    found = [binary(builder, "EQUAL", [x, scalar(builder, number, x)], "bool") for number in infinities]
    return found[0] if len(found) == 1 else binary(builder, "LOGICAL_OR", found)


def select(builder: Builder, condition: Value, yes: Value, no: Value) -> Value:
    """``where(condition, yes, no)`` with broadcasting."""
    operands = aligned(builder, [condition, yes, no])
    return operands.value(builder.emit("SELECT_V2", operands.tensors, operands.shape, yes.dtype))


def emit_like(builder: Builder, kind: str, value: Value, *others: Tensor) -> Value:
    """An op that reads further tensors and keeps the first operand's shape and order."""
    return Value(builder.emit(kind, [value.tensor, *others], value.tensor.shape), value.order, value.spatial)


OPS: dict[str, Form] = {
    "Abs": _plain_unary("ABS"),
    "Add": _arithmetic("ADD"),
    "And": _logical("LOGICAL_AND"),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": _plain_unary("CEIL"),
    "Clip": _clip,
    "Cos": _plain_unary("COS"),
    "Div": _divide,
    "Equal": _compare("EQUAL"),
    "Exp": _plain_unary("EXP"),
    "Floor": _plain_unary("FLOOR"),
    "Greater": _compare("GREATER"),
    "GreaterOrEqual": _compare("GREATER_EQUAL"),
    "Identity": _identity,
    "IsInf": _is_inf,
    "IsNaN": _is_nan,
    "Less": _compare("LESS"),
    "LessOrEqual": _compare("LESS_EQUAL"),
    "Log": _plain_unary("LOG"),
    "Max": _variadic("MAXIMUM"),
    "Mean": _mean,
    "Min": _variadic("MINIMUM"),
    "Mod": _modulo,
    "Mul": _arithmetic("MUL"),
    "Neg": _plain_unary("NEG"),
    "Not": _plain_unary("LOGICAL_NOT"),
    "Or": _logical("LOGICAL_OR"),
    "Reciprocal": _reciprocal,
    "Round": _plain_unary("ROUND"),
    "Sign": _plain_unary("SIGN"),
    "Sin": _plain_unary("SIN"),
    "Sqrt": _plain_unary("SQRT"),
    "Sub": _arithmetic("SUB"),
    "Sum": _variadic("ADD"),
    "Where": _where,
    "Xor": _xor,
}
