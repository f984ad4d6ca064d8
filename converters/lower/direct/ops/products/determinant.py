"""Determinants of small matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import without_axes
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]
_LARGEST = 5


def _determinant(builder: Builder, node: Node) -> Value:
    """By Laplace: minors of the last rows, each of a row more from those of a row less."""
    x = node.input()
    n = x.shape[-1]
    if n > _LARGEST:
        raise NoFormError(
            f"the determinant of {n} x {n} matrices, whose pivots depend on data; compute it outside the model"
        )
    minors: Mapping[tuple[int, ...], Value] = {(column,): _element(builder, x, n - 1, column) for column in range(n)}
    for row in range(n - 2, -1, -1):
        elements = [_element(builder, x, row, column) for column in range(n)]
        minors = {columns: _expanded(builder, elements, minors, columns) for columns in combinations(range(n), n - row)}
    return minors[tuple(range(n))]


def _element(builder: Builder, x: Value, row: int, column: int) -> Value:
    rank = x.rank
    part = sliced(builder, x, {rank - 2: range(row, row + 1), rank - 1: range(column, column + 1)})
    return without_axes(builder, part, [-2, -1])


def _expanded(
    builder: Builder, elements: list[Value], minors: Mapping[tuple[int, ...], Value], columns: tuple[int, ...]
) -> Value:
    made: Value | None = None
    for place, column in enumerate(columns):
        rest = (*columns[:place], *columns[place + 1 :])
        term = binary(builder, "MUL", [elements[column], minors[rest]])
        made = term if made is None else binary(builder, "SUB" if place % 2 else "ADD", [made, term])
    if made is None:
        raise NoFormError("the determinant of matrices without elements")
    return made


OPS: dict[str, Form] = {"Det": _determinant}
