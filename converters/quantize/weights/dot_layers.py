"""Layers of an integer file whose weights can be rounded anew, beside the float file's, and what their results read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import expansions
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.converters.quantize.weights.windows import windows
from edge_sdk.engines.values import to_real
from edge_sdk.parity.pairing import pair_ops

Floats = npt.NDArray[np.float64]
_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
_LARGEST = {"int8": 127, "int4": 7}
_READ = frozenset({"int8", "int16", "float32"})
_ROWS, _ROWS_EACH = 4096, 4


@dataclass(frozen=True)
class DotLayer:
    """A dot product of both files.

    Attributes:
        op: in the integer file.
        reference: in the float one.
        kernel: its weights in the integer file.
        weights: in the float one.
        steps: of each weight, ``[results, 1]``, or ``[results, depth]`` where blocks of a row have their own.
    """

    op: Op
    reference: Op
    kernel: Tensor
    weights: npt.NDArray[np.float32]
    steps: Floats

    @property
    def data(self) -> int:
        """What it reads, in the integer file."""
        return self.op.inputs[0]

    @property
    def original(self) -> int:
        """Its weights in the float file."""
        return self.reference.inputs[1]

    @property
    def depth(self) -> int:
        """Weights to a result."""
        return int(self.weights.size // len(self.steps))

    @property
    def largest(self) -> int:
        """The greatest integer that stands for a weight."""
        return _LARGEST[self.kernel.dtype]

    @property
    def is_depthwise(self) -> bool:
        """Whether each result reads a channel of its own."""
        return self.op.name == "DEPTHWISE_CONV_2D"

    @property
    def count(self) -> int:
        """How many rows it is rounded on; a depthwise one reads as many for each channel."""
        return max(_ROWS // 8 if self.is_depthwise else _ROWS, _ROWS_EACH * self.depth)

    @property
    def held(self) -> int:
        """Values of all its rows."""
        return self.count * (self.weights.size if self.is_depthwise else self.depth)

    def rows_of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Weights of the file's shape, as ``[results, depth]``."""
        return np.moveaxis(values, _AXIS[self.op.name], 0).reshape(len(self.steps), -1)

    def back(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The inverse of :meth:`rows_of`."""
        axis, shape = _AXIS[self.op.name], self.kernel.shape
        moved = values.reshape(shape[axis], *(extent for place, extent in enumerate(shape) if place != axis))
        return np.ascontiguousarray(np.moveaxis(moved, 0, axis))

    def read(self, raw: npt.NDArray[Any], tensor: Tensor, each: int, rng: Any) -> npt.NDArray[np.float32]:
        """What results read of one sample, so many at most: ``[rows, depth]``, depthwise ``[channels, rows, d]``."""
        values = to_real(raw, tensor).astype(np.float32)
        if self.op.name == "FULLY_CONNECTED":
            rows = values.reshape(-1, self.depth)
            return rows if len(rows) <= each else rows[rng.choice(len(rows), each, replace=False)]
        kernel = self.kernel.shape[1:3]
        found = windows(self.op, values, (kernel[0], kernel[1]), each, rng)
        if self.is_depthwise:
            return np.ascontiguousarray(np.moveaxis(found.reshape(len(found), self.depth, -1), 2, 0))
        return found.reshape(len(found), -1)


def dot_layers(reference: bytes, quantized: bytes) -> Iterator[DotLayer]:
    """Dot products with integer weights that no other op reads, in order."""
    one, other = parse_artifact(reference), parse_artifact(quantized)
    readers = [Counter(i for op in graph.ops for i in op.inputs) for graph in (one.main, other.main)]
    stored = expansions(other.main)
    for pair in pair_ops(one, other):
        left, right = pair.reference, pair.candidate
        if right.name not in _AXIS or len(right.inputs) < 2:
            continue
        original, held = one.main.tensors[left.inputs[1]], other.main.tensors[right.inputs[1]]
        kernel = stored.get(held.index, held)
        data = other.main.tensors[right.inputs[0]]
        own = readers[0][original.index] == readers[1][held.index] == readers[1][kernel.index] == 1
        known = original.dtype == "float32" and original.constant is not None and kernel.constant is not None
        fits = kernel.dtype in _LARGEST and data.dtype in _READ and original.shape == kernel.shape
        if own and known and fits and _is_plain(right, kernel, data):
            yield DotLayer(right, left, kernel, original.values(), _steps(other.main, kernel, _AXIS[right.name]))


def _steps(graph: Subgraph, kernel: Tensor, axis: int) -> Floats:
    count = kernel.shape[axis]
    if kernel.blockwise is not None:
        scales = graph.tensors[kernel.blockwise.scales].values().astype(np.float64).reshape(count, -1)
        return np.repeat(scales, kernel.blockwise.block_size, axis=1)
    known = kernel.quantization
    scale = np.asarray(known.scale if known else 1.0, np.float64).reshape(-1)
    return np.broadcast_to(scale, (count,)).reshape(count, 1)


def _is_plain(op: Op, kernel: Tensor, data: Tensor) -> bool:
    """Neither grouped nor with several results to a channel."""
    if op.name == "FULLY_CONNECTED":
        return data.elements % kernel.shape[1] == 0
    return len(data.shape) == 4 and data.shape[3] == kernel.shape[3]
