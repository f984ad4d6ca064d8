"""Sums of products over named axes, as one product of matrices for each pair of operands."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import reduced, with_axis, without_axes
from edge_sdk.converters.lower.direct.ops.moving.gather import gather, strides_of
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.shape import transpose
from edge_sdk.converters.lower.direct.ops.products.matmul import matmul
from edge_sdk.converters.lower.direct.value import Value

Form = Callable[[Builder, Node], Value]


@dataclass(frozen=True, eq=False)
class _Term:
    """A value whose axes have letters."""

    value: Value
    letters: str

    def extent(self, letter: str) -> int:
        return self.value.shape[self.letters.index(letter)]


def _einsum(builder: Builder, node: Node) -> Value:
    operands = [value for value in node.inputs if value is not None]
    inputs, output = parsed(str(node.attribute("equation")), [value.rank for value in operands])
    terms = [_diagonal(builder, _Term(value, names)) for value, names in zip(operands, inputs, strict=True)]
    made = terms[0]
    for place, term in enumerate(terms[1:], 2):
        later = output + "".join(other.letters for other in terms[place:])
        made = _product(builder, _summed(builder, made, term.letters + later), term, later)
    made = _summed(builder, made, output)
    return transpose(made.value, [made.letters.index(letter) for letter in output])


def parsed(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Letters of each operand's axes and of the result's; an ellipsis becomes letters that the equation has not.

    Args:
        equation: ONNX's, with or without ``->``.
        ranks: of the operands.

    Raises:
        NoFormError: it does not fit the operands.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    names = left.split(",")
    if len(names) != len(ranks):
        raise NoFormError(f"the equation `{equation}` names {len(names)} operands, and there are {len(ranks)}")
    hidden = [
        rank - len(name.replace("...", "")) if "..." in name else 0 for name, rank in zip(names, ranks, strict=True)
    ]
    spare = [letter for letter in string.ascii_letters if letter not in equation][: max(hidden)]
    # Axes of an ellipsis are matched from the last.
    inputs = [name.replace("...", "".join(spare[len(spare) - n :])) for name, n in zip(names, hidden, strict=True)]
    if any(len(name) != rank for name, rank in zip(inputs, ranks, strict=True)):
        raise NoFormError(f"the equation `{equation}` does not fit operands with {list(ranks)} axes")
    if arrow:
        return inputs, right.replace("...", "".join(spare))
    once = sorted(letter for letter in set("".join(names)) if left.count(letter) == 1 and letter != ".")
    return inputs, "".join(spare) + "".join(once)


def _diagonal(builder: Builder, term: _Term) -> _Term:
    """Axes with one letter become one: the elements whose places on them are equal."""
    for letter in dict.fromkeys(term.letters):
        axes = [i for i, own in enumerate(term.letters) if own == letter]
        if len(axes) > 1:
            term = _merged(builder, term, axes)
    return term


def _merged(builder: Builder, term: _Term, axes: Sequence[int]) -> _Term:
    shape = term.value.shape
    others = [axis for axis in range(len(shape)) if axis not in axes]
    first = transpose(term.value, [*axes, *others])
    extents = [shape[axis] for axis in axes]
    flat = reshape(builder, first, (int(np.prod(extents)), *(shape[axis] for axis in others)))
    places = np.arange(min(extents)) * sum(strides_of(extents))
    letters = term.letters[axes[0]] + "".join(term.letters[axis] for axis in others)
    return _Term(gather(builder, flat, builder.fixed(places), 0), letters)


def _summed(builder: Builder, term: _Term, kept: str) -> _Term:
    """Summed over the letters that nobody asks for."""
    gone = [i for i, letter in enumerate(term.letters) if letter not in kept]
    value = reduced(builder, term.value, "SUM", gone, keep=False) if gone else term.value
    return _Term(value, "".join(letter for letter in term.letters if letter in kept))


def _product(builder: Builder, a: _Term, b: _Term, later: str) -> _Term:
    """Of two operands: letters of both that come later stand beside the matrices, those that do not are summed."""
    b = _summed(builder, b, a.letters + later)
    a, b = _broadcast(builder, a, b), _broadcast(builder, b, a)
    both = [letter for letter in a.letters if letter in b.letters]
    inner = "".join(letter for letter in both if letter not in later)
    beside = "".join(letter for letter in both if letter in later)
    rows = "".join(letter for letter in a.letters if letter not in both)
    columns = "".join(letter for letter in b.letters if letter not in both)
    if not inner or not a.value.dtype.startswith("float"):
        return _summed(builder, _outer(builder, a, b), later)
    sizes = {**{letter: b.extent(letter) for letter in b.letters}, **{letter: a.extent(letter) for letter in a.letters}}
    left = _grouped(builder, a, [*beside, rows, inner])
    right = _grouped(builder, b, [*beside, inner, columns])
    made = matmul(builder, left, right)
    letters = beside + rows + columns
    return _Term(reshape(builder, made, [sizes[letter] for letter in letters]), letters)


def _broadcast(builder: Builder, term: _Term, other: _Term) -> _Term:
    """Without axes of extent 1 that the other operand has wider: those of an ellipsis."""
    shared = [i for i, letter in enumerate(term.letters) if letter in other.letters]
    gone = [i for i in shared if term.value.shape[i] == 1 != other.extent(term.letters[i])]
    if not gone:
        return term
    letters = "".join(letter for i, letter in enumerate(term.letters) if i not in gone)
    return _Term(without_axes(builder, term.value, gone), letters)


def _grouped(builder: Builder, term: _Term, groups: Sequence[str]) -> Value:
    """The letters of each group as one axis, in order."""
    value = transpose(term.value, [term.letters.index(letter) for group in groups for letter in group])
    extents = [int(np.prod([term.extent(letter) for letter in group], dtype=np.int64)) for group in groups]
    return reshape(builder, value, extents)


def _outer(builder: Builder, a: _Term, b: _Term) -> _Term:
    """All letters of both, by broadcasting."""
    letters = a.letters + "".join(letter for letter in b.letters if letter not in a.letters)
    values = [_spread(builder, term, letters) for term in (a, b)]
    return _Term(binary(builder, "MUL", values), letters)


def _spread(builder: Builder, term: _Term, letters: str) -> Value:
    own = [letter for letter in letters if letter in term.letters]
    value = transpose(term.value, [term.letters.index(letter) for letter in own])
    for axis, letter in enumerate(letters):
        if letter not in term.letters:
            value = with_axis(builder, value, axis)
    return value


OPS: dict[str, Form] = {"Einsum": _einsum}
