"""RESHAPE and TRANSPOSE that undo, repeat or follow each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, with_ops

_MOVES = frozenset({"RESHAPE", "TRANSPOSE"})


def cancel_moves(graph: Graph) -> Graph:
    """Before: ``a = RESHAPE(x, s); y = RESHAPE(a, t)``, or two TRANSPOSE, or the same move of one tensor twice.

    After: ``y = RESHAPE(x, t)``; one TRANSPOSE by both permutations; the first of equal moves; nothing where the
    result is ``x`` itself.
    """
    walk = _Moves(graph)
    ops = [op for op in map(walk.step, graph.ops) if op is not None]
    return with_ops(graph, ops, walk.renamed)


class _Moves:
    def __init__(self, graph: Graph) -> None:
        self._outputs = set(graph.outputs)
        self._inputs = set(graph.inputs)
        self._makers: dict[Tensor, Op] = {}
        self._seen: dict[tuple[object, ...], Tensor] = {}
        self.renamed: dict[Tensor, Tensor] = {}

    def step(self, op: Op) -> Op | None:
        """The op as it is after all before it, or None where it is gone."""
        op = op.reading(*(self._now(t) if t is not None else None for t in op.inputs))
        if op.kind in _MOVES:
            op = self._joined(op)
            if (found := self._same_as(op)) is not None and self._may_go(op.output, found):
                self.renamed[op.output] = found
                return None
        for tensor in op.outputs:
            self._makers[tensor] = op
        return op

    def _now(self, tensor: Tensor) -> Tensor:
        return self.renamed.get(tensor, tensor)

    def _may_go(self, gone: Tensor, kept: Tensor) -> bool:
        """An output of the graph stays an output of its own."""
        own = kept.data is None and kept not in self._inputs and kept not in self._outputs
        return own or gone not in self._outputs

    def _joined(self, op: Op) -> Op:
        source = op.inputs[0]
        while source is not None and (maker := self._makers.get(source)) is not None and maker.kind == op.kind:
            op = _JOINED[op.kind](maker, op)
            source = op.inputs[0]
        return op

    def _same_as(self, op: Op) -> Tensor | None:
        """A tensor that is already what the op would make."""
        source, argument = op.inputs[:2]
        if source is None or argument is None or argument.data is None:
            return None
        numbers = tuple(int(v) for v in argument.data)
        if op.kind == "RESHAPE" and source.shape == op.output.shape:
            return source
        if op.kind == "TRANSPOSE" and numbers == tuple(range(len(numbers))):
            return source
        key = (op.kind, source, numbers)
        found = self._seen.setdefault(key, op.output)
        return None if found is op.output else found


def _reshape_after_reshape(first: Op, second: Op) -> Op:
    return second.reading(first.inputs[0], second.inputs[1])


def _transpose_after_transpose(first: Op, second: Op) -> Op:
    one, other = first.inputs[1], second.inputs[1]
    if one is None or other is None or one.data is None or other.data is None:
        return second
    data = np.ascontiguousarray(one.data[other.data])
    return second.reading(first.inputs[0], Tensor(other.origin, data.shape, "int32", data))


_JOINED: dict[str, Callable[[Op, Op], Op]] = {
    "RESHAPE": _reshape_after_reshape,
    "TRANSPOSE": _transpose_after_transpose,
}
