"""The .tflite graph in the making: tensors and ops as frozen values, in execution order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Quantization


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the file.

    Attributes:
        origin: where in the source it comes from: a module path, a node or a value.
        shape: extents, all known.
        dtype: numpy's name.
        data: the values of a constant, in ``shape`` and ``dtype``; None otherwise.
        quantization: of an integer tensor that stands for real values.
    """

    origin: str
    shape: tuple[int, ...]
    dtype: str
    data: npt.NDArray[Any] | None = field(default=None, repr=False)
    quantization: Quantization | None = None

    @property
    def size(self) -> int:
        """Number of elements; 1 for a scalar."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Op:
    """One op: ``kind`` as TFLite calls it (``CONV_2D``), absent inputs None, options by their schema's names.

    An option may be a :class:`Graph`: the writer makes a subgraph of it and puts its number there.
    """

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> Tensor:
        """The first result."""
        return self.outputs[0]

    def reading(self, *inputs: Tensor | None) -> Op:
        """The same op on other inputs."""
        return replace(self, inputs=inputs)

    def making(self, *outputs: Tensor) -> Op:
        """The same op with other results."""
        return replace(self, outputs=outputs)

    def having(self, **options: Any) -> Op:
        """The same op with some options changed."""
        return replace(self, options={**self.options, **options})


@dataclass(frozen=True, eq=False)
class Graph:
    """A subgraph: ops in execution order; constants are found through the ops that read them."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    ops: tuple[Op, ...]

    def users(self) -> dict[Tensor, list[Op]]:
        """The ops that read each tensor, in order."""
        found: dict[Tensor, list[Op]] = {}
        for op in self.ops:
            for tensor in op.inputs:
                if tensor is not None:
                    found.setdefault(tensor, []).append(op)
        return found

    def producers(self) -> dict[Tensor, Op]:
        """The op that makes each tensor."""
        return {tensor: op for op in self.ops for tensor in op.outputs}


_WITH_GRAPHS = frozenset({"IF", "WHILE"})


def inner_graphs(op: Op) -> list[tuple[str, Graph]]:
    """The subgraphs among an op's options, by option."""
    if op.kind not in _WITH_GRAPHS:
        return []
    return [(name, value) for name, value in op.options.items() if isinstance(value, Graph)]


def with_ops(graph: Graph, ops: Iterable[Op], renamed: Mapping[Tensor, Tensor] | None = None) -> Graph:
    """The graph with other ops, in which every reader of a key of ``renamed`` reads its value."""
    final = _settled(renamed or {})
    if not final:
        return replace(graph, ops=tuple(ops))
    changed = tuple(_rerouted(op, final) for op in ops)
    return replace(graph, ops=changed, outputs=tuple(final.get(t, t) for t in graph.outputs))


def _settled(renamed: Mapping[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    final = {}
    for old, new in renamed.items():
        while new in renamed:
            new = renamed[new]  # noqa: PLW2901 - chains are followed to their end
        final[old] = new
    return final


def _rerouted(op: Op, renamed: Mapping[Tensor, Tensor]) -> Op:
    if not any(tensor in renamed for tensor in op.inputs):
        return op
    return op.reading(*(renamed.get(t, t) if t is not None else None for t in op.inputs))


def everywhere(rewrite: Callable[[Graph], Graph]) -> Callable[[Graph], Graph]:
    """A pass that also goes through the bodies of loops and branches."""
    return partial(_through, rewrite)


# No function inside a function: one that calls itself is a circle, and holds the graph until the collector comes.
def _through(rewrite: Callable[[Graph], Graph], graph: Graph) -> Graph:
    if not any(op.kind in _WITH_GRAPHS for op in graph.ops):
        return rewrite(graph)
    ops = []
    for op in graph.ops:
        inner = {name: _through(rewrite, body) for name, body in inner_graphs(op)}
        ops.append(op.having(**inner) if inner else op)
    return rewrite(replace(graph, ops=tuple(ops)))
