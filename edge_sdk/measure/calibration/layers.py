"""Layers of the files that are calibrated with: real ops with weights from a seed, in any of the arithmetics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.making import Making
from edge_sdk.artifact.ties import FIXED

Mode = Literal["float32", "float16", "hybrid", "hybrid4", "int8"]
"""``float16`` stores weights so and computes in float32; ``hybrid``: dynamic range; ``hybrid4``: weights of 4 bits."""
_SCALE, _WEIGHT = 0.05, 0.01
# So many are drawn and repeated: no time depends on what weights are, as long as they are not zero.
_DRAWN = 4093
_FIXED: dict[str, dict[str, Any]] = {
    name: {"scale": (scale,), "zero_point": (zero_point,)} for name, (scale, zero_point) in FIXED.items()
}


@dataclass
class Layers:
    """Adds layers to a file; all values are NHWC, of batch 1."""

    mode: Mode
    made: Making
    draw: np.random.Generator
    entries: list[int] = field(default_factory=list)
    results: tuple[int, ...] = ()

    def entry(self, *shape: int) -> int:
        """An input."""
        self.entries.append(self._value(shape))
        return self.entries[-1]

    def finish(self, *results: int) -> None:
        """What leaves the file."""
        self.results = results

    def content(self) -> bytes:
        """The file."""
        return self.made.content(self.entries, self.results)

    def conv(  # noqa: PLR0913, PLR0917 - what CONV_2D has
        self,
        x: int,
        columns: int,
        size: int | tuple[int, int] = 1,
        stride: int = 1,
        act: str = "RELU",
        padding: str = "SAME",
        groups: int = 1,
    ) -> int:
        """CONV_2D with its activation inside."""
        _, height, width, channels = self.made.shape(x)
        kernel = (size, size) if isinstance(size, int) else size
        weights, bias = self._weights((columns, *kernel, channels // groups), 0, columns)
        shape = (1, *_reached((height, width), kernel, stride, padding), columns)
        return self.made.op(
            "CONV_2D",
            (x, weights, bias),
            shape,
            version=3,
            padding=padding,
            stride_w=stride,
            stride_h=stride,
            fused_activation_function=act,
        )

    def depthwise(self, x: int, size: int, stride: int = 1, act: str = "RELU6") -> int:
        """DEPTHWISE_CONV_2D."""
        _, height, width, channels = self.made.shape(x)
        weights, bias = self._weights((1, size, size, channels), 3, channels)
        shape = (1, *_reached((height, width), (size, size), stride, "SAME"), channels)
        return self.made.op(
            "DEPTHWISE_CONV_2D",
            (x, weights, bias),
            shape,
            version=3,
            padding="SAME",
            stride_w=stride,
            stride_h=stride,
            depth_multiplier=1,
            fused_activation_function=act,
        )

    def transposed(self, x: int, columns: int, size: int, stride: int) -> int:
        """TRANSPOSE_CONV that enlarges by its stride."""
        _, height, width, channels = self.made.shape(x)
        shape = (1, height * stride, width * stride, columns)
        weights, bias = self._weights((columns, size, size, channels), 0, columns)
        wanted = self.made.constant(np.array(shape, np.int32))
        return self.made.op(
            "TRANSPOSE_CONV",
            (wanted, weights, x, bias),
            shape,
            like=x,
            version=3,
            padding="SAME",
            stride_w=stride,
            stride_h=stride,
        )

    def dense(self, x: int, columns: int, act: str = "NONE") -> int:
        """FULLY_CONNECTED over the last axis."""
        *rows, depth = self.made.shape(x)
        weights, bias = self._weights((columns, depth), 0, columns)
        return self.made.op(
            "FULLY_CONNECTED",
            (x, weights, bias),
            (*rows, columns),
            version=5,
            keep_num_dims=len(rows) > 1,
            fused_activation_function=act,
        )

    def matmul(self, x: int, y: int, *, transposed: bool = False) -> int:
        """BATCH_MATMUL of two values."""
        *rows, _ = self.made.shape(x)
        columns = self.made.shape(y)[-2 if transposed else -1]
        return self.made.op("BATCH_MATMUL", (x, y), (*rows, columns), version=2, adj_y=transposed)

    def unary(self, kind: str, x: int, **options: Any) -> int:
        """An op on one value, element by element."""
        if self.mode == "int8" and kind in _FIXED:
            result = self.made.value(self.made.shape(x), "int8", **_FIXED[kind])
            self.made.row(kind, (x,), (result,), version=2, **options)
            return result
        return self.made.op(kind, (x,), self.made.shape(x), version=_versions(kind, self.mode), **options)

    def binary(self, kind: str, x: int, y: int, act: str = "NONE") -> int:
        """An op on two values; the second may be smaller."""
        options = {"fused_activation_function": act} if kind in ("ADD", "SUB", "MUL", "DIV") else {}
        # Not the first operand's scale: results of SOFTMAX and the like have one that other ops do not keep.
        result = self._value(self.made.shape(x))
        self.made.row(kind, (x, y), (result,), version=2, **options)
        return result

    def scaled(self, kind: str, x: int, act: str = "NONE") -> int:
        """An op with a constant for each channel."""
        channels = self.made.shape(x)[-1]
        return self.binary(kind, x, self._constant((channels,)), act)

    def shifted(self, kind: str, x: int) -> int:
        """An op with one number for all."""
        return self.binary(kind, x, self._constant(()))

    def prelu(self, x: int) -> int:
        """PRELU with a slope for each channel."""
        shape = self.made.shape(x)
        result = self._value(shape)
        self.made.row("PRELU", (x, self._constant((1, 1, shape[-1]))), (result,))
        return result

    def spread(self, x: int, block: int) -> int:
        """DEPTH_TO_SPACE."""
        _, height, width, channels = self.made.shape(x)
        shape = (1, height * block, width * block, channels // block**2)
        return self.made.op("DEPTH_TO_SPACE", (x,), shape, block_size=block)

    def pool(self, kind: str, x: int, size: int, stride: int) -> int:
        """AVERAGE_POOL_2D or MAX_POOL_2D."""
        _, height, width, channels = self.made.shape(x)
        shape = (1, *_reached((height, width), (size, size), stride, "SAME"), channels)
        sides = {"filter_width": size, "filter_height": size, "stride_w": stride, "stride_h": stride}
        return self.made.op(kind, (x,), shape, version=2, padding="SAME", **sides)

    def mean(self, x: int, axes: Sequence[int], kind: str = "MEAN", *, keep: bool = True) -> int:
        """A reduction."""
        shape = [1 if place in axes else extent for place, extent in enumerate(self.made.shape(x))]
        left = shape if keep else [extent for place, extent in enumerate(shape) if place not in axes]
        places = self.made.constant(np.array(axes, np.int32))
        return self.made.op(kind, (x, places), left, version=2, keep_dims=keep)

    def concat(self, values: Sequence[int]) -> int:
        """CONCATENATION of channels."""
        shapes = [self.made.shape(value) for value in values]
        channels = sum(shape[-1] for shape in shapes)
        return self.made.op("CONCATENATION", values, (*shapes[0][:-1], channels), version=2, axis=len(shapes[0]) - 1)

    def pad(self, x: int, before: int, after: int) -> int:
        """PAD of height and width."""
        _, height, width, channels = self.made.shape(x)
        amounts = np.array([[0, 0], [before, after], [before, after], [0, 0]], np.int32)
        more = before + after
        return self.made.op(
            "PAD", (x, self.made.constant(amounts)), (1, height + more, width + more, channels), version=2
        )

    def reshape(self, x: int, *shape: int) -> int:
        """RESHAPE."""
        return self.made.op("RESHAPE", (x, self.made.constant(np.array(shape, np.int32))), shape)

    def transpose(self, x: int, *order: int) -> int:
        """TRANSPOSE."""
        shape = self.made.shape(x)
        axes = self.made.constant(np.array(order, np.int32))
        return self.made.op("TRANSPOSE", (x, axes), [shape[axis] for axis in order], version=2)

    def resize(self, kind: str, x: int, factor: int) -> int:
        """RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR."""
        _, height, width, channels = self.made.shape(x)
        sides = (height * factor, width * factor)
        size = self.made.constant(np.array(sides, np.int32))
        return self.made.op(kind, (x, size), (1, *sides, channels), version=3, half_pixel_centers=True)

    def cut(self, x: int, channels: int) -> int:
        """STRIDED_SLICE of the first channels."""
        shape = self.made.shape(x)
        ends = (*shape[:-1], channels)
        lists = (np.zeros(len(shape), np.int32), np.array(ends, np.int32), np.ones(len(shape), np.int32))
        return self.made.op("STRIDED_SLICE", (x, *map(self.made.constant, lists)), ends, version=2)

    def softmax(self, x: int) -> int:
        """SOFTMAX over the last axis."""
        return self.unary("SOFTMAX", x, beta=1.0)

    def converted(self, x: int, kind: str) -> int:
        """QUANTIZE to int8, or DEQUANTIZE to float32."""
        shape = self.made.shape(x)
        result = self.made.value(shape, "int8", scale=(_SCALE,)) if kind == "QUANTIZE" else self.made.value(shape)
        self.made.row(kind, (x,), (result,), version=2)
        return result

    def rescaled(self, x: int) -> int:
        """QUANTIZE of int8 to the usual scale."""
        result = self._value(self.made.shape(x))
        self.made.row("QUANTIZE", (x,), (result,), version=2)
        return result

    def raw(self, dtype: str, *shape: int) -> int:
        """An input of a type of its own; ``other`` is int8 of another scale, ``positive`` int8 from 0."""
        scales = {"int8": (_SCALE,), "other": (2 * _SCALE,), "positive": (_SCALE,)}
        zero_point = (-128,) if dtype == "positive" else ()
        kind = dtype if dtype in ("int8", "float32") else "int8"
        self.entries.append(self.made.value(shape, kind, scale=scales.get(dtype, ()), zero_point=zero_point))
        return self.entries[-1]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _value(self, shape: Sequence[int]) -> int:
        return self.made.value(shape, "int8", scale=(_SCALE,)) if self.mode == "int8" else self.made.value(shape)

    def _constant(self, shape: Sequence[int]) -> int:
        if self.mode == "int8":
            return self.made.constant(self._bytes(shape), scale=(_WEIGHT,))
        return self.made.constant(self._floats(shape))

    def _bytes(self, shape: Sequence[int]) -> npt.NDArray[np.int8]:
        return np.resize(self.draw.integers(-127, 128, _DRAWN, np.int8), shape)

    def _floats(self, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.resize(0.1 * self.draw.standard_normal(_DRAWN, np.float32), shape)

    def _widened(self, values: npt.NDArray[np.float32]) -> int:
        """Stored in float16 behind a DEQUANTIZE, as converters write it."""
        result = self.made.value(values.shape)
        self.made.row("DEQUANTIZE", (self.made.constant(values.astype(np.float16)),), (result,), version=3)
        return result

    def _weights(self, shape: Sequence[int], axis: int, channels: int) -> tuple[int, int]:
        """Weights and bias."""
        # Not zeros: values that fade away from layer to layer become subnormal, and arithmetic with these takes long.
        biases = self._floats((channels,))
        if self.mode in ("float32", "float16"):
            values = self._floats(shape)
            if self.mode == "float32":
                return self.made.constant(values), self.made.constant(biases)
            return self._widened(values), self._widened(biases)
        scales = (_WEIGHT,) * channels
        if self.mode == "hybrid4":
            packed = np.resize(self.draw.integers(0, 256, _DRAWN, np.uint8), -(-prod(shape) // 2))
            weights = self.made.constant(packed, dtype="int4", shape=shape, scale=scales, axis=axis)
            return weights, self.made.constant(biases)
        weights = self.made.constant(self._bytes(shape), scale=scales, axis=axis)
        if self.mode == "hybrid":
            return weights, self.made.constant(biases)
        return weights, self.made.constant(np.zeros(channels, np.int32), scale=(_SCALE * _WEIGHT,) * channels)


def _versions(kind: str, mode: Mode) -> int:
    return 1 if mode != "int8" or kind in ("HARD_SWISH", "RELU_0_TO_1") else 2


def layers(mode: Mode, seed: int = 0) -> Layers:
    """An empty file."""
    return Layers(mode, Making(), np.random.default_rng(seed))


def _reached(sides: tuple[int, int], kernel: tuple[int, int], stride: int, padding: str) -> tuple[int, ...]:
    if padding == "SAME":
        return tuple(-(-side // stride) for side in sides)
    return tuple((side - size) // stride + 1 for side, size in zip(sides, kernel, strict=True))
