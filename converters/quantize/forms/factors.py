"""Factors of BATCH_MATMUL with one scale and, as second ones, zero point 0, which is what kernels multiply with."""

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
    """A copy in which int8 constants that a BATCH_MATMUL reads have one scale, and all second factors zero point 0.

    A constant that layers read as their weights too has a scale for each row, and ``batch_matmul.cc`` multiplies with
    the first of them (the matrix of a Fourier transform in a pitch detector: 73 steps off, and its output constant).
    TensorFlow's quantizer rounds other constant factors like activations, with a zero point, which XNNPACK of
    ai-edge-litert 2.1.0 to 2.1.2 takes for 0 (the gates of RecurrentGemma, a matrix for each block). Computed ones have
    one where their scale is prescribed (a SOFTMAX, and what moves its values) or another op's; they are rounded once
    more, by a QUANTIZE between integers.

    Args:
        data: the integer file; it is given back itself where nothing is to be changed.
        exact: the float file that it was made from; constants are rounded once, from its numbers.
    """
    graph = parse_artifact(data).main
    products = [op for op in graph.ops if op.name == "BATCH_MATMUL"]
    factors = {i for op in products for i in op.inputs if _is_by_row(graph, i)}
    second = {op.inputs[1]: op.index for op in reversed(products) if _is_off_zero(graph.tensors[op.inputs[1]])}
    factors |= {index for index in second if graph.tensors[index].is_stored}
    centred = {index: op for index, op in second.items() if index not in factors}
    if not factors and not centred:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    floats = _factors(parse_artifact(exact).main)
    own = {index: _add(root, edit, graph.tensors[index], floats) for index in sorted(factors)}
    again = {index: _centre(root, edit, graph.tensors[index], op) for index, op in sorted(centred.items())}
    for op in products:
        first, factor, *more = (own.get(index, index) for index in op.inputs)
        edit.read(op.index, [first, again.get(factor, factor), *more])
    edit.finish()
    return pack_tree(root)


def _is_by_row(graph: Subgraph, index: int) -> bool:
    tensor = graph.tensors[index]
    return (
        tensor.dtype == "int8"
        and tensor.is_stored
        and tensor.quantization is not None
        and tensor.quantization.per_channel
    )


def _is_off_zero(tensor: Tensor) -> bool:
    return tensor.dtype == "int8" and tensor.quantization is not None and any(tensor.quantization.zero_point)


def _centre(root: Node, edit: GraphEdit, tensor: Tensor, product: int) -> int:
    """A computed factor once more, in front of the first product that reads it, with zero point 0; its index."""
    assert tensor.quantization is not None
    (scale,), (zero,) = tensor.quantization.scale, tensor.quantization.zero_point
    index = edit.add_tensor(tensor.index, f"{tensor.name}/centred")
    # Up to twice as wide a step: the whole range that the integers have.
    wide = scale * max(127 - zero, 128 + zero) / 127
    quantization = new_node(schema(), "QuantizationParameters", scale=[wide], zero_point=[0])
    root.subgraphs[0].tensors[index].quantization = quantization
    edit.put_before(product, "QUANTIZE", [tensor.index], [index])
    return index


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
