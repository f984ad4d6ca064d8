"""Constant factors of BATCH_MATMUL with one scale: TFLite's kernel reads one, whatever the file says."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.apart import real_constant
from edge_sdk.artifact.edit import enum_value
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree


def with_single_scales(data: bytes) -> bytes:
    """A copy in which int8 constants have one scale where a BATCH_MATMUL reads them; ``data`` itself where they have.

    A constant that layers read as their weights too has a scale for each row, and ``batch_matmul.cc`` multiplies with
    the first of them (the matrix of a Fourier transform in a pitch detector: 73 steps off, and its output constant).
    """
    graph = parse_artifact(data).main
    factors = sorted({i for op in graph.ops if op.name == "BATCH_MATMUL" for i in op.inputs if _is_by_row(graph, i)})
    if not factors:
        return data
    root, _ = parse_tree(data)
    own = {index: _add(root, graph.tensors[index]) for index in factors}
    for op in graph.ops:
        if op.name == "BATCH_MATMUL":
            node = root.subgraphs[0].operators[op.index]
            node.inputs = np.array([own.get(index, index) for index in op.inputs], np.int32)
    return pack_tree(root)


def _is_by_row(graph: Subgraph, index: int) -> bool:
    tensor = graph.tensors[index]
    return (
        tensor.dtype == "int8"
        and tensor.is_stored
        and tensor.quantization is not None
        and tensor.quantization.per_channel
    )


def _add(root: Node, tensor: Tensor) -> int:
    """The tensor once more, rounded to one scale; its index."""
    values = real_constant(tensor)
    scale = float(np.max(np.abs(values), initial=0.0)) / 127 or 1.0
    stored = np.round(values / scale).astype(np.int8)
    root.buffers.append(new_node(schema(), "Buffer", data=np.frombuffer(stored.tobytes(), np.uint8)))
    tensors = root.subgraphs[0].tensors
    quantization = new_node(schema(), "QuantizationParameters", scale=[scale], zero_point=[0])
    name, buffer, type_code = f"{tensor.name}/factor", len(root.buffers) - 1, enum_value("TensorType", "INT8")
    tensors.append(
        new_node(
            schema(),
            "Tensor",
            name=name,
            shape=list(tensor.shape),
            type=type_code,
            buffer=buffer,
            quantization=quantization,
        )
    )
    return len(tensors) - 1
