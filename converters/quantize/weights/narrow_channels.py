"""Channels whose weights are so small that their bias does not fit in int32 steps of input scale times weight scale.

Batch norm leaves them where it switched a channel off: weights of 1e-9 beside a bias of 0.3. ai-edge-quantizer
takes the weight's scale from the weights alone, and stops ("Failed to quantize bias tensor"). The specification leaves
the scale free: a wider one makes the weights zero steps, which is what they are beside the bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.observe import Observation
from edge_sdk.errors import ConversionError

# Input, weights and bias; and along which axis of the weights the channels lie.
_LAYERS = {"CONV_2D": (0, 1, 2, 0), "DEPTHWISE_CONV_2D": (0, 1, 2, 3), "FULLY_CONNECTED": (0, 1, 2, 0)}
_STEPS = {"int8": 255, "int16": 2 * 32767}
_WEIGHT_STEPS = 127
# Half of int32, so that rounding and a bias correction have room.
_ROOM = 2**30


@dataclass(frozen=True)
class Widened:
    """Weights whose range was widened for the quantizer's sake.

    Attributes:
        name: of the weight tensor.
        axis: of its channels.
        channels: the ones in question.
        values: all weights as they are.
    """

    name: str
    axis: int
    channels: tuple[int, ...]
    values: npt.NDArray[np.float32]


def widen(data: bytes, observations: Mapping[int, Observation], dtype: str) -> tuple[bytes, tuple[Widened, ...]]:
    """Before: ``CONV_2D(x, w, b)``, ``|b| > 2^31 s_x s_w`` in a channel. After: one weight sets a scale that fits.

    Args:
        data: a float file.
        observations: ranges of its activations.
        dtype: of the activations: ``int8`` or ``int16``.

    Returns:
        The file, and what :func:`restore` needs; the same file where all fits.
    """
    graph = parse_artifact(data).main
    root, _ = parse_tree(data)
    edit = ConstantEdit(root)
    found: list[Widened] = []
    for op in graph.ops:
        one = _widened(graph, op, observations, dtype)
        if one is not None and one[0].name not in {other.name for other in found}:
            edit.set_values(_weights(graph, op).index, one[1])
            found.append(one[0])
    return (pack_tree(root) if found else data), tuple(found)


def restore(data: bytes, widened: Sequence[Widened]) -> bytes:
    """The quantized file with the weights as they are, in steps of the wider scales."""
    if not widened:
        return data
    tensors = {tensor.name: tensor for tensor in parse_artifact(data).main.tensors}
    root, _ = parse_tree(data)
    edit = ConstantEdit(root)
    for one in widened:
        tensor = tensors.get(one.name)
        if tensor is None or tensor.dtype not in ("int8", "float32"):
            kind = "is gone" if tensor is None else f"is {tensor.dtype}"
            raise ConversionError(f"weights `{one.name}` of the quantized file: expected int8 or float32, it {kind}")
        if tensor.dtype == "float32" or tensor.quantization is None:
            edit.set_values(tensor.index, one.values)
            continue
        scales = np.asarray(tensor.quantization.scale, np.float32)
        steps, stored = np.moveaxis(one.values, one.axis, 0), np.moveaxis(tensor.values().copy(), one.axis, 0)
        for channel in one.channels:
            stored[channel] = np.clip(np.round(steps[channel] / scales[channel]), -_WEIGHT_STEPS, _WEIGHT_STEPS)
        edit.set_values(tensor.index, np.moveaxis(stored, 0, one.axis))
    return pack_tree(root)


def _widened(
    graph: Subgraph, op: Op, observations: Mapping[int, Observation], dtype: str
) -> tuple[Widened, npt.NDArray[np.float32]] | None:
    if op.name not in _LAYERS:
        return None
    source, _, bias_place, axis = _LAYERS[op.name]
    weights, bias = _weights(graph, op), _operand(graph, op, bias_place)
    seen = observations.get(op.inputs[source])
    floats = bias is not None and bias.constant is not None and bias.dtype == weights.dtype == "float32"
    if seen is None or bias is None or not floats or weights.constant is None or weights.is_sparse:
        return None
    values = weights.values().astype(np.float32)
    rows = np.moveaxis(values, axis, 0)
    biases = np.abs(bias.values().ravel())
    scale = _input_scale(seen, dtype)
    if len(biases) != len(rows) or not scale > 0:
        return None
    needed = (biases / (scale * _ROOM) * _WEIGHT_STEPS).astype(np.float32)
    narrow = np.flatnonzero(np.abs(rows.reshape(len(rows), -1)).max(axis=1) < needed)
    if not len(narrow):
        return None
    made = rows.copy()
    for channel in narrow:
        made[channel].reshape(-1)[0] = needed[channel]
    kept = Widened(weights.name, axis, tuple(int(channel) for channel in narrow), values)
    return kept, np.ascontiguousarray(np.moveaxis(made, 0, axis))


def _input_scale(seen: Observation, dtype: str) -> float:
    low, high = min(seen.minimum, 0.0), max(seen.maximum, 0.0)
    span = 2 * max(-low, high) if dtype == "int16" else high - low
    return span / _STEPS[dtype]


def _weights(graph: Subgraph, op: Op) -> Tensor:
    return graph.tensors[op.inputs[_LAYERS[op.name][1]]]


def _operand(graph: Subgraph, op: Op, place: int) -> Tensor | None:
    index = op.inputs[place] if place < len(op.inputs) else -1
    return graph.tensors[index] if index >= 0 else None
