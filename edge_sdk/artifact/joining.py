"""Several files as one tree: their main subgraphs side by side in one, not yet linked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.schema import schema

# Options that name a subgraph.
_SUBGRAPH_FIELDS = (
    "subgraph",
    "then_subgraph_index",
    "else_subgraph_index",
    "cond_subgraph_index",
    "body_subgraph_index",
    "init_subgraph_index",
    "decomposition_subgraph_index",
)
_TABLES_APART = 1 << 16


@dataclass(frozen=True)
class Part:
    """Where one file's main subgraph is in the joint one: tensor indices, and the range of its operators."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: range


def entered(root: Node, main: int) -> Node:
    """The tree with one subgraph as its main one, and of the others those that it runs; taken apart.

    Before: entries of several signatures. After: one of them, what it calls, and their buffers alone.
    """
    kept: list[int] = []
    left = [main]
    while left:
        index = left.pop(0)
        if index not in kept:
            kept.append(index)
            left += [called for operator in root.subgraphs[index].operators or [] for called, _, _ in _calls(operator)]
    places = {index: place for place, index in enumerate(kept)}
    root.subgraphs = [root.subgraphs[index] for index in kept]
    buffers = [root.buffers[0]]
    moved = {0: 0}
    for graph in root.subgraphs:
        for operator in graph.operators or []:
            for called, options, name in _calls(operator):
                setattr(options, name, places[called])
        for tensor in graph.tensors or []:
            if tensor.buffer not in moved:
                moved[tensor.buffer] = len(buffers)
                buffers.append(root.buffers[tensor.buffer])
            tensor.buffer = moved[tensor.buffer]
    root.buffers = buffers
    return root


def _calls(operator: Node) -> Iterator[tuple[int, Node, str]]:
    """Subgraphs that an operator runs, and the fields that say so."""
    for options in _options(operator):
        for name in _SUBGRAPH_FIELDS:
            if name in vars(options):
                yield int(getattr(options, name)), options, name


def joined(roots: Sequence[Node]) -> tuple[Node, list[Part]]:
    """One tree of several.

    Before: files with a main subgraph each. After: one main subgraph with all tensors and operators, the subgraphs of
    loops and branches behind it; state by name is each part's own. Its inputs and outputs are left empty, signatures
    and metadata are left out.

    Args:
        roots: trees of :func:`~edge_sdk.artifact.tree.parse_tree`; they are taken apart.
    """
    join = _Join()
    parts = [join.add(root, place) for place, root in enumerate(roots)]
    return join.root, parts


class _Join:
    def __init__(self) -> None:
        self._main = new_node(schema(), "SubGraph", name="main", tensors=[], operators=[], inputs=[], outputs=[])
        self.root = new_node(
            schema(),
            "Model",
            version=3,
            description="edge-sdk",
            operator_codes=[],
            subgraphs=[self._main],
            buffers=[new_node(schema(), "Buffer")],
        )

    def add(self, root: Node, place: int) -> Part:
        buffers, codes = len(self.root.buffers) - 1, len(self.root.operator_codes)
        graphs, tensors = len(self.root.subgraphs) - 1, len(self._main.tensors)
        self.root.buffers += root.buffers[1:]
        self.root.operator_codes += root.operator_codes or []
        for graph in root.subgraphs:
            for tensor in graph.tensors or []:
                tensor.buffer = tensor.buffer + buffers if tensor.buffer else 0
            for operator in graph.operators or []:
                operator.opcode_index += codes
                _shift_options(operator, graphs, place)
        self.root.subgraphs += root.subgraphs[1:]
        return self._add_main(root.subgraphs[0], tensors)

    def _add_main(self, graph: Node, offset: int) -> Part:
        begin = len(self._main.operators)
        for tensor in graph.tensors or []:
            details = tensor.quantization.details if tensor.quantization is not None else None
            if details is not None and details.kind == "BlockwiseQuantization":
                details.scales += offset
        for operator in graph.operators or []:
            operator.inputs = _shifted(operator.inputs, offset)
            operator.outputs = _shifted(operator.outputs, offset)
            operator.intermediates = (
                None if operator.intermediates is None else _shifted(operator.intermediates, offset)
            )
        self._main.tensors += graph.tensors or []
        self._main.operators += graph.operators or []
        inputs, outputs = (tuple(int(i) + offset for i in ends) for ends in (graph.inputs, graph.outputs))
        return Part(inputs, outputs, range(begin, len(self._main.operators)))


def _shift_options(operator: Node, graphs: int, place: int) -> None:
    """Numbers of subgraphs move; names of state and tables become the part's own."""
    for options in _options(operator):
        for name in vars(options).keys() & set(_SUBGRAPH_FIELDS):
            if getattr(options, name) > 0:
                setattr(options, name, getattr(options, name) + graphs)
        if options.kind == "VarHandleOptions":
            options.shared_name = f"{place}/{options.shared_name or ''}"
        if options.kind == "HashtableOptions":
            options.table_id += place * _TABLES_APART


def _options(operator: Node) -> Iterator[Node]:
    for options in (operator.builtin_options, operator.builtin_options_2):
        if options is not None:
            yield options


def _shifted(indices: Any, offset: int) -> Any:
    return np.array([int(i) + offset if i >= 0 else -1 for i in ([] if indices is None else indices)], np.int32)
