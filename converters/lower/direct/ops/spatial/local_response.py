"""Local response normalization."""

from __future__ import annotations

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, unary
from edge_sdk.converters.lower.direct.ops.arithmetic.magnitudes import to_power
from edge_sdk.converters.lower.direct.ops.windows import image_tensor, image_value
from edge_sdk.converters.lower.direct.value import Value


def _lrn(builder: Builder, node: Node) -> Value:
    """``x / (bias + alpha / size * sum of squares of near channels) ** beta``.

    The op reads as many channels before as after; for an even size the sum is a product with a band of ones.
    """
    x, size = node.input(), int(node.attribute("size"))
    alpha, beta = float(node.attribute("alpha", 1e-4)) / size, float(node.attribute("beta", 0.75))
    bias = float(node.attribute("bias", 1.0))
    image = image_tensor(builder, x)
    if size % 2 == 0:
        return _by_band(builder, image_value(image), (size, alpha, beta, bias))
    flat = builder.reshaped(image, (image.shape[0], int(np.prod(image.shape[1:-1])), 1, image.shape[-1]))
    made = builder.emit(
        "LOCAL_RESPONSE_NORMALIZATION", [flat], flat.shape, radius=size // 2, bias=bias, alpha=alpha, beta=beta
    )
    return image_value(builder.reshaped(made, image.shape))


def _by_band(builder: Builder, x: Value, numbers: tuple[int, float, float, float]) -> Value:
    size, alpha, beta, bias = numbers
    channels = np.arange(x.tensor.shape[-1])
    distance = channels[None, :] - channels[:, None]
    band = alpha * ((distance >= -((size - 1) // 2)) & (distance <= size // 2))
    squares = unary(builder, x, "SQUARE").tensor
    summand = builder.constant(np.full(len(channels), bias), "float32")
    weights = builder.constant(band, "float32")
    sums = builder.emit("FULLY_CONNECTED", [squares, weights, summand], squares.shape, keep_num_dims=True)
    return binary(builder, "MUL", [x, to_power(builder, Value(sums, x.order, x.spatial), -beta)])


OPS = {"LRN": _lrn}
