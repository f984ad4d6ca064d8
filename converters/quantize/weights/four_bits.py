"""Which layers have their weights in 4 bits, and integer files with such weights.

A static file is first made with weights of 8 bits, in every way that serves those; then the weights of its dense
layers and convolutions are rounded to 4 bits from the float file's, and their biases put into the new steps. So it has
the same ranges, joins and forms, and all ops that 8 bits have: ai-edge-quantizer knows fewer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import kept_in_main
from edge_sdk.errors import ConversionError
from edge_sdk.parity.pairing import pair_ops
from edge_sdk.recipe import Recipe

LARGEST = 7
"""Of an int4 weight: symmetric, as int8's 127 is."""
# Ops with kernels for weights in 4 bits, and the place of the weights.
_BLOCKWISE = {"FULLY_CONNECTED": 1, "EMBEDDING_LOOKUP": 1}
_STATIC = {"FULLY_CONNECTED": 1, "CONV_2D": 1}
_ALL = {**_BLOCKWISE, "CONV_2D": 1}
# Measured on ai-edge-litert 2.1.0 and 2.3.0: 1 to 3 results come out at 0 dB, 4 and more right.
_LEAST_ROWS = 4
# Half of int32, so that a bias has room.
_ROOM = 2**30


def block_size(recipe: Recipe) -> int:
    """Values of a row that share a scale; 0 where it is all of them."""
    granularity = recipe.weights.granularity
    return int(granularity.removeprefix("blockwise_")) if granularity.startswith("blockwise_") else 0


def four_bit_ops(graph: Subgraph, recipe: Recipe) -> list[Op]:
    """Ops of a float file whose weights the recipe wants in 4 bits, and can have so; all else takes 8.

    Raises:
        ConversionError: there are none.
    """
    block = block_size(recipe)
    kinds = _STATIC if recipe.mode == "static_range" else _BLOCKWISE if block else _ALL
    alone = set(one_row(graph, recipe))
    fitting = [op for op in graph.ops if op.name in kinds and _fits(op, graph.tensors[op.inputs[1]], block)]
    fitting = [op for op in fitting if op.index not in alone]
    ends = _ends(graph) if recipe.weights.mixed else frozenset()
    found = [op for op in fitting if op.index not in ends]
    if not found:
        row = f" with rows of a multiple of {block} values" if block else ""
        between = " of more than one row" if alone and not fitting else ""
        between += " between its first and its last layers" if fitting else ""
        raise ConversionError(
            f"recipe {recipe.name}: the model has no {' or '.join(kinds)}{row}{between}, which 4 bits are for",
            hint="dynamic_wi8_afp32 stores weights in int8",
        )
    return found


def one_row(graph: Subgraph, recipe: Recipe) -> list[int]:
    """Indices of dense layers with a single result, which stay in 8 bits where activations are of 8 too.

    Their one scale is per tensor to XNNPACK, which claims the layer and has no kernel of 4 bits for it: ai-edge-litert
    2.1.0 refuses the whole file (measured; 2.3.0 takes it).
    """
    if recipe.mode != "static_range" or recipe.activations.dtype != "int8":
        return []
    layers = (op for op in graph.ops if op.name == "FULLY_CONNECTED")
    return [op.index for op in layers if graph.tensors[op.inputs[1]].shape[0] == 1]


def _fits(op: Op, weights: Tensor, block: int) -> bool:
    """Whole blocks; and as many results as TFLite's own kernel takes at a time, which misreads the rest."""
    if weights.constant is None or not block:
        return weights.constant is not None
    return weights.shape[-1] % block == 0 and (op.name != "FULLY_CONNECTED" or weights.shape[0] >= _LEAST_ROWS)


def _ends(graph: Subgraph) -> frozenset[int]:
    """Embeddings, layers that read nothing that another layer made, and those that no other layer reads."""
    layers = {op.index for op in graph.ops if op.name in _ALL and graph.tensors[op.inputs[1]].constant is not None}
    tables = {index for index in layers if graph.ops[index].name == "EMBEDDING_LOOKUP"}
    layers -= tables
    behind: dict[int, bool] = {}
    first = set()
    for op in graph.ops:
        fed = any(behind.get(index, False) for index in op.inputs)
        if op.index in layers and not fed:
            first.add(op.index)
        behind |= dict.fromkeys(op.outputs, fed or op.index in layers)
    ahead: dict[int, bool] = defaultdict(bool)
    last = set()
    for op in reversed(graph.ops):
        read = any(ahead[index] for index in op.outputs)
        if op.index in layers and not read:
            last.add(op.index)
        for index in op.inputs:
            ahead[index] |= read or op.index in layers
    return frozenset(tables | first | last)


@dataclass(frozen=True)
class _Layer:
    """A layer of both files: its op there, and the float file's weights and bias."""

    op: Op
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32] | None


def with_four_bits(reference: bytes, quantized: bytes, recipe: Recipe) -> bytes:
    """An integer file with the weights of its dense layers and convolutions in int4.

    Args:
        reference: the float file that it was made from.
        quantized: a file with int8 weights, and activations in int8 or int16.
        recipe: what shall be in 4 bits.

    Raises:
        ConversionError: there is nothing that 4 bits are for.
    """
    graph = parse_artifact(quantized).main
    by_weights: dict[int, list[_Layer]] = defaultdict(list)
    for layer in _layers(reference, quantized, recipe):
        by_weights[layer.op.inputs[1]].append(layer)
    readers = _readers(graph)
    root, _ = parse_tree(quantized)
    edit = ConstantEdit(root)
    for index, layers in by_weights.items():
        # A tensor that something else reads in 8 bits stays as it is.
        if len(layers) == readers[index]:
            steps = _steps(graph, layers)
            _write(edit, graph, index, layers, steps)
    return pack_tree(root)


def _layers(reference: bytes, quantized: bytes, recipe: Recipe) -> Iterator[_Layer]:
    one, other = parse_artifact(reference), parse_artifact(quantized)
    kept = kept_in_main(one, recipe)
    wanted = {op.index for op in four_bit_ops(one.main, recipe)} - kept
    for pair in pair_ops(one, other):
        left, right = pair.reference, pair.candidate
        stored = other.main.tensors[right.inputs[1]] if left.index in wanted else None
        if stored is not None and stored.dtype == "int8" and stored.constant is not None:
            bias = one.main.tensors[left.inputs[2]] if len(left.inputs) > 2 and left.inputs[2] >= 0 else None
            weights = one.main.tensors[left.inputs[1]].values()
            yield _Layer(right, weights, None if bias is None or bias.constant is None else bias.values().reshape(-1))


def _readers(graph: Subgraph) -> Mapping[int, int]:
    counts: dict[int, int] = defaultdict(int)
    for op in graph.ops:
        for index in op.inputs:
            counts[index] += 1
    return counts


def _steps(graph: Subgraph, layers: Iterable[_Layer]) -> npt.NDArray[np.float32]:
    """A step for each channel: a seventh of its largest weight, more where its bias would not fit."""
    found = np.zeros(1)
    for layer in layers:
        rows = np.abs(layer.weights.reshape(len(layer.weights), -1))
        found = np.maximum(found, rows.max(axis=1) / LARGEST)
        if layer.bias is not None:
            found = np.maximum(found, np.abs(layer.bias) / (_input_scale(graph, layer.op) * _ROOM))
    smallest = float(np.finfo(np.float32).tiny)
    return np.where(found > smallest, found, 1.0).astype(np.float32)


def _input_scale(graph: Subgraph, op: Op) -> float:
    known = graph.tensors[op.inputs[0]].quantization
    if known is None:
        raise ConversionError(f"{op.name} {op.index} of the quantized file has no scale for its input")
    return known.scale[0]


def _write(
    edit: ConstantEdit, graph: Subgraph, index: int, layers: Iterable[_Layer], steps: npt.NDArray[np.float32]
) -> None:
    for place, layer in enumerate(layers):
        if not place:
            shaped = steps.reshape(-1, *[1] * (layer.weights.ndim - 1))
            integers = np.clip(np.rint(layer.weights / shaped), -LARGEST, LARGEST).astype(np.int8)
            edit.set_type(index, "int4")
            edit.set_values(index, integers)
            edit.set_scale(index, steps)
        if len(layer.op.inputs) > 2 and layer.op.inputs[2] >= 0:
            put_bias(edit, graph, layer.op, layer.bias, steps)


def put_bias(
    edit: ConstantEdit,
    graph: Subgraph,
    op: Op,
    bias: npt.NDArray[Any] | None,
    steps: npt.NDArray[Any],
) -> None:
    """Writes an op's real bias in steps of input times weights; None keeps the real values that it had."""
    stored = graph.tensors[op.inputs[2]]
    scale = _input_scale(graph, op) * steps.astype(np.float64)
    if bias is None:
        old = np.asarray(stored.quantization.scale if stored.quantization else scale)
        bias = stored.values().reshape(-1) * old
    limit = np.iinfo(stored.values().dtype)
    integers = np.clip(np.rint(bias.astype(np.float64) / scale), limit.min, limit.max).astype(stored.values().dtype)
    own = edit.own(op.index, 2)
    edit.set_values(own, integers.reshape(stored.shape))
    edit.set_scale(own, scale)
