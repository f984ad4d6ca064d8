"""Normalizations and softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, unary
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import reduced, without_axes
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.products.matmul import axis_last
from edge_sdk.converters.lower.direct.ops.windows import image_tensor
from edge_sdk.converters.lower.direct.value import Value, channels_last

Form = Callable[[Builder, Node], Value | list[Value]]


def per_channel(builder: Builder, numbers: Value, rank: int) -> Value:
    """A vector ``[C]`` that broadcasts over ``[N, C, ...]``."""
    shape = (1, -1, *[1] * (rank - 2))
    if numbers.is_constant:
        return builder.fixed(numbers.data.reshape(shape))
    tensor = builder.reshaped(builder.arranged(numbers), (1, numbers.shape[0], *[1] * (rank - 2)))
    return Value(tensor, tuple(range(rank)))


def _batch_norm(builder: Builder, node: Node) -> Value | list[Value]:
    """One factor and one summand for each channel, which a convolution before it takes in."""
    x, scale, shift, mean, variance = (node.input(i) for i in range(5))
    if node.attribute("training_mode", 0) or any(node.outputs[1:]):
        return _batch_norm_in_training(builder, node)
    epsilon = float(node.attribute("epsilon", 1e-5))
    if all(v.is_constant for v in (scale, shift, mean, variance)):
        factor = scale.data / np.sqrt(variance.data + np.float32(epsilon))
        summand = shift.data - mean.data * factor
        factors, summands = builder.fixed(factor.astype(x.dtype)), builder.fixed(summand.astype(x.dtype))
    else:
        root = unary(builder, binary(builder, "ADD", [variance, scalar(builder, epsilon, variance)]), "RSQRT")
        factors = binary(builder, "MUL", [scale, root])
        summands = binary(builder, "SUB", [shift, binary(builder, "MUL", [mean, factors])])
    scaled = binary(builder, "MUL", [x, per_channel(builder, factors, x.rank)])
    return binary(builder, "ADD", [scaled, per_channel(builder, summands, x.rank)])


def _batch_norm_in_training(builder: Builder, node: Node) -> list[Value]:
    """By the batch's own mean and variance; also gives the averages that run from batch to batch."""
    if node.opset < 14:
        raise NoFormError("a batch norm in training mode, before opset 14")
    x, momentum = node.input(0), float(node.attribute("momentum", 0.9))
    axes = [axis for axis in range(x.rank) if axis != 1]
    mean = reduced(builder, x, "MEAN", axes, keep=True)
    centred = binary(builder, "SUB", [x, mean])
    variance = reduced(builder, unary(builder, centred, "SQUARE"), "MEAN", axes, keep=True)
    lifted = binary(builder, "ADD", [variance, scalar(builder, float(node.attribute("epsilon", 1e-5)), x)])
    made = binary(builder, "MUL", [centred, unary(builder, lifted, "RSQRT")])
    made = binary(builder, "MUL", [made, per_channel(builder, node.input(1), x.rank)])
    made = binary(builder, "ADD", [made, per_channel(builder, node.input(2), x.rank)])
    pairs = ((node.input(3), mean), (node.input(4), variance))
    return [made, *(_running(builder, old, without_axes(builder, new, axes), momentum) for old, new in pairs)]


def _running(builder: Builder, old: Value, new: Value, momentum: float) -> Value:
    kept, added = scalar(builder, momentum, old), scalar(builder, 1 - momentum, old)
    return binary(builder, "ADD", [binary(builder, "MUL", [old, kept]), binary(builder, "MUL", [new, added])])


def standardized(builder: Builder, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    """``(x - mean) / sqrt(variance + epsilon)`` over axes of the source."""
    mean = reduced(builder, x, "MEAN", axes, keep=True)
    centred = binary(builder, "SUB", [x, mean])
    return binary(builder, "MUL", [centred, inverse_deviation(builder, centred, axes, epsilon)])


def inverse_deviation(builder: Builder, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    """``1 / sqrt(mean(x^2) + epsilon)`` over axes of the source."""
    power = reduced(builder, unary(builder, x, "SQUARE"), "MEAN", axes, keep=True)
    return unary(builder, binary(builder, "ADD", [power, scalar(builder, epsilon, x)]), "RSQRT")


def _layer_norm(builder: Builder, node: Node) -> list[Value]:
    """Also gives the mean and the inverse deviation, where they are asked for."""
    x = node.input(0)
    axes = range(int(node.attribute("axis", -1)) % x.rank, x.rank)
    mean = reduced(builder, x, "MEAN", axes, keep=True)
    centred = binary(builder, "SUB", [x, mean])
    factor = inverse_deviation(builder, centred, axes, float(node.attribute("epsilon", 1e-5)))
    made = binary(builder, "MUL", [binary(builder, "MUL", [centred, factor]), node.input(1)])
    return [binary(builder, "ADD", [made, node.input(2)]) if node.given(2) else made, mean, factor]


def _rms_norm(builder: Builder, node: Node) -> Value:
    x = node.input(0)
    axes = range(int(node.attribute("axis", -1)) % x.rank, x.rank)
    factor = inverse_deviation(builder, x, axes, float(node.attribute("epsilon", 1e-5)))
    return binary(builder, "MUL", [binary(builder, "MUL", [x, factor]), node.input(1)])


def _instance_norm(builder: Builder, node: Node) -> Value:
    x, epsilon = node.input(0), float(node.attribute("epsilon", 1e-5))
    image = x.before
    if image is not None and _is_grouping(image, x) and _is_plain(node):
        # How PyTorch's exporter writes a group norm.
        return reshape(builder, grouped_norm(builder, image, x.shape[1], epsilon), x.shape)
    made = standardized(builder, x, range(2, x.rank), epsilon)
    made = binary(builder, "MUL", [made, per_channel(builder, node.input(1), x.rank)])
    return binary(builder, "ADD", [made, per_channel(builder, node.input(2), x.rank)])


def _is_grouping(image: Value, x: Value) -> bool:
    """Whether ``[N, C, ...]`` was reshaped to ``[N, groups, ...]``, and is held with its channels last."""
    rows = image.shape[:1] == x.shape[:1] and image.rank > 2 and x.rank > 2
    return rows and image.order == channels_last(image.rank) and image.shape[1] % x.shape[1] == 0


def _is_plain(node: Node) -> bool:
    scale, shift = node.input(1), node.input(2)
    known = scale.is_constant and shift.is_constant
    return known and bool(np.all(scale.data == 1)) and not np.any(shift.data)


def _group_norm(builder: Builder, node: Node) -> Value:
    """Channels last, as ``[N, positions, groups, channels of a group]``: four axes whatever the image's rank."""
    x, groups = node.input(0), int(node.attribute("num_groups"))
    channels = x.shape[1]
    whole = grouped_norm(builder, x, groups, float(node.attribute("epsilon", 1e-5)))
    scale, shift = (_to_channels(builder, node.input(i), channels) for i in (1, 2))
    scaled = binary(builder, "MUL", [whole, per_channel(builder, scale, x.rank)])
    return binary(builder, "ADD", [scaled, per_channel(builder, shift, x.rank)])


def grouped_norm(builder: Builder, x: Value, groups: int, epsilon: float) -> Value:
    """``[N, C, ...]`` with each group of channels standardized over its own positions."""
    batch, channels = x.shape[:2]
    image = image_tensor(builder, x)
    grouped = builder.reshaped(image, (batch, x.tensor.size // batch // channels, groups, channels // groups))
    made = standardized(builder, Value(grouped, (0, 1, 2, 3)), (1, 3), epsilon)
    return Value(builder.reshaped(made.tensor, image.shape), channels_last(x.rank), x.spatial)


def _to_channels(builder: Builder, numbers: Value, channels: int) -> Value:
    """Opset 18 gives one number for each group, 21 one for each channel."""
    if numbers.shape[0] == channels:
        return numbers
    if not numbers.is_constant:
        raise NoFormError("a group norm whose factors depend on data")
    return builder.fixed(np.repeat(numbers.data, channels // numbers.shape[0]))


def _along_last(builder: Builder, x: Value, axis: int, kind: str, **options: Any) -> Value:
    order = axis_last(x, axis % x.rank)
    tensor = builder.arranged(x, order)
    return Value(builder.emit(kind, [tensor], tensor.shape, **options), order, x.spatial and order == x.order)


def softmax(builder: Builder, x: Value, axis: int) -> Value:
    """SOFTMAX over one axis of the source."""
    return _along_last(builder, x, axis, "SOFTMAX", beta=1.0)


def log_softmax(builder: Builder, x: Value, axis: int) -> Value:
    """LOG_SOFTMAX over one axis of the source."""
    return _along_last(builder, x, axis, "LOG_SOFTMAX")


def _soft(form: Callable[[Builder, Value, int], Value]) -> Form:
    def made(builder: Builder, node: Node) -> Value:
        x = node.input()
        if x.rank == 0:
            raise NoFormError("a softmax of a scalar")
        if node.opset >= 13:
            return form(builder, x, int(node.attribute("axis", -1)))
        return _flattened(builder, x, int(node.attribute("axis", 1)) % x.rank, form)

    return made


def _flattened(builder: Builder, x: Value, axis: int, form: Callable[[Builder, Value, int], Value]) -> Value:
    """Before opset 13 all axes from this one on are one."""
    if all(size == 1 for size in x.shape[axis + 1 :]):
        return form(builder, x, axis)
    rows = int(np.prod(x.shape[:axis]))
    flat = Value(builder.reshaped(builder.arranged(x), (rows, x.tensor.size // max(rows, 1))), (0, 1))
    return Value(builder.reshaped(form(builder, flat, 1).tensor, x.shape), tuple(range(x.rank)))


def _lp_norm(builder: Builder, node: Node) -> Value:
    """``x / norm``, and zero where the norm is zero."""
    x, p = node.input(), int(node.attribute("p", 2))
    axis = int(node.attribute("axis", -1))
    if p == 1:
        size = reduced(builder, unary(builder, x, "ABS"), "SUM", [axis], keep=True)
    else:
        size = unary(builder, reduced(builder, unary(builder, x, "SQUARE"), "SUM", [axis], keep=True), "SQRT")
    # The smallest normal number keeps 0 / 0 at 0.
    safe = binary(builder, "MAXIMUM", [size, scalar(builder, float(np.finfo(np.float32).tiny), x)])
    return binary(builder, "DIV", [x, safe])


def _mean_variance(builder: Builder, node: Node) -> Value:
    x = node.input()
    axes = [int(a) % x.rank for a in node.attribute("axes", [0, 2, 3])]
    return standardized(builder, x, axes, 1e-9)


OPS: dict[str, Form] = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _soft(log_softmax),
    "LpNormalization": _lp_norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _rms_norm,
    "Softmax": _soft(softmax),
}
