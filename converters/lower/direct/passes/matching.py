"""What passes ask of a graph, and how they change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, inner_graphs, with_ops

_ROUNDS = 64


class View:
    """Who makes and who reads each tensor of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._users = graph.users()
        self._makers = graph.producers()
        self._kept = set(graph.outputs) | {t for op in graph.ops for _, g in inner_graphs(op) for t in _outer(g)}

    def maker(self, tensor: Tensor | None, *kinds: str) -> Op | None:
        """The op that makes a tensor, if it is of one of the kinds."""
        op = self._makers.get(tensor) if tensor is not None else None
        return op if op is not None and (not kinds or op.kind in kinds) else None

    def readers(self, tensor: Tensor) -> list[Op]:
        """The ops that read it."""
        return self._users.get(tensor, [])

    def is_output(self, tensor: Tensor) -> bool:
        """Whether it must stay: an output, or read by the body of a loop or branch."""
        return tensor in self._kept

    def only_reader(self, tensor: Tensor, *kinds: str) -> Op | None:
        """The one op that reads a tensor, if it is the only one, of one of the kinds, and the tensor may go."""
        users = self.readers(tensor)
        alone = len(users) == 1 and tensor not in self._kept
        return users[0] if alone and (not kinds or users[0].kind in kinds) else None


def _outer(graph: Graph) -> Iterable[Tensor]:
    made = {*graph.inputs, *(t for op in graph.ops for t in op.outputs)}
    yield from (t for op in graph.ops for t in op.inputs if t is not None and t not in made)


def is_constant(tensor: Tensor | None) -> bool:
    """Whether the tensor's numbers are known."""
    return tensor is not None and tensor.data is not None


def numbers(tensor: Tensor | None) -> npt.NDArray[Any] | None:
    """The numbers of a constant."""
    return tensor.data if tensor is not None else None


def scalar(tensor: Tensor | None) -> float | None:
    """The number of a constant with one element."""
    return (
        float(tensor.data.reshape(-1)[0])
        if tensor is not None and tensor.data is not None and tensor.data.size == 1
        else None
    )


def integers(tensor: Tensor | None) -> tuple[int, ...] | None:
    """The numbers of a constant of integers."""
    return tuple(int(v) for v in np.ravel(tensor.data)) if tensor is not None and tensor.data is not None else None


def constant(origin: str, data: npt.ArrayLike, dtype: str = "float32") -> Tensor:
    """A constant of a pass' own."""
    array = np.array(data, dtype, order="C")
    return Tensor(origin, array.shape, dtype, array)


def permuted(tensor: Tensor, permutation: Sequence[int], result: Tensor) -> Op:
    """A TRANSPOSE."""
    return Op("TRANSPOSE", (tensor, constant(result.origin, permutation, "int32")), (result,))


def reshaped(tensor: Tensor, result: Tensor) -> Op:
    """A RESHAPE to the result's shape."""
    shape = constant(result.origin, result.shape, "int32")
    return Op("RESHAPE", (tensor, shape), (result,), {"new_shape": np.array(result.shape, np.int32)})


def split_operands(op: Op) -> tuple[Tensor, Tensor] | None:
    """The running and the constant operand of an op on two tensors, in whatever order; None where it has no such."""
    if len(op.inputs) != 2:
        return None
    first, second = op.inputs
    if first is None or second is None or (first.data is None) == (second.data is None):
        return None
    return (first, second) if second.data is not None else (second, first)


def is_fused(op: Op) -> bool:
    """Whether an activation is part of the op."""
    return bool(op.options.get("fused_activation_function", "NONE") != "NONE")


class Changes:
    """What a pass will change; ops are replaced where they stand."""

    def __init__(self) -> None:
        self._instead: dict[Op, Sequence[Op]] = {}
        self._renamed: dict[Tensor, Tensor] = {}

    def touches(self, *ops: Op | None) -> bool:
        """Whether one of the ops was changed: what was matched on it holds no more."""
        return any(op in self._instead for op in ops if op is not None)

    def replace(self, op: Op, *others: Op) -> None:
        """Other ops in the place of one; none to drop it."""
        self._instead[op] = others

    def rename(self, old: Tensor, new: Tensor) -> None:
        """Readers of one tensor read another."""
        self._renamed[old] = new

    def on(self, graph: Graph) -> Graph:
        """The graph with the changes; the same graph where there are none."""
        if not self._instead and not self._renamed:
            return graph
        ops = [made for op in graph.ops for made in self._instead.get(op, (op,))]
        return with_ops(graph, ops, self._renamed)


Rule = Callable[[View, Op, Changes], None]


def by_rule(graph: Graph, rule: Rule, *kinds: str) -> Graph:
    """Applies a rule to every op of some kinds, until it changes nothing."""
    for _ in range(_ROUNDS):
        view, changes = View(graph), Changes()
        for op in graph.ops:
            if op.kind in kinds and not changes.touches(op):
                rule(view, op, changes)
        after = changes.on(graph)
        if after is graph:
            return graph
        graph = after
    return graph


def by_rules(graph: Graph, rules: Mapping[str, Rule]) -> Graph:
    """Applies the rule of each op's kind, until nothing changes."""

    def rule(view: View, op: Op, changes: Changes) -> None:
        rules[op.kind](view, op, changes)

    return by_rule(graph, rule, *rules)
