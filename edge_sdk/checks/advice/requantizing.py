"""Hypothetical graphs in another type: what a recipe would make of a subgraph, as far as delegates look at it.

Scales are stand-ins of a usual size; only where an op or an activation fixes one is it the true one. The numbers in
constants are rounded with them, for some rules read constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Op, Quantization, Subgraph, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.ties import FIXED
from edge_sdk.checks.advice.rewriting import with_tensors, without_conversions
from edge_sdk.checks.lint.ranges import MOVERS, sources

_FLOATS = frozenset({"float32", "float16"})
_USUAL = (0.05, 0)
_SIX = (6 / 255, -128)
_ROLES = {  # op: place of the weights with the axis of its channels, and place of the bias
    "CONV_2D": (1, 0, 2), "DEPTHWISE_CONV_2D": (1, 3, 2), "FULLY_CONNECTED": (1, 0, 2), "TRANSPOSE_CONV": (1, 0, 3),
}  # fmt: skip
WEIGHTS: Mapping[str, tuple[int, int]] = MappingProxyType({name: role[:2] for name, role in _ROLES.items()})
"""Layers with weights: their place among the inputs, and the axis of the channels that have a scale of their own."""
_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "TRANSPOSE_CONV": 3, "RESHAPE": 1}


def quantized(graph: Subgraph, *, per_channel: bool) -> Subgraph:
    """The subgraph as an integer-only recipe would leave it, with weights per channel or per tensor."""
    graph = without_conversions(floated(graph))
    scales = dict(_scales(graph))
    roles = dict(_constants(graph, per_channel=per_channel))

    def change(tensor: Tensor) -> Tensor:
        if tensor.dtype not in _FLOATS:
            return tensor
        if tensor.is_stored:
            return _rounded(tensor, *roles.get(tensor.index, ("int8", None)))
        scale, zero_point = scales[tensor.index]
        return replace(tensor, dtype="int8", quantization=Quantization((scale,), (zero_point,), 0))

    made = with_tensors(graph, change)
    ops = tuple(replace(op, version=_VERSIONS.get(op.name, max(2, op.version))) for op in made.ops)
    return replace(made, ops=ops)


def floated(graph: Subgraph) -> Subgraph:
    """The subgraph in float32, without conversions."""

    def change(tensor: Tensor) -> Tensor:
        plain = tensor.dtype not in _FLOATS and tensor.quantization is None and tensor.blockwise is None
        if plain and tensor.dtype != "float16":
            return tensor
        values = tensor.constant
        if values is not None:
            values = np.zeros(tensor.elements, np.float32).view(np.uint8) if tensor.dtype != "float32" else values
        return replace(tensor, dtype="float32", quantization=None, blockwise=None, is_sparse=False, constant=values)

    return with_tensors(without_conversions(graph), change)


def with_weights_per_tensor(graph: Subgraph) -> Subgraph:
    """One scale for each constant."""

    def change(tensor: Tensor) -> Tensor:
        quantization = tensor.quantization
        if quantization is None or not quantization.per_channel:
            return tensor
        return replace(tensor, quantization=Quantization((max(quantization.scale),), (0,), 0))

    return with_tensors(graph, change)


def _scales(graph: Subgraph) -> Iterator[tuple[int, tuple[float, int]]]:
    """Each computed tensor with its stand-in; tensors that ops move values between share one."""
    parent = list(range(len(graph.tensors)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    wanted: dict[int, tuple[float, int]] = {}
    for op in graph.ops:
        for index in sources(op) if op.name in MOVERS else ():
            for output in op.outputs:
                parent[root(index)] = root(output)
    for op in graph.ops:
        pair = FIXED.get(op.name) or (_SIX if "RELU6" in {op.name, _activation(op)} else None)
        for output in op.outputs if pair else ():
            first = wanted.get(root(output))
            wanted[root(output)] = pair if first is None or pair != _SIX else first  # type: ignore[assignment]
    return ((tensor.index, wanted.get(root(tensor.index), _USUAL)) for tensor in graph.tensors)


def _activation(op: Op) -> str:
    number = int(op.options.get("fused_activation_function") or 0)
    return schema().enums["ActivationFunctionType"].get(number, "")


def _constants(graph: Subgraph, *, per_channel: bool) -> Iterator[tuple[int, tuple[str, int | None]]]:
    """Constants of layers with type and channel axis."""
    for op in graph.ops:
        weights, axis, bias = _ROLES.get(op.name, (-1, 0, -1))
        for place, dtype, along in ((weights, "int8", axis), (bias, "int32", 0)):
            if 0 <= place < len(op.inputs) and op.inputs[place] >= 0:
                shape = graph.tensors[op.inputs[place]].shape
                fits = per_channel and op.name != "FULLY_CONNECTED" and along < len(shape) and shape[along] > 1
                yield op.inputs[place], (dtype, along if fits else None)


def _rounded(tensor: Tensor, dtype: str, axis: int | None) -> Tensor:
    count = 1 if axis is None else tensor.shape[axis]
    scale = 0.0005 if dtype == "int32" else 0.01
    quantization = Quantization((scale,) * count, (0,) * count, axis or 0)
    stored = None if tensor.constant is None else _stored(tensor, dtype, scale)
    return replace(tensor, dtype=dtype, quantization=quantization, constant=stored)


def _stored(tensor: Tensor, dtype: str, scale: float) -> npt.NDArray[np.uint8]:
    values = np.zeros(tensor.elements, np.float32)
    if tensor.constant is not None and tensor.dtype == "float32" and tensor.constant.nbytes == tensor.size_bytes:
        values = tensor.constant.view(np.float32)
    limits = np.iinfo(dtype)
    with np.errstate(all="ignore"):
        return np.clip(np.nan_to_num(values / scale), limits.min, limits.max).astype(dtype).view(np.uint8)
