"""Layers with constant weights, seen channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Op, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.lint.scene import LIMITS, Scene, one_scale, values_of

_LAYOUT = {  # op: places of data, weights and bias, and the axis of the output channels
    "CONV_2D": (0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 2, 3),
    "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}
_CLAMPS = {"RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


@dataclass(frozen=True)
class Layer:
    """``weights`` has one row per output channel, with ``zero_point`` taken away where it is stored as an integer."""

    op: Op
    data: Tensor
    kernel: Tensor
    bias: Tensor | None
    result: Tensor
    weights: npt.NDArray[Any]

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """Channels whose weights are all zero."""
        found: npt.NDArray[np.bool_] = ~self.weights.any(axis=1)
        return found

    def scales(self) -> npt.NDArray[np.float64] | None:
        """One scale per channel; None where the weights are float."""
        quantization = self.kernel.quantization
        if quantization is None or len(quantization.scale) not in (1, len(self.weights)):
            return None
        return np.broadcast_to(np.array(quantization.scale), len(self.weights))

    def bias_values(self) -> npt.NDArray[Any]:
        """One per channel, as stored; zeros where there is none."""
        values = values_of(self.bias)
        fits = values is not None and values.size == len(self.weights)
        return values.ravel() if fits and values is not None else np.zeros(len(self.weights))

    def multipliers(self) -> npt.NDArray[np.float64] | None:
        """Scale of data times scale of weights over scale of result, per channel; None in float."""
        data, result, scales = one_scale(self.data), one_scale(self.result), self.scales()
        if data is None or result is None or scales is None:
            return None
        products: npt.NDArray[np.float64] = data.scale[0] * scales / result.scale[0]
        return products

    def output_levels(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """The lowest and the highest stored value that each channel can come to, for any input."""
        data, result, multipliers = one_scale(self.data), one_scale(self.result), self.multipliers()
        if data is None or result is None or multipliers is None:
            return None
        low, high = (edge - data.zero_point[0] for edge in LIMITS[self.data.dtype])
        weights = self.weights.astype(np.float64)
        ends = weights * low, weights * high
        sums = np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
        bias = self.bias_values().astype(np.float64)
        floor, ceiling = self._clamp(result.scale[0], result.zero_point[0])
        levels = [np.round((total + bias) * multipliers) + result.zero_point[0] for total in sums]
        return np.clip(levels[0], floor, ceiling), np.clip(levels[1], floor, ceiling)

    def _clamp(self, scale: float, zero_point: int) -> tuple[float, float]:
        number = int(self.op.options.get("fused_activation_function") or 0)
        label = schema().enums["ActivationFunctionType"].get(number, "NONE")
        low, high = LIMITS[self.result.dtype]
        if label not in _CLAMPS:
            return low, high
        floor, ceiling = (edge / scale + zero_point for edge in _CLAMPS[label])
        return max(low, round(floor)), min(high, round(ceiling) if np.isfinite(ceiling) else high)


def layers(scene: Scene) -> Iterator[Layer]:
    """Layers of a subgraph whose weights can be read."""
    for op in scene.graph.ops:
        layer = _layer(scene, op) if op.name in _LAYOUT else None
        if layer is not None:
            yield layer


def _layer(scene: Scene, op: Op) -> Layer | None:
    data, weights, bias, axis = _LAYOUT[op.name]
    source, kernel = scene.tensor(op.inputs, data), scene.tensor(op.inputs, weights)
    result = scene.tensor(op.outputs, 0)
    values = values_of(kernel)
    if source is None or kernel is None or result is None or values is None or values.ndim <= axis or not values.size:
        return None
    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
    quantization = kernel.quantization
    if quantization and not quantization.per_channel and quantization.zero_point[0]:
        rows = rows.astype(np.int32) - quantization.zero_point[0]
    return Layer(op, source, kernel, scene.tensor(op.inputs, bias), result, rows)
