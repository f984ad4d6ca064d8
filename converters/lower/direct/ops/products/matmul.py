"""Products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.fitting import contradiction
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import reduced, with_axis, without_axes
from edge_sdk.converters.lower.direct.value import Order, Value, identity


def _matmul(builder: Builder, node: Node) -> Value:
    return matmul(builder, node.input(0), node.input(1))


def matmul(builder: Builder, a: Value, b: Value) -> Value:
    """``numpy.matmul``: FULLY_CONNECTED where the right side is a constant matrix, else BATCH_MATMUL."""
    if a.rank == 1:
        return without_axes(builder, matmul(builder, with_axis(builder, a, 0), b), [-2])
    if b.rank == 1:
        return without_axes(builder, matmul(builder, a, with_axis(builder, b, 1)), [-1])
    _must_fit(builder, a, b)
    if not a.dtype.startswith("float"):
        return _of_integers(builder, a, b)
    if b.is_constant and b.rank == 2 and not a.is_constant:
        return dense(builder, a, _turned(b), None)
    return _batch_matmul(builder, a, b)


def _must_fit(builder: Builder, a: Value, b: Value) -> None:
    if a.shape[-1] != b.shape[-2]:
        raise contradiction(builder.origin, [a.shape, b.shape], "are no factors of a product")


def _of_integers(builder: Builder, a: Value, b: Value) -> Value:
    """Products ``[..., M, K, N]``, summed: the kernels of matrices know reals, which would round."""
    rows = with_axis(builder, a, a.rank)
    columns = with_axis(builder, b, b.rank - 2)
    return reduced(builder, binary(builder, "MUL", [rows, columns]), "SUM", [-2], keep=False)


def dense(builder: Builder, x: Value, weights: Value, bias: Tensor | None) -> Value:
    """FULLY_CONNECTED over the last axis of the source.

    Args:
        builder: what makes ops.
        x: ``[..., K]``.
        weights: ``[N, K]``, constant.
        bias: ``[N]`` or None.
    """
    order = axis_last(x, x.rank - 1)
    tensor = builder.arranged(x, order)
    shape = (*tensor.shape[:-1], weights.shape[0])
    made = builder.emit(
        "FULLY_CONNECTED", [tensor, builder.arranged(weights), bias], shape, keep_num_dims=len(shape) != 2
    )
    return Value(made, order, x.spatial)


def axis_last(x: Value, axis: int) -> Order:
    """The value's own order, but for one of the source's axes that comes last."""
    return (*(other for other in x.order if other != axis), axis)


def _batch_matmul(builder: Builder, a: Value, b: Value) -> Value:
    """BATCH_MATMUL; of ``A B`` and ``(B' A')'`` the one that needs fewer TRANSPOSE as the operands are held."""
    rank = max(a.rank, b.rank)
    if a.rank == b.rank and _is_better_swapped(builder, a, b):
        made = _product(builder, _swapped(b), _swapped(a))
        return Value(made, (*range(rank - 2), rank - 1, rank - 2))
    return Value(_product(builder, a, b), identity(rank))


def _is_better_swapped(builder: Builder, a: Value, b: Value) -> bool:
    """Equal costs are decided by how both are held: what reads the product wants it so as well."""
    straight, turned = _transposes(builder, a, b), _transposes(builder, _swapped(b), _swapped(a))
    both = all(value.rank > 1 and value.place(-1) < value.place(-2) for value in (a, b))
    return turned < straight or (turned == straight and both)


def _transposes(builder: Builder, left: Value, right: Value) -> int:
    """How many operands must be turned: the left one comes in order, the right one also with its last axes swapped."""
    plain = identity(right.rank)
    either = any(builder.is_free(right, order) for order in (plain, _last_two_swapped(plain)))
    return (not builder.is_free(left, identity(left.rank))) + (not either)


def _swapped(x: Value) -> Value:
    """The last two axes of the source swapped, without an op."""
    names = _last_two_swapped(identity(x.rank))
    return Value(x.tensor, tuple(names[axis] for axis in x.order))


def _last_two_swapped(order: Order) -> Order:
    return (*order[:-2], order[-1], order[-2])


def _product(builder: Builder, a: Value, b: Value) -> Tensor:
    """In the source's order."""
    left = builder.arranged(a)
    right, transposed = _right(builder, b)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    if len(batch) > _BATCH_AXES and right.size == shape[-1] * a.shape[-1]:
        return builder.reshaped(_by_rows(builder, left, right, transposed=transposed), shape)
    if len(batch) > _BATCH_AXES:
        left, right = (_one_batch(builder, tensor, batch) for tensor in (left, right))
        flat = (int(np.prod(batch)), *shape[-2:])
        made = builder.emit("BATCH_MATMUL", [left, right], flat, adj_x=False, adj_y=transposed)
        return builder.reshaped(made, shape)
    return builder.emit("BATCH_MATMUL", [left, right], shape, adj_x=False, adj_y=transposed)


def _by_rows(builder: Builder, left: Tensor, right: Tensor, *, transposed: bool) -> Tensor:
    """One matrix for all: their rows are one axis."""
    matrix = builder.reshaped(right, right.shape[-2:])
    rows = builder.reshaped(left, (left.size // left.shape[-1], left.shape[-1]))
    shape = (rows.shape[0], matrix.shape[-2 if transposed else -1])
    return builder.emit("BATCH_MATMUL", [rows, matrix], shape, adj_x=False, adj_y=transposed)


# TFLite's kernel takes three batch axes.
_BATCH_AXES = 3


def _right(builder: Builder, b: Value) -> tuple[Tensor, bool]:
    """The right operand, and whether its last axes are swapped: where it is held so, the op reads it so.

    What must be turned anyway keeps its innermost axis, as the left operand's does: one TRANSPOSE then serves both.
    """
    swapped = _last_two_swapped(identity(b.rank))
    if builder.is_free(b, identity(b.rank)) or (b.place(-1) > b.place(-2) and not builder.is_free(b, swapped)):
        return builder.arranged(b), False
    return builder.arranged(b, swapped), True


def _one_batch(builder: Builder, tensor: Tensor, batch: Sequence[int]) -> Tensor:
    whole = (*batch, *tensor.shape[-2:])
    if tensor.shape != whole:
        tensor = builder.emit("BROADCAST_TO", [tensor, builder.constant(whole, "int32")], whole)
    return builder.reshaped(tensor, (int(np.prod(batch)), *tensor.shape[-2:]))


def _gemm(builder: Builder, node: Node) -> Value:
    """``alpha * A' B' + beta * C``."""
    a, b = node.input(0), node.input(1)
    alpha, beta = float(node.attribute("alpha", 1.0)), float(node.attribute("beta", 1.0))
    a = _turned(a) if node.attribute("transA", 0) else a
    b = _turned(b) if node.attribute("transB", 0) else b
    c = node.input(2) if node.given(2) else None
    _must_fit(builder, a, b)
    if not a.dtype.startswith("float"):
        return _gemm_of_integers(builder, (a, b, c), alpha, beta)
    if b.is_constant and not a.is_constant:
        weights = _turned(b if alpha == 1 else builder.fixed((b.data * np.float32(alpha)).astype(b.dtype)))
        bias = _as_bias(builder, c, beta, b.shape[1])
        made = dense(builder, a, weights, bias)
        return made if c is None or bias is not None else _plus(builder, made, c, beta)
    made = _batch_matmul(builder, a, b)
    if alpha != 1:
        made = binary(builder, "MUL", [made, scalar(builder, alpha, made)])
    return made if c is None else _plus(builder, made, c, beta)


def _gemm_of_integers(builder: Builder, values: tuple[Value, Value, Value | None], alpha: float, beta: float) -> Value:
    a, b, c = values
    if not (alpha.is_integer() and beta.is_integer()):
        raise NoFormError(f"integers with the factors alpha {alpha:g} and beta {beta:g}")
    made = _of_integers(builder, a, b)
    made = made if alpha == 1 else binary(builder, "MUL", [made, scalar(builder, alpha, made)])
    return made if c is None else _plus(builder, made, c, beta)


def _turned(x: Value) -> Value:
    """A matrix transposed, without an op."""
    return Value(x.tensor, tuple(1 - axis for axis in x.order))


def _as_bias(builder: Builder, c: Value | None, beta: float, channels: int) -> Tensor | None:
    if c is None or not c.is_constant or (c.rank > 1 and c.shape[0] != 1):
        return None
    return builder.constant(np.broadcast_to(c.data.reshape(-1) * np.float32(beta), (channels,)).astype(c.dtype))


def _plus(builder: Builder, x: Value, c: Value, beta: float) -> Value:
    scaled = c if beta == 1 else binary(builder, "MUL", [c, scalar(builder, beta, c)])
    return binary(builder, "ADD", [x, scaled])


OPS = {"Gemm": _gemm, "MatMul": _matmul}
