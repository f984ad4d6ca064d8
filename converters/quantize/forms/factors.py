"""Constant factors of BATCH_MATMUL with one scale: TFLite's kernel reads one, whatever the file says."""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.apart import real_constant
from edge_sdk.artifact.edit import GraphEdit
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
    edit = GraphEdit(root)
    own = {index: _add(root, edit, graph.tensors[index]) for index in factors}
    for op in graph.ops:
        if op.name == "BATCH_MATMUL":
            edit.read(op.index, [own.get(index, index) for index in op.inputs])
    return pack_tree(root)


def _is_by_row(graph: Subgraph, index: int) -> bool:
    tensor = graph.tensors[index]
    return (
        tensor.dtype == "int8"
        and tensor.is_stored
        and tensor.quantization is not None
        and tensor.quantization.per_channel
    )


def _add(root: Node, edit: GraphEdit, tensor: Tensor) -> int:
    """The tensor once more, rounded to one scale; its index."""
    values = real_constant(tensor)
    scale = float(np.max(np.abs(values), initial=0.0)) / 127 or 1.0
    index = edit.add_constant(np.round(values / scale).astype(np.int8), f"{tensor.name}/factor")
    quantization = new_node(schema(), "QuantizationParameters", scale=[scale], zero_point=[0])
    root.subgraphs[0].tensors[index].quantization = quantization
    return index
