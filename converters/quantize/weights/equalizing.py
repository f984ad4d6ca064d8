"""Channels of a float file brought to like ranges, without changing what it computes.

One int8 scale serves all channels of a tensor: those of small range get few steps. Between two dot products with
nothing but ReLU, PReLU, pooling or padding in between, a channel can be divided by a positive factor in the first one's
weights and multiplied in the second one's. The factor that makes both weights' ranges equal is sqrt(r1 / r2)
(cross-layer equalization, Nagel et al. 2019, equation 11).

Behind a norm it is the values that differ by channel: its factor and shift are divided, and all dot products that read
it are multiplied, by sqrt(a / w), with ``a`` the largest value seen and ``w`` the largest weight of the channel
(SmoothQuant, Xiao et al. 2023, with alpha of one half).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree

Array = npt.NDArray[Any]
_OUT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
_IN_AXIS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 1}
_PASSING = frozenset({"MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "MEAN", "RELU", "LEAKY_RELU", "PRELU"})
_LINEAR = (0, 1)
"""Fused activations that a positive factor passes through: none and ReLU."""
_RELU, _RELU6 = 1, 3
# Behind a norm, with the channels last as they were.
_SHAPING = frozenset({"RESHAPE", "EXPAND_DIMS", "SQUEEZE"})
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
    return _with_constants(data, artifact, constants), len(changed)


@dataclass(frozen=True)
class Norm:
    """A norm's factor and shift (-1: none), its result, and the weights that read it with their channel axis."""

    factor: int
    shift: int
    result: int
    readers: tuple[tuple[int, int], ...]


def norms(artifact: Artifact) -> list[Norm]:
    """Norms whose results are read by dot products alone, and whose constants are their own."""
    graph = artifact.main
    readers = _readers(graph)
    own = _own(artifact, readers)
    return [norm for op in graph.ops if (norm := _norm(graph, op, readers, own)) is not None]


def smoothed(data: bytes, largest: Mapping[int, Array]) -> tuple[bytes, int]:
    """The file with channels behind norms smoothed, and behind how many; the same bytes where there are none.

    Args:
        data: a float file.
        largest: result of a norm to the largest absolute value seen of each channel.
    """
    artifact = parse_artifact(data)
    found = [norm for norm in norms(artifact) if norm.result in largest]
    if not found:
        return data, 0
    tensors = artifact.main.tensors
    touched = {i for norm in found for i in (norm.factor, norm.shift, *(w for w, _ in norm.readers)) if i >= 0}
    constants = {index: tensors[index].values().copy() for index in touched}
    for norm in found:
        weights = np.max([_ranges(constants[index], axis) for index, axis in norm.readers], 0)
        seen = largest[norm.result]
        alive = (seen > 0) & (weights > 0)
        factor = np.where(alive, np.sqrt(seen / np.where(alive, weights, 1)), 1).astype(np.float32)
        for index in (norm.factor, norm.shift):
            if index >= 0:
                constants[index] = (constants[index].reshape(-1) / factor).reshape(constants[index].shape)
        for index, axis in norm.readers:
            constants[index] = constants[index] * _along(factor, axis, constants[index].ndim)
    return _with_constants(data, artifact, constants), len(found)


def without_idle_clips(data: bytes, largest: Mapping[int, float]) -> tuple[bytes, int]:
    """ReLU6 of dot products as ReLU where the clip was never reached, and how many; int8 ends at what was seen anyway.

    Args:
        data: a float file.
        largest: result to the largest value seen.
    """
    artifact = parse_artifact(data)
    idle = [
        op.index
        for op in artifact.main.ops
        if op.name in _OUT_AXIS
        and op.options.get("fused_activation_function", 0) == _RELU6
        and largest.get(op.outputs[0], 6.0) < 6.0
    ]
    if not idle:
        return data, 0
    root, _ = parse_tree(data)
    for index in idle:
        root.subgraphs[0].operators[index].builtin_options.fused_activation_function = _RELU
    return pack_tree(root), len(idle)


def _with_constants(data: bytes, artifact: Artifact, constants: Mapping[int, Array]) -> bytes:
    root, _ = parse_tree(data)
    for index, values in constants.items():
        root.buffers[artifact.main.tensors[index].buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return pack_tree(root)


def _readers(graph: Subgraph) -> dict[int, list[Op]]:
    readers: dict[int, list[Op]] = {}
    for op in graph.ops:
        for index in op.inputs:
            readers.setdefault(index, []).append(op)
    return readers


def _own(artifact: Artifact, readers: Mapping[int, list[Op]]) -> set[int]:
    """Tensors that one op reads, with values of their own."""
    buffers = Counter(t.buffer for g in artifact.subgraphs for t in g.tensors if t.is_stored)
    return {t.index for t in artifact.main.tensors if len(readers.get(t.index, [])) == 1 and buffers[t.buffer] == 1}


def _norm(graph: Subgraph, op: Op, readers: Mapping[int, list[Op]], own: Collection[int]) -> Norm | None:
    """From its last op: ``ADD(MUL(.., factor), shift)`` or ``MUL``; the factor may be inside the other operand."""
    if op.options.get("fused_activation_function", 0) or op.name not in ("ADD", "MUL"):
        return None
    makers = graph.makers
    channels = graph.tensors[op.outputs[0]].shape[-1:]
    scaled, shift = op, -1
    if op.name == "ADD":
        shift, rest = _vector(graph, op, channels)
        maker = makers.get(rest)
        if shift < 0 or maker is None or maker.name != "MUL" or len(readers.get(rest, [])) != 1:
            return None
        scaled = maker
    factor = _factor(graph, scaled, channels, makers, readers)
    weights = _weights_behind(graph, op.outputs[0], readers)
    constants = {factor, shift, *(index for index, _ in weights)} - {-1}
    if factor < 0 or not weights or not constants <= set(own) or not _normalizes(graph, scaled, makers):
        return None
    return Norm(factor, shift, op.outputs[0], tuple(weights))


def _vector(graph: Subgraph, op: Op, channels: tuple[int, ...]) -> tuple[int, int]:
    """The operand of an op that is a constant of one value a channel, and the other one; -1: none."""
    for one, other in ((op.inputs[0], op.inputs[1]), (op.inputs[1], op.inputs[0])):
        tensor = graph.tensors[one]
        if tensor.constant is not None and tensor.dtype == "float32" and (tensor.elements,) == channels:
            return one, other
    return -1, -1


def _factor(
    graph: Subgraph, op: Op, channels: tuple[int, ...], makers: Mapping[int, Op], readers: Mapping[int, list[Op]]
) -> int:
    found, _ = _vector(graph, op, channels)
    inner = (makers.get(index) for index in op.inputs)
    deeper = [m for m in inner if m is not None and m.name == "MUL" and len(readers.get(m.outputs[0], [])) == 1]
    return next((v for v in [found, *(_vector(graph, m, channels)[0] for m in deeper)] if v >= 0), -1)


def _normalizes(graph: Subgraph, op: Op, makers: Mapping[int, Op]) -> bool:
    """Whether an RSQRT, or a division, is right above: a MUL and ADD of a batch norm's kind are no norm."""
    waiting, steps = list(op.inputs), 0
    while waiting and steps < 8:
        maker, steps = makers.get(waiting.pop(0)), steps + 1
        if maker is None or maker.name in _OUT_AXIS:
            continue
        if maker.name in ("RSQRT", "DIV"):
            return True
        waiting += [index for index in maker.inputs if graph.tensors[index].constant is None]
    return False


def _weights_behind(graph: Subgraph, index: int, readers: Mapping[int, list[Op]]) -> list[tuple[int, int]]:
    """Weights of the dot products that read a value, with their channel axis; none where anything else does."""
    found: list[tuple[int, int]] = []
    waiting, channels = [index], graph.tensors[index].shape[-1:]
    while waiting:
        one = waiting.pop()
        if one in graph.outputs or not readers.get(one):
            return []
        for op in readers[one]:
            if op.name in _SHAPING and graph.tensors[op.outputs[0]].shape[-1:] == channels:
                waiting.append(op.outputs[0])
            elif op.name in ("FULLY_CONNECTED", "CONV_2D") and op.inputs[0] == one:
                weights = graph.tensors[op.inputs[1]]
                axis = _IN_AXIS[op.name]
                if weights.constant is None or weights.dtype != "float32" or (weights.shape[axis],) != channels:
                    return []
                found.append((weights.index, axis))
            else:
                return []
    return found


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
    readers = _readers(graph)
    own = _own(artifact, readers)
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
