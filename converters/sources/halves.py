"""A float .tflite whose weights are stored in float16, with them in float32."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit, enum_value
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree


def expansions_of_halves(graph: Subgraph) -> list[Op]:
    """The DEQUANTIZE ops that make float32 of a constant in float16."""
    return [
        op
        for op in graph.ops
        if op.name == "DEQUANTIZE"
        and (stored := graph.tensors[op.inputs[0]]).dtype == "float16"
        and stored.constant is not None
    ]


def with_whole_weights(content: bytes) -> bytes:
    """Before: ``w = DEQUANTIZE(float16 constant)``. After: ``w`` is a float32 constant; quantizers look for such.

    Args:
        content: a .tflite; only its main subgraph is changed.
    """
    graph = parse_artifact(content).main
    expanded = expansions_of_halves(graph)
    if not expanded:
        return content
    root, _ = parse_tree(content)
    edit = GraphEdit(root)
    for op in expanded:
        values = graph.tensors[op.inputs[0]].values().astype(np.float32)
        root.buffers.append(new_node(schema(), "Buffer", data=np.frombuffer(values.tobytes(), np.uint8)))
        root.subgraphs[0].tensors[op.outputs[0]].buffer = len(root.buffers) - 1
        edit.remove(op.index)
    edit.finish()
    gone = {op.index for op in expanded}
    read = {index for op in graph.ops if op.index not in gone for index in op.inputs} | set(graph.outputs)
    for index in {op.inputs[0] for op in expanded} - read:
        _empty(root, index)
    return pack_tree(root)


def _empty(root: Node, index: int) -> None:
    """Leaves nothing of a tensor that nobody reads but its place, which others are counted by."""
    tensor = root.subgraphs[0].tensors[index]
    alone = sum(one.buffer == tensor.buffer for graph in root.subgraphs for one in graph.tensors) == 1
    if alone:
        root.buffers[tensor.buffer].data = None
    tensor.buffer, tensor.type = 0, enum_value("TensorType", "FLOAT32")
