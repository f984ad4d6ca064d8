"""Layer, group and instance norms in the form that quantizes well: the mean is subtracted once, and first.

Before, as PyTorch's and Keras' exporters leave it::

    m = MEAN(x)    v = MEAN(SQUARED_DIFFERENCE(x, m))    s = RSQRT(v + eps) * gamma    y = x * s + (beta - m * s)

After::

    m = MEAN(x)    d = x - m    v = MEAN(d * d)    s = RSQRT(v + eps) * gamma    y = d * s + beta

The same in real numbers. In integers the first form rounds two large numbers before it takes their difference, and
XNNPACK has no integer SQUARED_DIFFERENCE, so that it runs in slower kernels and cuts the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph


@dataclass(frozen=True)
class _Affine:
    """``result = x * factor + (beta - mean * factor)``: ``scaled`` is ``x * factor``, ``shift`` the ops of the rest."""

    scaled: Op
    result: Op
    factor: int
    beta: int | None
    shift: tuple[Op, ...]


@dataclass(frozen=True)
class _Norm:
    """What uses a tensor and its mean: squares and differences of the two, and affine forms of them."""

    mean: Op
    squares: tuple[Op, ...]
    differences: tuple[Op, ...]
    affine: tuple[_Affine, ...]

    def ops(self) -> Iterator[Op]:
        """All that a change touches."""
        yield from self.squares
        yield from self.differences
        for one in self.affine:
            yield from (one.scaled, one.result, *one.shift)


def center_norms(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Writes norms anew.

    Args:
        graph: the float graph.
        kept: indices of ops that must stay as they are; a norm with one of them does.
        edit: takes the changes.

    Returns:
        How many norms were changed.
    """
    finder = _Finder(graph)
    found = [norm for op in graph.ops if op.name == "MEAN" and (norm := finder.around(op))]
    changed = [norm for norm in found if not kept & {op.index for op in norm.ops()}]
    for norm in changed:
        _center(graph, norm, edit)
    return len(changed)


def _center(graph: Subgraph, norm: _Norm, edit: GraphEdit) -> None:
    x, mean = norm.mean.inputs[0], norm.mean.outputs[0]
    if norm.differences:
        difference = norm.differences[0].outputs[0]
        edit.move_after(norm.mean.index, norm.differences[0].index)
    else:
        name = f"{graph.tensors[mean].name}_centered"
        difference = edit.insert_after(norm.mean.index, "SUB", (x, mean), like=x, name=name)
    for square in norm.squares:
        edit.become(square.index, "MUL", (difference, difference))
    for one in norm.affine:
        if one.beta is None:
            edit.become(one.result.index, "MUL", (difference, one.factor))
        else:
            edit.read(one.scaled.index, (difference, one.factor))
            edit.read(one.result.index, (one.scaled.outputs[0], one.beta))
        for op in (one.scaled, *one.shift):
            edit.drop_if_unread(op.index)


class _Finder:
    def __init__(self, graph: Subgraph) -> None:
        self._graph = graph
        self._makers = graph.makers
        self._users: dict[int, list[Op]] = {index: [] for index in range(len(graph.tensors))}
        for op in graph.ops:
            for index in set(op.inputs) - {-1}:
                self._users[index].append(op)

    def around(self, mean: Op) -> _Norm | None:
        """The norm that a MEAN belongs to, where it can be written better."""
        if not mean.options.get("keep_dims") or self._graph.tensors[mean.outputs[0]].dtype != "float32":
            return None
        x, m = mean.inputs[0], mean.outputs[0]
        both = [op for op in self._users[x] if m in op.inputs]
        squares = tuple(op for op in both if op.name == "SQUARED_DIFFERENCE")
        differences = tuple(op for op in both if op.name == "SUB" and op.inputs == (x, m) and not is_clipped(op))
        affine = tuple(self._affine(x, m))
        # A difference of its own pays only where it is needed twice.
        worth = affine or (squares and differences)
        return _Norm(mean, squares, differences, affine) if worth else None

    def _affine(self, x: int, mean: int) -> Iterator[_Affine]:
        for scaled in self._users[x]:
            if scaled.name != "MUL" or not self._is_inner(scaled):
                continue
            factor = _other(scaled, x)
            (result,) = self._users[scaled.outputs[0]]
            if result.name == "ADD":
                rest = self._rest(_other(result, scaled.outputs[0]), mean, factor)
                if rest is not None:
                    yield _Affine(scaled, result, factor, *rest)

    def _rest(self, index: int, mean: int, factor: int) -> tuple[int | None, tuple[Op, ...]] | None:
        """``beta`` and the ops of ``beta - m*s``, ``(-m)*s + beta`` or ``(-m)*s``; None for anything else."""
        last = self._makers.get(index)
        if last is None or not self._is_inner(last):
            return None
        if product := self._negated(index, mean, factor):
            return None, product
        if last.name == "SUB" and (product := self._product(last.inputs[1], mean, factor)):
            return last.inputs[0], (last, *product)
        if last.name == "ADD":
            for one, beta in (last.inputs, last.inputs[::-1]):
                if product := self._negated(one, mean, factor):
                    return beta, (last, *product)
        return None

    def _product(self, index: int, one: int, other: int) -> tuple[Op, ...]:
        op = self._makers.get(index)
        found = op is not None and op.name == "MUL" and set(op.inputs) == {one, other} and self._is_inner(op)
        return (op,) if op is not None and found else ()

    def _negated(self, index: int, mean: int, factor: int) -> tuple[Op, ...]:
        """The ops of ``(-mean) * factor``."""
        for user in self._users[mean]:
            if user.name == "MUL" and self._is_minus_one(_other(user, mean)) and not is_clipped(user):
                product = self._product(index, user.outputs[0], factor)
                if product:
                    return (*product, user)
        return ()

    def _is_minus_one(self, index: int) -> bool:
        tensor = self._graph.tensors[index]
        return tensor.constant is not None and tensor.elements == 1 and float(tensor.values().reshape(-1)[0]) == -1

    def _is_inner(self, op: Op) -> bool:
        """Whether one op alone reads the result, as it is."""
        index = op.outputs[0]
        return not is_clipped(op) and len(self._users[index]) == 1 and index not in self._graph.outputs


def is_clipped(op: Op) -> bool:
    """Whether an activation is fused into an op, so that its result is not what the op alone computes."""
    return bool(op.options.get("fused_activation_function"))


def _other(op: Op, index: int) -> int:
    """The operand of a binary op that is not ``index``; ``index`` itself where both are."""
    return op.inputs[1] if op.inputs[0] == index else op.inputs[0]
