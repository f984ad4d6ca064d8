"""RELU_0_TO_1 of an integer file as QUANTIZE: XNNPACK has no kernel of it, neither in integers nor in float.

Before: ``CONV_2D -> RELU_0_TO_1 -> MUL``, all int8. After: ``CONV_2D -> QUANTIZE -> MUL``: a tensor whose 256 values
end at 0 and 1 holds nothing else, so that what is beyond comes out as one of the two. Where the result has another
scale, a second QUANTIZE follows.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree

KIND = "RELU_0_TO_1"
_LOWEST = {"int8": -128, "uint8": 0}
_LEVELS = 255


def with_quantized_clamps(data: bytes) -> tuple[bytes, int]:
    """A copy of an integer file without RELU_0_TO_1, and how many there were; ``data`` itself where there are none."""
    graph = parse_artifact(data).main
    found = [op for op in graph.ops if op.name == KIND and _on_eight_bits(graph, op)]
    if not found:
        return data, 0
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for op in found:
        _rewrite(graph, op, edit, root)
    edit.finish()
    return pack_tree(root), len(found)


def _on_eight_bits(graph: Subgraph, op: Op) -> bool:
    tensors = [graph.tensors[index] for index in (op.inputs[0], op.outputs[0])]
    return all(t.dtype in _LOWEST and t.quantization and not t.quantization.per_channel for t in tensors)


def _rewrite(graph: Subgraph, op: Op, edit: GraphEdit, root: Node) -> None:
    result = graph.tensors[op.outputs[0]]
    if _ends_at_one(result):
        edit.become(op.index, "QUANTIZE", op.inputs[:1])
        return
    between = edit.add_tensor(result.index, f"{result.name}_clamped")
    root.subgraphs[0].tensors[between].quantization = new_node(
        schema(),
        "QuantizationParameters",
        scale=np.array([1 / _LEVELS], np.float32),
        zero_point=np.array([_LOWEST[result.dtype]], np.int64),
    )
    edit.become(op.index, "QUANTIZE", op.inputs[:1])
    edit.write(op.index, [between])
    edit.put_after(op.index, "QUANTIZE", [between], [result.index])


def _ends_at_one(tensor: Tensor) -> bool:
    """Whether a tensor's lowest value is 0, and its highest within half a step of 1 or below."""
    known = tensor.quantization
    if known is None or known.zero_point[0] != _LOWEST[tensor.dtype]:
        return False
    return _LEVELS * known.scale[0] <= 1 + known.scale[0] / 2
