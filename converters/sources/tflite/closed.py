"""A .tflite of open sizes, laid out for those it has been given.

Before: an input of ``[?, 44032]``; ``SHAPE``, ``STRIDED_SLICE``, ``PACK`` and the like compute sizes from it at each
run, and what is laid out by them has a placeholder for a shape. After: sizes are constants, the ops that computed them
are gone, and every tensor has the shape that the engine gives it. What depends on data stays open: an engine that is
told a size for it writes beyond its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import GraphEdit, add_buffer
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.checks.memory.homes import SIZED_BY
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.seeded_inputs import seeded_inputs

_SIZES = frozenset({"int32", "int64", "bool"})
_MOST = 1024
_SIZED_BY = {**SIZED_BY, "RESHAPE": (1,), "RFFT2D": (1,)}
# Shapes that no operand tells, of what was found in data or in other subgraphs: the file's word is all there is.
_UNTOLD = frozenset({"CALL", "CUSTOM", "IF", "READ_VARIABLE", "UNIQUE", "WHERE", "WHILE"})
_DRAWN = frozenset({"BUCKETIZE", "MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM"})
_ASKED = frozenset({"RANK", "SHAPE"})


def closed(content: bytes, path: Path) -> bytes:
    """A copy of a file whose sizes are all known but those that depend on data.

    Args:
        content: the file, its inputs laid out for the shapes wanted.
        path: where it lies; it is run once there, on seeded inputs.

    Raises:
        ModelError: the engine refuses it.
    """
    graph = parse_artifact(content).main
    root, _ = parse_tree(content, path=path)
    runner = Runner(path, preserve_all_tensors=True)
    runner.run(seeded_inputs(runner.artifact)[0])
    sizes = _Sizes(graph)
    for index in sizes.sure:
        values = runner.tensor(index)
        if values is not None:
            _lay_out(root.subgraphs[0].tensors[index], values)
    edit = GraphEdit(root)
    for op in (op for op in graph.ops if sizes.known.issuperset(op.outputs)):
        made = {index: runner.tensor(index) for index in op.outputs}
        if all(_is_size(graph, index, values) for index, values in made.items()):
            edit.remove(op.index)
            for index, values in made.items():
                _store(root, index, values)
    edit.finish()
    return pack_tree(root)


class _Sizes:
    """What can be said of tensors before any data is there.

    Attributes:
        sure: tensors whose shape is known.
        known: those whose values are.
    """

    def __init__(self, graph: Subgraph) -> None:
        stored = {tensor.index for tensor in graph.tensors if tensor.is_stored}
        self.known = set(stored)
        self.sure = {*graph.inputs, *stored}
        for op in graph.ops:
            read = {index for index in op.inputs if index >= 0}
            told = {op.inputs[place] for place in _SIZED_BY.get(op.name, ()) if place < len(op.inputs)}
            if op.name in _UNTOLD:
                self.sure |= {index for index in op.outputs if -1 not in graph.tensors[index].shape_signature}
            elif read <= self.sure and told <= self.known:
                self.sure |= set(op.outputs)
                if op.name in _ASKED or (read <= self.known and op.name not in _DRAWN):
                    self.known |= set(op.outputs)
        self.sure -= stored
        self.known -= stored


def _is_size(graph: Subgraph, index: int, values: npt.NDArray[Any] | None) -> bool:
    """Whether a tensor holds sizes, and not values that are large or the file's own result."""
    dtype = graph.tensors[index].dtype
    return values is not None and dtype in _SIZES and values.size <= _MOST and index not in graph.outputs


def _lay_out(tensor: Node, values: npt.NDArray[Any]) -> None:
    tensor.shape = np.array(values.shape, np.int32)
    tensor.shape_signature = None


def _store(root: Node, index: int, values: npt.NDArray[Any] | None) -> None:
    assert values is not None
    root.subgraphs[0].tensors[index].buffer = add_buffer(root, values)
