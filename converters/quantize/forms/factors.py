"""Constant factors of BATCH_MATMUL with one scale and zero point 0, which is what kernels multiply with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import real_constant
from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree


def with_plain_factors(data: bytes, exact: bytes) -> bytes:
    """A copy in which int8 constants that a BATCH_MATMUL reads have one scale and, as second factors, zero point 0.

    A constant that layers read as their weights too has a scale for each row, and ``batch_matmul.cc`` multiplies with
    the first of them (the matrix of a Fourier transform in a pitch detector: 73 steps off, and its output constant).
    TensorFlow's quantizer rounds other constant factors like activations, with a zero point, which XNNPACK of
    ai-edge-litert 2.1.0 to 2.1.2 takes for 0 (the gates of RecurrentGemma, a matrix for each block).

    Args:
        data: the integer file; it is given back itself where nothing is to be changed.
        exact: the float file that it was made from; constants are rounded once, from its numbers.
    """
    graph = parse_artifact(data).main
    products = [op for op in graph.ops if op.name == "BATCH_MATMUL"]
    factors = {i for op in products for i in op.inputs if _is_by_row(graph, i)}
    factors |= {op.inputs[1] for op in products if _is_off_zero(graph, op.inputs[1])}
    if not factors:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    floats = _factors(parse_artifact(exact).main)
    own = {index: _add(root, edit, graph.tensors[index], floats) for index in sorted(factors)}
    for op in products:
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


def _is_off_zero(graph: Subgraph, index: int) -> bool:
    tensor = graph.tensors[index]
    quantization = tensor.quantization
    return tensor.dtype == "int8" and tensor.is_stored and quantization is not None and any(quantization.zero_point)


def _factors(exact: Subgraph) -> list[npt.NDArray[Any]]:
    """The constant factors of a float file."""
    read = sorted({index for op in exact.ops if op.name == "BATCH_MATMUL" for index in op.inputs})
    tensors = [exact.tensors[index] for index in read]
    return [real_constant(t) for t in tensors if t.is_stored and t.dtype == "float32"]


def _exact(tensor: Tensor, floats: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What a constant was rounded from, told by its numbers, for the quantizer renames constants; else its own."""
    rounded = real_constant(tensor)
    step = max(tensor.quantization.scale) if tensor.quantization is not None else 0.0
    alike = (one for one in floats if one.shape == rounded.shape and np.abs(one - rounded).max(initial=0) <= step)
    return next(alike, rounded)


def _add(root: Node, edit: GraphEdit, tensor: Tensor, floats: list[npt.NDArray[Any]]) -> int:
    """The tensor once more, its numbers rounded to one scale; its index."""
    values = _exact(tensor, floats)
    scale = float(np.max(np.abs(values), initial=0.0)) / 127 or 1.0
    index = edit.add_constant(np.round(values / scale).astype(np.int8), f"{tensor.name}/factor")
    quantization = new_node(schema(), "QuantizationParameters", scale=[scale], zero_point=[0])
    root.subgraphs[0].tensors[index].quantization = quantization
    return index
