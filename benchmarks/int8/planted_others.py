"""Faults of other kinds than the set was made for: in biases, channels, options, operands and zero points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.int8.planted_faults import LAYERS, Planted, own, some_layer, text_of, with_weights
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.schema import enum_value
from edge_sdk.artifact.tree import pack_tree, parse_tree

_SAME_SCALE = ("RESHAPE", "TRANSPOSE", "CONCATENATION", "MAX_POOL_2D", "SLICE", "STRIDED_SLICE", "PAD", "SPLIT")


def bias_shifted(data: bytes, rng: np.random.Generator) -> Planted:
    """One layer's bias is that of the neighbouring channel, by which its result moves by a step or more."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    layers = [op for op in graph.ops if op.name in LAYERS[:3] and len(op.inputs) > 2 and op.inputs[2] >= 0]
    layers = [op for op in layers if _moves(graph, op)]
    if not layers:
        return None
    op = layers[int(rng.integers(len(layers)))]
    own(root, root.subgraphs[0].tensors[op.inputs[2]], np.roll(graph.tensors[op.inputs[2]].values(), 1))
    return pack_tree(root), (text_of(op),)


def _moves(graph: Subgraph, op: Op) -> bool:
    bias, result = graph.tensors[op.inputs[2]], graph.tensors[op.outputs[0]].quantization
    values = bias.values().astype(np.float64)
    scale = np.asarray(bias.quantization.scale) if bias.quantization else np.ones(1)
    step = result.scale[0] if result else 0.0
    return bool(np.max(np.abs(np.roll(values, 1) - values) * scale) > 2 * step)


def channels_swapped(data: bytes, rng: np.random.Generator) -> Planted:
    """Two channels of one layer's weights have changed places."""
    op = some_layer(data, rng)
    if op is None:
        return None

    def swap(values: npt.NDArray[Any], axis: int) -> None:
        moved = np.moveaxis(values, axis, 0)
        pairs = [(i, i + 1) for i in range(len(moved) - 1) if not np.array_equal(moved[i], moved[i + 1])]
        if pairs:
            one, other = pairs[int(rng.integers(len(pairs)))]
            moved[[one, other]] = moved[[other, one]]

    return with_weights(data, op, swap)


def weights_swapped(data: bytes, rng: np.random.Generator) -> Planted:
    """Two layers of one kind and shape have each other's weights."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    layers = [op for op in graph.ops if op.name in LAYERS and graph.tensors[op.inputs[1]].dtype == "int8"]
    pairs = [(a, b) for i, a in enumerate(layers) for b in layers[:i] if _interchangeable(graph, a, b)]
    if not pairs:
        return None
    one, other = pairs[int(rng.integers(len(pairs)))]
    nodes = root.subgraphs[0].tensors
    first, second = nodes[one.inputs[1]], nodes[other.inputs[1]]
    first.buffer, second.buffer = second.buffer, first.buffer
    return pack_tree(root), (text_of(one), text_of(other))


def _interchangeable(graph: Subgraph, one: Op, other: Op) -> bool:
    left, right = (graph.tensors[op.inputs[1]] for op in (one, other))
    return one.name == other.name and left.shape == right.shape and not np.array_equal(left.values(), right.values())


def operand_replaced(data: bytes, rng: np.random.Generator) -> Planted:
    """One op that adds, multiplies or joins reads another result of the same shape and type."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    chosen = [
        (op, place, held, index)
        for op in graph.ops
        if op.name in ("ADD", "SUB", "MUL", "CONCATENATION")
        for place, held in enumerate(op.inputs)
        if graph.tensors[held].constant is None
        for index in _alike(graph, op, held)
    ]
    if not chosen:
        return None
    op, place, held, index = chosen[int(rng.integers(len(chosen)))]
    operator = root.subgraphs[0].operators[op.index]
    inputs = np.array(operator.inputs)
    inputs[place] = index
    operator.inputs = inputs
    return pack_tree(root), _edge(graph, op, held, index)


def _edge(graph: Subgraph, op: Op, *tensors: int) -> tuple[str, ...]:
    """Both ends of edges into an op: a message may name either."""
    return tuple(text_of(one) for one in (op, *(graph.makers[index] for index in tensors if index in graph.makers)))


def _alike(graph: Subgraph, op: Op, held: int) -> Iterator[int]:
    """Results made before an op that stand in no operand of it, of the shape and type of one that does."""
    want = graph.tensors[held]
    for maker in graph.ops[: op.index]:
        for index in maker.outputs:
            tensor = graph.tensors[index]
            if index not in op.inputs and (tensor.shape, tensor.dtype) == (want.shape, want.dtype):
                yield index


def parts_swapped(data: bytes, rng: np.random.Generator) -> Planted:
    """Two parts of one shape stand in a join in each other's place."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    pairs = [
        (op, i, j)
        for op in graph.ops
        if op.name in ("CONCATENATION", "PACK", "SUB")
        for i in range(len(op.inputs))
        for j in range(i)
        if op.inputs[i] != op.inputs[j] and graph.tensors[op.inputs[i]].shape == graph.tensors[op.inputs[j]].shape
    ]
    if not pairs:
        return None
    op, i, j = pairs[int(rng.integers(len(pairs)))]
    operator = root.subgraphs[0].operators[op.index]
    inputs = np.array(operator.inputs)
    inputs[[i, j]] = inputs[[j, i]]
    operator.inputs = inputs
    return pack_tree(root), _edge(graph, op, op.inputs[i], op.inputs[j])


def resize_flipped(data: bytes, rng: np.random.Generator) -> Planted:
    """One resize takes its pixels' centres where it did not, or not where it did."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    resizes = [op for op in graph.ops if op.name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")]
    resizes = [op for op in resizes if graph.tensors[op.inputs[0]].shape != graph.tensors[op.outputs[0]].shape]
    if not resizes:
        return None
    op = resizes[int(rng.integers(len(resizes)))]
    options = root.subgraphs[0].operators[op.index].builtin_options
    options.half_pixel_centers = not options.half_pixel_centers
    options.align_corners = False
    return pack_tree(root), (text_of(op),)


def activation_removed(data: bytes, rng: np.random.Generator) -> Planted:
    """One op's fused activation is missing, where its result's range does not end where that clips."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    fused = [op for op in graph.ops if op.options.get("fused_activation_function") and _reaches_below(graph, op)]
    if not fused:
        return None
    op = fused[int(rng.integers(len(fused)))]
    options = root.subgraphs[0].operators[op.index].builtin_options
    options.fused_activation_function = enum_value("ActivationFunctionType", "NONE")
    return pack_tree(root), (text_of(op),)


def _reaches_below(graph: Subgraph, op: Op) -> bool:
    known = graph.tensors[op.outputs[0]].quantization
    return known is None or known.zero_point[0] > np.iinfo(graph.tensors[op.outputs[0]].dtype).min + 2


def point_off(data: bytes, rng: np.random.Generator) -> Planted:
    """The zero point of what one op gives unchanged is one off that of what it reads."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    moved = [op for op in graph.ops if op.name in _SAME_SCALE and _quantized(graph.tensors[op.outputs[0]])]
    moved = [op for op in moved if graph.tensors[op.inputs[op.name == "SPLIT"]].constant is None]
    if not moved:
        return None
    op = moved[int(rng.integers(len(moved)))]
    _raise_point(root, op.outputs[0])
    readers = [one for one in graph.ops if op.outputs[0] in one.inputs]
    return pack_tree(root), tuple(text_of(one) for one in (op, *readers))


def constant_point_off(data: bytes, rng: np.random.Generator) -> Planted:
    """The zero point of one constant operand, which is no layer's weights, is one off."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    held = [(op, index) for op in graph.ops if op.name not in LAYERS for index in op.inputs if index >= 0]
    held = [one for one in held if graph.tensors[one[1]].constant is not None and _quantized(graph.tensors[one[1]])]
    if not held:
        return None
    _, index = held[int(rng.integers(len(held)))]
    _raise_point(root, index)
    readers = [one for one in graph.ops if index in one.inputs]
    return pack_tree(root), tuple(text_of(one) for one in readers)


def _quantized(tensor: Tensor) -> bool:
    return tensor.quantization is not None and tensor.dtype == "int8" and not tensor.quantization.per_channel


def _raise_point(root: Node, index: int) -> None:
    known = root.subgraphs[0].tensors[index].quantization
    points = np.asarray(known.zero_point, np.int64)
    known.zero_point = np.where(points < np.iinfo(np.int8).max, points + 1, points - 1)


def dimension_wrong(data: bytes, rng: np.random.Generator) -> Planted:
    """One layer's scales for each channel lie along another axis of the same extent."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    layers = [op for op in graph.ops if op.name in LAYERS[:3] and _other_axes(graph, op)]
    if not layers:
        return None
    op = layers[int(rng.integers(len(layers)))]
    root.subgraphs[0].tensors[op.inputs[1]].quantization.quantized_dimension = _other_axes(graph, op)[0]
    return pack_tree(root), (text_of(op),)


def _other_axes(graph: Subgraph, op: Op) -> list[int]:
    weights = graph.tensors[op.inputs[1]]
    known = weights.quantization
    if known is None or not known.per_channel or len(set(known.scale)) == 1:
        return []
    return [axis for axis, extent in enumerate(weights.shape) if axis != known.axis and extent == len(known.scale)]


def pad_moved(data: bytes, rng: np.random.Generator) -> Planted:
    """One op pads a row less before and one more behind."""
    root, graph = parse_tree(data)[0], parse_artifact(data).main
    pads = [op for op in graph.ops if op.name in ("PAD", "PADV2") and graph.tensors[op.inputs[1]].constant is not None]
    pads = [op for op in pads if np.any(graph.tensors[op.inputs[1]].values()[:, 0])]
    if not pads:
        return None
    op = pads[int(rng.integers(len(pads)))]
    values = graph.tensors[op.inputs[1]].values().copy()
    axis = int(np.flatnonzero(values[:, 0])[0])
    values[axis] += (-1, 1)
    own(root, root.subgraphs[0].tensors[op.inputs[1]], values)
    return pack_tree(root), (text_of(op),)


OTHERS = {
    "bias of the neighbouring channel": bias_shifted,
    "two channels swapped": channels_swapped,
    "weights of two layers swapped": weights_swapped,
    "operand replaced by another of its shape": operand_replaced,
    "parts of a join swapped": parts_swapped,
    "centres of a resize flipped": resize_flipped,
    "fused activation removed": activation_removed,
    "zero point of an unchanged result off by one": point_off,
    "zero point of a constant off by one": constant_point_off,
    "scales along another axis": dimension_wrong,
    "padding moved by one": pad_moved,
}
"""Kinds that nobody planted while the checks were written."""
