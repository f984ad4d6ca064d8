"""HARD_SWISH of a file without float in integer ops that XNNPACK takes.

Before: ``HARD_SWISH(x)``, int8, which XNNPACK leaves to TFLite's own kernel. After: ``MUL(x, ADD(MUL(x, 1/6), 1/2))``:
the first product has the integers of ``x`` themselves, with a sixth of its scale; the sum's 256 values end at 0 and 1,
which clamps it; so that what is rounded beside the result is the gate, to half a step of 1/255.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree

KIND = "HARD_SWISH"
_LARGEST, _LOWEST, _LEVELS = 127, -128, 255


def with_integer_swishes(data: bytes) -> tuple[bytes, int]:
    """A copy of an integer file without int8 HARD_SWISH, and how many there were; ``data`` itself where none."""
    graph = parse_artifact(data).main
    found = [op for op in graph.ops if op.name == KIND and _is_int8(graph, op)]
    if not found:
        return data, 0
    root, _ = parse_tree(data)
    writer = _Writer(graph, root)
    for op in found:
        writer.write(op)
    writer.edit.finish()
    return pack_tree(root), len(found)


def _is_int8(graph: Subgraph, op: Op) -> bool:
    tensors = [graph.tensors[index] for index in (op.inputs[0], op.outputs[0])]
    return all(t.dtype == "int8" and t.quantization and not t.quantization.per_channel for t in tensors)


class _Writer:
    def __init__(self, graph: Subgraph, root: Node) -> None:
        self._graph = graph
        self._root = root
        self.edit = GraphEdit(root)
        self._sixth = self._constant(1 / 6, "sixth")
        self._half = self._constant(1 / 2, "half")

    def write(self, op: Op) -> None:
        x = self._graph.tensors[op.inputs[0]]
        known = x.quantization
        if known is None:
            raise ValueError(f"`{x.name}` has no scale")
        name = self._graph.tensors[op.outputs[0]].name
        part = self._value(x.index, f"{name}_sixth", known.scale[0] / 6, known.zero_point[0])
        gate = self._value(x.index, f"{name}_gate", 1 / _LEVELS, _LOWEST)
        self.edit.put_before(op.index, "MUL", [x.index, self._sixth], [part])
        self.edit.put_before(op.index, "ADD", [part, self._half], [gate])
        self.edit.become(op.index, "MUL", (x.index, gate))

    def _value(self, like: int, name: str, scale: float, zero_point: int) -> int:
        index = self.edit.add_tensor(like, name)
        self._scaled(index, scale, zero_point)
        return index

    def _constant(self, value: float, name: str) -> int:
        """One number as the largest integer."""
        index = self.edit.add_constant(np.array([_LARGEST], np.int8), name)
        self._scaled(index, value / _LARGEST, 0)
        return index

    def _scaled(self, index: int, scale: float, zero_point: int) -> None:
        self._root.subgraphs[0].tensors[index].quantization = new_node(
            schema(),
            "QuantizationParameters",
            scale=np.array([scale], np.float32),
            zero_point=np.array([zero_point], np.int64),
        )
