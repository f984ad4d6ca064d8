"""The primitives of :mod:`.ops` in TensorFlow, for Keras of either generation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Pairs = Sequence[tuple[int, int]]


class TensorFlowBackend:
    """Stateless."""

    relu = staticmethod(tf.nn.relu)
    tanh = staticmethod(tf.tanh)
    sigmoid = staticmethod(tf.sigmoid)
    exp = staticmethod(tf.exp)
    log = staticmethod(tf.math.log)
    sqrt = staticmethod(tf.sqrt)
    rsqrt = staticmethod(tf.math.rsqrt)
    erf = staticmethod(tf.math.erf)
    sin = staticmethod(tf.sin)
    cos = staticmethod(tf.cos)
    floor = staticmethod(tf.floor)
    ceil = staticmethod(tf.math.ceil)
    round = staticmethod(tf.round)
    sign = staticmethod(tf.sign)
    argmax = staticmethod(tf.argmax)
    argmin = staticmethod(tf.argmin)
    cumsum = staticmethod(tf.cumsum)
    matmul = staticmethod(tf.matmul)
    maximum = staticmethod(tf.maximum)

    def constant(self, values: Any) -> Any:
        return tf.constant(values)

    def number(self, value: Any) -> Any:
        return value.numpy() if hasattr(value, "numpy") else tf.get_static_value(value)

    def shape(self, x: Any) -> tuple[Any, ...]:
        """Extents; the number of samples is None while a function of open batch is traced."""
        return tuple(x.shape)

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        return tf.reshape(x, tuple(shape))

    def expand(self, x: Any, axis: int) -> Any:
        return tf.expand_dims(x, axis)

    def align(self, x: Any, rank: int) -> Any:
        for _ in range(rank - len(x.shape)):
            x = tf.expand_dims(x, 1)
        return x

    def align_back(self, x: Any, like: Any) -> Any:
        for _ in range(len(like.shape) - len(x.shape)):
            x = tf.expand_dims(x, -1)
        return x

    def same_samples(self, parts: Sequence[Any]) -> list[Any]:
        most = max((part for part in parts), key=lambda part: part.shape[0] != 1)
        count = tf.shape(most)[0]
        return [tf.repeat(part, count, 0) if part.shape[0] == 1 and most.shape[0] != 1 else part for part in parts]

    def transpose(self, x: Any, order: Sequence[int]) -> Any:
        return tf.transpose(x, tuple(order))

    def swap_last(self, x: Any) -> Any:
        return tf.linalg.matrix_transpose(x)

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        return tf.concat(list(parts), axis)

    def split(self, x: Any, sizes: Sequence[int], axis: int) -> Any:
        return tf.split(x, list(sizes), axis)

    def take(self, x: Any, positions: Any, axis: int) -> Any:
        return tf.gather(x, np.asarray(positions), axis=axis)

    def lookup(self, table: Any, indices: Any) -> Any:
        return tf.gather(table, tf.cast(indices, tf.int32))

    def first_sample(self, x: Any) -> Any:
        return x[0]

    def pad(self, x: Any, paddings: Pairs, value: float) -> Any:
        return tf.pad(x, [list(pair) for pair in paddings], constant_values=value)

    def clip(self, x: Any, low: float, high: float) -> Any:
        return tf.clip_by_value(x, low, high)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return tf.where(tf.cast(condition, tf.bool), x, y)

    def to_float(self, x: Any) -> Any:
        return tf.cast(x, tf.float32)

    def to_whole(self, x: Any, *, wide: bool) -> Any:
        return tf.cast(x, tf.int64 if wide else tf.int32)

    def prod(self, x: Any, axes: Sequence[int]) -> Any:
        return tf.reduce_prod(x, tuple(axes))

    def mean(self, x: Any, axes: Sequence[int]) -> Any:
        return tf.reduce_mean(x, tuple(axes))

    def sum(self, x: Any, axes: Sequence[int]) -> Any:
        return tf.reduce_sum(x, tuple(axes))

    def max(self, x: Any, axes: Sequence[int]) -> Any:
        return tf.reduce_max(x, tuple(axes))

    def min(self, x: Any, axes: Sequence[int]) -> Any:
        return tf.reduce_min(x, tuple(axes))

    def softmax(self, x: Any) -> Any:
        return tf.nn.softmax(x)

    def conv(self, x: Any, w: Any, *, strides: Any, paddings: Pairs, dilations: Any) -> Any:
        kernel = tf.transpose(w, (1, 2, 3, 0))
        return tf.nn.conv2d(x, kernel, list(strides), _explicit(paddings), dilations=list(dilations))

    def depthwise(self, x: Any, w: Any, *, strides: Any, paddings: Pairs, dilations: Any) -> Any:
        channels, multiplied = x.shape[-1], w.shape[-1]
        kernel = tf.reshape(w, (w.shape[1], w.shape[2], channels, multiplied // channels))
        (top, bottom), (left, right) = paddings
        if any((top, bottom, left, right)):
            x = tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]])
        if strides[0] != strides[1]:
            # TensorFlow's depthwise kernel has one stride; the dense values between are left out after it.
            whole = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID", dilations=list(dilations))
            return whole[:, :: strides[0], :: strides[1]]
        return tf.nn.depthwise_conv2d(x, kernel, [1, *strides, 1], "VALID", dilations=list(dilations))

    def transpose_conv(self, x: Any, w: Any, *, strides: Any, extents: Any, same: bool) -> Any:
        kernel = tf.transpose(w, (1, 2, 0, 3))
        shape = tf.stack([tf.shape(x)[0], *extents, w.shape[0]])
        return tf.nn.conv2d_transpose(x, kernel, shape, list(strides), "SAME" if same else "VALID")

    def max_pool(self, x: Any, size: Any, strides: Any, paddings: Pairs) -> Any:
        return tf.nn.max_pool2d(x, list(size), list(strides), _explicit(paddings))

    def average_pool(self, x: Any, size: Any, strides: Any, paddings: Pairs) -> Any:
        padded = any(extent for pair in paddings for extent in pair)
        return tf.nn.avg_pool2d(x, list(size), list(strides), "SAME" if padded else "VALID")


def _explicit(paddings: Pairs) -> Any:
    if not any(extent for pair in paddings for extent in pair):
        return "VALID"
    return [[0, 0], *(list(pair) for pair in paddings), [0, 0]]
