"""Weights stored in float16, in the form that TFLite's converter writes and the GPU delegate folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import add_operator_code, new_operator
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.schema import Schema, schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import kept_ops
from edge_sdk.findings import Finding
from edge_sdk.recipe import recipe_from_json

_LARGEST = float(np.finfo(np.float16).max)
# DEQUANTIZE reads float16 since version 3 of the op.
_DEQUANTIZE_VERSION = 3
_FLOAT32, _FLOAT16 = 0, 1


def quantize(path: str, target: str, recipe: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Rewrites constants as float16 behind a DEQUANTIZE; needs no samples.

    Before: ``CONV_2D(x, w: float32)``. After: ``w32 = DEQUANTIZE(w: float16); CONV_2D(x, w32)``.

    Single values stay float32, for they save nothing; so do constants that no op reads, those that hold a value beyond
    float16's range, with a finding, and those of ops that the recipe keeps.
    """
    data = Path(path).read_bytes()
    artifact = parse_artifact(data)
    spared = {(part.index, index) for part, op in kept_ops(artifact, recipe_from_json(recipe)) for index in op.inputs}
    root = parse_tree(data)[0]
    rewriter = _Rewriter(root, schema())
    for place, node in enumerate(root.subgraphs):
        rewriter.rewrite(node, {tensor for subgraph, tensor in spared if subgraph == place})
    rewriter.drop_unused_buffers()
    Path(target).write_bytes(pack_tree(root))
    return {"tool": "edge-sdk float16 writer", "findings": [f.as_json() for f in rewriter.findings()]}


class _Rewriter:
    def __init__(self, root: Node, facts: Schema) -> None:
        self._root = root
        self._facts = facts
        self._halves: dict[int, int] = {}
        self.too_large: list[str] = []
        self._dequantize: int | None = None

    def rewrite(self, graph: Node, spared: set[int]) -> None:
        made = []
        read = {int(index) for op in graph.operators or [] for index in op.inputs} | {int(i) for i in graph.outputs}
        for index, tensor in enumerate(list(graph.tensors)):
            if index in spared or index not in read or not self._is_candidate(tensor):
                continue
            buffer = self._half_buffer(tensor)
            if buffer is None:
                continue
            half = new_node(
                self._facts,
                "Tensor",
                shape=tensor.shape,
                type=_FLOAT16,
                buffer=buffer,
                name=f"{tensor.name}_float16",
                has_rank=tensor.has_rank,
            )
            graph.tensors.append(half)
            tensor.buffer = 0
            made.append(self._expansion(len(graph.tensors) - 1, index))
        graph.operators = [*made, *(graph.operators or [])]

    def findings(self) -> list[Finding]:
        """What could not be stored in float16."""
        if not self.too_large:
            return []
        message = f"{len(self.too_large)} constants hold values beyond {_LARGEST:.0f} and stay float32"
        return [Finding("float16-out-of-range", "info", message, self.too_large[0])]

    def _is_candidate(self, tensor: Node) -> bool:
        data = self._root.buffers[tensor.buffer].data
        return tensor.type == _FLOAT32 and data is not None and len(data) > 4 and not tensor.is_variable

    def _half_buffer(self, tensor: Node) -> int | None:
        """The buffer with the float16 values, shared where the float32 one was; None where they do not fit."""
        if tensor.buffer not in self._halves:
            values: npt.NDArray[np.float32] = self._root.buffers[tensor.buffer].data.view(np.float32)
            if float(np.max(np.abs(values))) > _LARGEST:
                self.too_large.append(tensor.name)
                return None
            data = values.astype(np.float16).view(np.uint8)
            self._root.buffers.append(new_node(self._facts, "Buffer", data=data))
            self._halves[tensor.buffer] = len(self._root.buffers) - 1
        return self._halves[tensor.buffer]

    def _expansion(self, half: int, full: int) -> Node:
        if self._dequantize is None:
            self._dequantize = add_operator_code(self._root, "DEQUANTIZE", _DEQUANTIZE_VERSION)
        return new_operator(self._dequantize, [half], [full], "DequantizeOptions")

    def drop_unused_buffers(self) -> None:
        """Empties buffers that nothing refers to; indices stay, so that no reference has to change."""
        used = {tensor.buffer for graph in self._root.subgraphs for tensor in graph.tensors}
        used |= {entry.buffer for entry in self._root.metadata or []}
        for index, buffer in enumerate(self._root.buffers):
            if index not in used:
                buffer.data = None
