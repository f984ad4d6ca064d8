"""How a model wants pixels, as far as the first ops on its input tell: ``Rescaling``, ``Normalization``, ``x / 255``.

TensorFlow's converter multiplies a factor into the weights of a first convolution: there the size of the weights tells.
Filters that answer to values about 1 have norms about 1; those for 0 to 255 have norms of a few thousandths. In an
integer file the same is read off what its integers stand for, and the range of a quantized input tells by itself.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.constants import real_values
from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor

_PARTS = frozenset({"SLICE", "STRIDED_SLICE", "GATHER"})
_CARRIED = _PARTS | {"CAST", "CONCATENATION", "DEQUANTIZE", "EXPAND_DIMS", "MIRROR_PAD", "PAD", "PADV2", "QUANTIZE",
                     "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SPLIT", "SQUEEZE",
                     "TRANSPOSE"}  # fmt: skip
_FILTERS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
# 1/255 to 1/(255 * 0.22), and as far again on both sides: a factor that makes 0..255 small, and 0..1 nothing.
_PIXEL_FACTORS = (1 / 1100, 1 / 20)
# A mean of pixels is about 120, one of values from 0 to 1 about 0.5.
_PIXEL_MEANS = (10.0, 255.0)
_UNIT_MEANS = (0.2, 0.8)
_PAIRS = 4
_PIXEL_NORM = 0.03
# No other scaling of pixels leaves so much: (0 .. 1 - mean) / deviation ends below 5.
_PIXEL_RANGE = (30.0, 300.0)


def pixel_scale(artifact: Artifact, name: str) -> float | None:
    """The factor on 0..255 pixels that an input was trained on: 1 or 1/255; None where the graph does not tell.

    Args:
        artifact: a float file, or an integer one made from it.
        name: of an image input.
    """
    graph = artifact.main
    index = artifact.signature.inputs[name].index
    return 1.0 if _holds_pixels(graph, index) else _from_ops(graph, index)


def _from_ops(graph: Subgraph, index: int) -> float | None:
    known: list[tuple[str, float]] = []
    for _ in range(_PAIRS + len(_CARRIED)):
        op = _next(graph, index)
        if op is None:
            return None
        index = op.outputs[0]
        if op.name in _FILTERS:
            return _from_filters(graph, op)
        size = None if op.name in _CARRIED else _constant(graph, op)
        if size is not None:
            known.append(("+" if op.name in ("SUB", "ADD") else "*", 1 / size if op.name == "DIV" else size))
            scale = _from_arithmetic(known)
            if scale is not None or len(known) > 1:
                return scale
        elif op.name not in _CARRIED:
            return None
    return None


def _from_arithmetic(steps: list[tuple[str, float]]) -> float | None:
    """What one or two first steps say: products (``*``) and shifts (``+``), each with its constant's mean size."""
    (kind, size), (other, last) = steps[0], steps[-1]
    if kind == "+":
        if _PIXEL_MEANS[0] <= size <= _PIXEL_MEANS[1]:
            return 1.0
        return _from_factor(last, shifted=True) if other == "*" else None
    if other == "*":
        return _from_factor(size, shifted=False)
    # Of x * factor - shift: a normalization of 0..1 written as a product and a sum.
    usual = 1 < size < _PIXEL_MEANS[0] and _UNIT_MEANS[0] <= last / size <= _UNIT_MEANS[1]
    return 1 / 255 if usual else None


def _from_factor(factor: float, *, shifted: bool) -> float | None:
    """What a first multiplication says; one after a mean of less than one pixel is a standard deviation of 0..1."""
    if _PIXEL_FACTORS[0] <= factor <= _PIXEL_FACTORS[1]:
        return 1.0
    return 1 / 255 if shifted and 1 < factor < _PIXEL_MEANS[0] else None


def _next(graph: Subgraph, index: int) -> Op | None:
    """What reads a tensor: one op, or several that each take a part of it, as colours that change places do."""
    readers = [op for op in graph.ops if index in op.inputs]
    apart = len(readers) > 1 and all(op.name in _PARTS for op in readers)
    return readers[0] if apart or len(readers) == 1 else None


def _from_filters(graph: Subgraph, op: Op) -> float | None:
    weights = graph.tensors[op.inputs[1]]
    if not _is_real(weights):
        return None
    values = np.moveaxis(real_values(weights), _FILTERS[op.name], 0).reshape(weights.shape[_FILTERS[op.name]], -1)
    return 1.0 if 0 < float(np.median(np.linalg.norm(values, axis=1))) < _PIXEL_NORM else None


def _only_reader(graph: Subgraph, index: int) -> Op | None:
    readers = [op for op in graph.ops if index in op.inputs]
    return readers[0] if len(readers) == 1 else None


def _constant(graph: Subgraph, op: Op) -> float | None:
    """The mean size of an arithmetic op's constant; None of any other op."""
    if op.name not in ("MUL", "DIV", "SUB", "ADD") or op.options.get("fused_activation_function"):
        return None
    constants = [tensor for tensor in graph.operands(op) if _is_real(tensor)]
    size = (
        float(np.mean(np.abs(real_values(constants[0])))) if len(constants) == 1 and constants[0].elements <= 4 else 0.0
    )
    return size or None


def _is_real(tensor: Tensor) -> bool:
    """A constant of real values, whether stored as float or as integers with a scale."""
    return tensor.constant is not None and (tensor.dtype == "float32" or tensor.quantization is not None)


def _holds_pixels(graph: Subgraph, index: int) -> bool:
    """Whether an input, or what a QUANTIZE makes of it, has the range of pixels from 0 to 255; bytes are pixels."""
    op = _only_reader(graph, index)
    if graph.tensors[index].dtype == "uint8" and graph.tensors[index].quantization is None:
        return True
    tensor = graph.tensors[op.outputs[0] if op is not None and op.name == "QUANTIZE" else index]
    known = tensor.quantization
    if known is None or known.per_channel or tensor.dtype not in ("int8", "uint8"):
        return False
    highest = (float(np.iinfo(tensor.dtype).max) - known.zero_point[0]) * known.scale[0]
    return _PIXEL_RANGE[0] <= highest <= _PIXEL_RANGE[1]
