"""Channels of a float file brought to like ranges, without changing what it computes.

One int8 scale serves all channels of a tensor: those of small range get few steps. Between two dot products with
nothing but ReLU, pooling or padding in between, a channel can be divided by a positive factor in the first one's
weights and multiplied in the second one's. The factor that makes both weights' ranges equal is sqrt(r1 / r2)
(cross-layer equalization, Nagel et al. 2019, equation 11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Op, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree

Array = npt.NDArray[Any]
_OUT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
_IN_AXIS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 1}
_PASSING = frozenset({"MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "MEAN", "RELU"})
_LINEAR = (0, 1)
"""Fused activations that a positive factor passes through: none and ReLU."""
_SWEEPS = 20
_CLOSE = 1.02


@dataclass(frozen=True)
class _Pair:
    """Weights and bias of the first dot product, weights of the second; tensors of the main subgraph."""

    first: int
    first_axis: int
    bias: int
    second: int
    second_axis: int


def equalized(data: bytes) -> tuple[bytes, int]:
    """The file with channels equalized, and in how many places; the same bytes where there are none."""
    artifact = parse_artifact(data)
    pairs = list(_pairs(artifact))
    constants = {
        index: artifact.main.tensors[index].values().copy()
        for pair in pairs
        for index in (pair.first, pair.bias, pair.second)
        if index >= 0
    }
    changed: set[_Pair] = set()
    for _ in range(_SWEEPS):
        moved = {pair for pair in pairs if _balance(pair, constants)}
        changed |= moved
        if not moved:
            break
    if not changed:
        return data, 0
    root, _ = parse_tree(data)
    for index, values in constants.items():
        root.buffers[artifact.main.tensors[index].buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return pack_tree(root), len(changed)


def _balance(pair: _Pair, constants: dict[int, Array]) -> bool:
    """Moves the factors of one pair; whether any was far from 1."""
    one, other = constants[pair.first], constants[pair.second]
    r1, r2 = _ranges(one, pair.first_axis), _ranges(other, pair.second_axis)
    alive = (r1 > 0) & (r2 > 0)
    factor = np.where(alive, np.sqrt(r1 / np.where(alive, r2, 1)), 1).astype(np.float32)
    if max(factor.max(), 1 / factor.min()) < _CLOSE:
        return False
    constants[pair.first] = one / _along(factor, pair.first_axis, one.ndim)
    if pair.bias >= 0:
        constants[pair.bias] = constants[pair.bias] / factor
    constants[pair.second] = other * _along(factor, pair.second_axis, other.ndim)
    return True


def _ranges(values: Array, axis: int) -> Array:
    found: Array = np.abs(values).max(axis=tuple(a for a in range(values.ndim) if a != axis))
    return found


def _along(factor: Array, axis: int, rank: int) -> Array:
    return factor.reshape([-1 if a == axis else 1 for a in range(rank)])


def _pairs(artifact: Artifact) -> Iterator[_Pair]:
    graph = artifact.main
    readers: dict[int, list[Op]] = {}
    for op in graph.ops:
        for index in op.inputs:
            readers.setdefault(index, []).append(op)
    buffers = Counter(t.buffer for g in artifact.subgraphs for t in g.tensors if t.is_stored)
    own = {t.index for t in graph.tensors if len(readers.get(t.index, [])) == 1 and buffers[t.buffer] == 1}
    for op in graph.ops:
        if op.name not in _OUT_AXIS or op.options.get("fused_activation_function", 0) not in _LINEAR:
            continue
        following = _following(artifact, op, readers)
        if following is None:
            continue
        bias = op.inputs[2] if len(op.inputs) > 2 else -1
        pair = _Pair(op.inputs[1], _OUT_AXIS[op.name], bias, following.inputs[1], _IN_AXIS[following.name])
        if all(index in own for index in (pair.first, pair.second, bias) if index >= 0) and _fits(artifact, pair):
            yield pair


def _following(artifact: Artifact, op: Op, readers: dict[int, list[Op]]) -> Op | None:
    """The one dot product that reads the result, behind ops that let a factor through."""
    graph, index = artifact.main, op.outputs[0]
    channels = graph.tensors[index].shape[-1]
    while index not in graph.outputs and len(readers.get(index, [])) == 1:
        (reader,) = readers[index]
        result = graph.tensors[reader.outputs[0]]
        if reader.inputs[0] != index or reader.options.get("fused_activation_function", 0) not in _LINEAR:
            return None if reader.name not in _IN_AXIS or reader.inputs[0] != index else reader
        if reader.name in _IN_AXIS:
            return reader
        if reader.name not in _PASSING or result.shape[-1] != channels:
            return None
        index = reader.outputs[0]
    return None


def _fits(artifact: Artifact, pair: _Pair) -> bool:
    """Float constants of one channel count."""
    tensors = artifact.main.tensors
    constants = [tensors[i] for i in (pair.first, pair.second, pair.bias) if i >= 0]
    if any(t.constant is None or t.dtype != "float32" for t in constants):
        return False
    return tensors[pair.first].shape[pair.first_axis] == tensors[pair.second].shape[pair.second_axis]
