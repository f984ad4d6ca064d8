"""Biases so large that float32 does not hold them to a millionth, past ai-edge-quantizer's check of them.

It stores a bias in steps of input scale times weight scale, reads it back in float32 and stops where that is off by
more than 1e-6 ("Failed to quantize bias tensor"): of a bias of 11 float32's own rounding is. So it is given a 256th of
such biases, and the integers are written after it, rounded once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.errors import ConversionError

_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
# Half a unit in the last place of float32 is 1.2e-7 here; the quantizer rounds three times.
_LARGE = 2.0
_SMALLER = 1 / 256

Biases = Mapping[str, npt.NDArray[np.float32]]


def without_large_biases(data: bytes) -> tuple[bytes, Biases]:
    """A copy with a 256th of the large biases that one op alone reads, and what they are by name.

    Args:
        data: a float file, each tensor with a name of its own.
    """
    graph = parse_artifact(data).main
    found: dict[int, npt.NDArray[np.float32]] = {}
    for op in graph.ops:
        place = _BIAS.get(op.name, len(op.inputs))
        bias = graph.tensors[op.inputs[place]] if place < len(op.inputs) and op.inputs[place] >= 0 else None
        if bias is None or bias.constant is None or bias.dtype != "float32" or len(graph.readers[bias.index]) != 1:
            continue
        if float(np.max(np.abs(bias.values()), initial=0.0)) >= _LARGE:
            found[bias.index] = bias.values().astype(np.float32)
    if not found:
        return data, {}
    root, _ = parse_tree(data)
    edit = ConstantEdit(root)
    for index, values in found.items():
        edit.set_values(index, values * np.float32(_SMALLER))
    return pack_tree(root), {graph.tensors[index].name: values for index, values in found.items()}


def with_large_biases(data: bytes, biases: Biases) -> bytes:
    """The quantized file with those biases as they are, in its own steps.

    Raises:
        ConversionError: a bias is gone, or no integer of its type holds it.
    """
    if not biases:
        return data
    tensors = {tensor.name: tensor for tensor in parse_artifact(data).main.tensors}
    root, _ = parse_tree(data)
    edit = ConstantEdit(root)
    for name, values in biases.items():
        tensor = tensors.get(name)
        if tensor is None:
            raise ConversionError(f"bias `{name}` of the quantized file: expected it under its name, it is gone")
        if tensor.quantization is None:
            edit.set_values(tensor.index, values)
            continue
        steps = np.rint(values.astype(np.float64) / np.asarray(tensor.quantization.scale, np.float64))
        limits = np.iinfo(tensor.dtype)
        if steps.min() < limits.min or steps.max() > limits.max:
            raise ConversionError(f"bias `{name}`: {np.abs(steps).max():.3g} steps of its scale are no {tensor.dtype}")
        edit.set_values(tensor.index, steps.astype(tensor.dtype))
    return pack_tree(root)
