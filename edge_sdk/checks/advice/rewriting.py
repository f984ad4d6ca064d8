"""Hypothetical graphs: the description of a subgraph with ops taken out, renamed or cut off. Nothing is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.checks.lint.scene import values_of

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def with_ops(graph: Subgraph, ops: Iterable[Op]) -> Subgraph:
    """The subgraph with these ops, numbered anew."""
    return replace(graph, ops=tuple(replace(op, index=index) for index, op in enumerate(ops)))


def with_tensors(graph: Subgraph, change: Callable[[Tensor], Tensor]) -> Subgraph:
    """The subgraph with every tensor changed."""
    return replace(graph, tensors=tuple(change(tensor) for tensor in graph.tensors))


def without_conversions(graph: Subgraph) -> Subgraph:
    """No QUANTIZE and no DEQUANTIZE: what read their results reads their inputs."""
    source: dict[int, int] = {}
    kept = []
    for op in graph.ops:
        inputs = tuple(source.get(index, index) for index in op.inputs)
        if op.name in CONVERSIONS and len(inputs) == 1 and len(op.outputs) == 1:
            source[op.outputs[0]] = inputs[0]
        else:
            kept.append(replace(op, inputs=inputs))
    outputs = tuple(source.get(index, index) for index in graph.outputs)
    return replace(with_ops(graph, kept), outputs=outputs)


# What they are called as an op of their own, and inside another (schema.fbs, ActivationFunctionType).
_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


def with_activations_inside(graph: Subgraph) -> Subgraph:
    """Activations inside the ops before them, where nothing else reads those: so TensorFlow's quantizer writes it."""
    readers = Counter(index for op in graph.ops for index in op.inputs) + Counter(graph.outputs)
    makers = {index: op for op in graph.ops for index in op.outputs}
    inside: dict[int, Op] = {}
    gone = set()
    for op in graph.ops:
        maker = makers.get(op.inputs[0]) if op.name in _ACTIVATIONS else None
        if maker is None or maker.index in inside or readers[op.inputs[0]] != 1 or len(maker.outputs) != 1:
            continue
        if maker.options.get("fused_activation_function") == 0:
            options = {**maker.options, "fused_activation_function": _ACTIVATIONS[op.name]}
            inside[maker.index] = replace(maker, outputs=op.outputs, options=options)
            gone.add(op.index)
    return with_ops(graph, (inside.get(op.index, op) for op in graph.ops if op.index not in gone))


def renamed(
    graph: Subgraph, which: Iterable[int], name: str, *, places: tuple[int, ...] | None, options: Mapping[str, Any]
) -> Subgraph:
    """Ops of another type.

    Args:
        graph: the subgraph.
        which: indices of the ops to change.
        name: the new type, in version 1.
        places: of the inputs that stay, None for all.
        options: fields to set.
    """
    chosen = frozenset(which)

    def change(op: Op) -> Op:
        if op.index not in chosen:
            return op
        inputs = op.inputs if places is None else tuple(op.inputs[p] for p in places if p < len(op.inputs))
        fields = MappingProxyType({**op.options, **options})
        return replace(op, name=name, version=op.version if name == op.name else 1, inputs=inputs, options=fields)

    return replace(graph, ops=tuple(change(op) for op in graph.ops))


def without(graph: Subgraph, which: Iterable[int]) -> Subgraph | None:
    """The subgraph without these ops, each of which hands on a value of the same shape; None where one does not."""
    chosen = frozenset(which)
    source: dict[int, int] = {}
    kept = []
    for op in graph.ops:
        inputs = tuple(source.get(index, index) for index in op.inputs)
        if op.index not in chosen:
            kept.append(replace(op, inputs=inputs))
            continue
        computed = [index for index in inputs if index >= 0 and not graph.tensors[index].is_stored]
        if len(computed) != 1 or len(op.outputs) != 1 or not _alike(graph, computed[0], op.outputs[0]):
            return None
        source[op.outputs[0]] = computed[0]
    return replace(with_ops(graph, kept), outputs=tuple(source.get(index, index) for index in graph.outputs))


def _alike(graph: Subgraph, first: int, second: int) -> bool:
    one, other = graph.tensors[first], graph.tensors[second]
    return (one.shape, one.dtype) == (other.shape, other.dtype)


def first_part(graph: Subgraph, end: int) -> Subgraph:
    """Ops before ``end``; what later ops read of them is an output."""
    ops = graph.ops[:end]
    made = {index for op in ops for index in op.outputs}
    read = {index for op in graph.ops[end:] for index in op.inputs} | set(graph.outputs)
    return replace(graph, ops=ops, outputs=tuple(sorted(made & read)))


def last_part(graph: Subgraph, begin: int) -> Subgraph:
    """Ops from ``begin`` on; what they read of earlier ones is an input."""
    ops = graph.ops[begin:]
    made = {index for op in graph.ops[:begin] for index in op.outputs}
    read = {index for op in ops for index in op.inputs}
    inputs = tuple(sorted((made | set(graph.inputs)) & read))
    return replace(with_ops(graph, ops), inputs=inputs)


def with_batch_of_one(graph: Subgraph) -> Subgraph | None:
    """One sample at a time; None where inputs have no common batch above 1."""
    batches = {graph.tensors[index].shape[:1] for index in graph.inputs}
    if len(batches) != 1 or (batch := next(iter(batches))) in {(), (0,), (1,)}:
        return None

    def change(tensor: Tensor) -> Tensor:
        if tensor.is_stored or tensor.shape[:1] != batch:
            return tensor
        return replace(tensor, shape=(1, *tensor.shape[1:]), shape_signature=(1, *tensor.shape_signature[1:]))

    return with_tensors(graph, change)


def sliced(graph: Subgraph, which: Iterable[int]) -> Subgraph | None:
    """GATHERs of one constant index as SLICE and RESHAPE; None where one takes more than that."""
    chosen = frozenset(which)
    tensors = list(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        pieces = _slice(tensors, op) if op.index in chosen else (op,)
        if pieces is None:
            return None
        ops += pieces
    return with_ops(replace(graph, tensors=tuple(tensors)), ops)


def _slice(tensors: list[Tensor], op: Op) -> tuple[Op, ...] | None:
    if len(op.inputs) < 2 or len(op.outputs) != 1 or min(*op.inputs, *op.outputs) < 0:
        return None
    source, index, result = tensors[op.inputs[0]], tensors[op.inputs[1]], tensors[op.outputs[0]]
    axis = int(op.options.get("axis") or 0) % max(1, len(source.shape))
    where = values_of(index)
    whole = op.options.get("batch_dims") or not source.shape or not source.shape[axis]
    if where is None or where.size != 1 or index.dtype != "int32" or whole:
        return None
    place = int(where.ravel()[0]) % source.shape[axis]
    size = tuple(1 if d == axis else extent for d, extent in enumerate(source.shape))
    begin = tuple(place if d == axis else 0 for d in range(len(source.shape)))
    piece = replace(source, index=len(tensors), shape=size, shape_signature=size)
    tensors.append(piece)
    parameters = []
    for values in (begin, size, result.shape):
        data = np.array(values, np.int32)
        parameters.append(len(tensors))
        shape = (len(values),)
        constant = replace(index, index=len(tensors), shape=shape, shape_signature=shape, constant=data.view(np.uint8))
        tensors.append(constant)
    cut = replace(op, name="SLICE", version=1, inputs=(op.inputs[0], *parameters[:2]), outputs=(piece.index,))
    return cut, replace(
        op, name="RESHAPE", version=1, inputs=(piece.index, parameters[2]), options=MappingProxyType({})
    )
