"""Copies of a file for tools that speak of tensors by name, or that are asked about one op alone."""

from __future__ import annotations

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree

COMPILED_OPS = frozenset({"CUSTOM:DISPATCH_OP", "CUSTOM:ethos-u", "CUSTOM:edgetpu-custom-op", "CUSTOM:vsi-npu"})
"""What compilers for NPUs leave in a file in place of the ops that they took."""


def compiled_op(artifact: Artifact) -> str | None:
    """The op that shows that a file was compiled for an NPU already; None where it was not."""
    return next((op.name for _, op in artifact.all_ops() if op.name in COMPILED_OPS), None)


def own_name(subgraph: int, tensor: int) -> str:
    """What :func:`named_apart` calls a tensor."""
    return f"s{subgraph}_t{tensor}"


def named_apart(data: bytes) -> bytes:
    """A copy in which no two tensors share a name: each has :func:`own_name`'s. Signatures keep theirs."""
    root, _ = parse_tree(data)
    for place, graph in enumerate(root.subgraphs):
        for index, tensor in enumerate(graph.tensors or []):
            tensor.name = own_name(place, index)
    return pack_tree(root)


def one_op(data: bytes, graph: Subgraph, op: Op) -> bytes:
    """A file of one op as it stands in a file: constants with their data, other operands as inputs.

    Args:
        data: the file.
        graph: its subgraph that holds the op.
        op: the op.
    """
    root, _ = parse_tree(data)
    source = root.subgraphs[graph.index]
    node = source.operators[op.index]
    used = sorted({index for index in (*op.inputs, *op.outputs) if index >= 0})
    places = {index: place for place, index in enumerate(used)}
    tensors = [source.tensors[index] for index in used]
    buffers = [new_node(schema(), "Buffer")]
    for tensor in tensors:
        buffers.append(root.buffers[tensor.buffer])
        tensor.buffer = len(buffers) - 1
    code = root.operator_codes[node.opcode_index]
    node.opcode_index = 0
    node.inputs = [places.get(index, -1) for index in op.inputs]
    node.outputs = [places.get(index, -1) for index in op.outputs]
    live = [place for index, place in places.items() if index not in op.outputs and not graph.tensors[index].is_stored]
    made = new_node(
        schema(),
        "SubGraph",
        tensors=tensors,
        inputs=live,
        outputs=[places[index] for index in op.outputs if index >= 0],
        operators=[node],
        name="main",
    )
    return pack_tree(_model(code, made, buffers))


def _model(code: Node, graph: Node, buffers: list[Node]) -> Node:
    return new_node(schema(), "Model", version=3, operator_codes=[code], subgraphs=[graph], buffers=buffers)
