"""TFLite's ops over a framework's primitives; one sample axis more than the file has.

A value is ``[samples, *shape in the file]``, so that the file's batch of 1 may wander through reshapes and transposes
as it likes and samples never mix. Constants have one sample. Each kernel takes ``(b, step, args)``: the backend, the
step and its operands (None where absent), and returns the results in order, real-valued, not rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sdk.converters.replay import deciding, moving

if TYPE_CHECKING:
    from edge_sdk.converters.replay.steps import Step

Kernel = Callable[[Any, "Step", list[Any]], list[Any]]
_SAME = 0


def activated(b: Any, code: int, x: Any) -> Any:
    """A fused activation; codes of TFLite's ActivationFunctionType."""
    if code == 0:
        return x
    return {1: b.relu, 2: lambda v: b.clip(v, -1.0, 1.0), 3: lambda v: b.clip(v, 0.0, 6.0), 4: b.tanh}[code](x)


def _fused(b: Any, step: Step, x: Any) -> list[Any]:
    return [activated(b, step.op.options.get("fused_activation_function", 0), x)]


def _images(b: Any, x: Any) -> Any:
    """``[n, 1, h, w, c]`` to ``[n, h, w, c]``."""
    shape = b.shape(x)
    return b.reshape(x, (-1, *shape[2:]))


def _paddings(step: Step, extents: Sequence[int], kernel: Sequence[int]) -> list[tuple[int, int]]:
    """What SAME adds before and after each spatial axis; nothing for VALID."""
    if step.op.options.get("padding", 0) != _SAME:
        return [(0, 0)] * len(kernel)
    options = step.op.options
    strides = (options["stride_h"], options["stride_w"])
    dilations = (options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1))
    found = []
    for size, k, stride, dilation in zip(extents, kernel, strides, dilations, strict=True):
        span = (k - 1) * dilation + 1
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        found.append((total // 2, total - total // 2))
    return found


def _convolution(b: Any, step: Step, args: list[Any], convolve: Callable[..., Any]) -> list[Any]:
    x, w, bias = _images(b, args[0]), args[1], args[2] if len(args) > 2 else None
    options = step.op.options
    shape, kernel = b.shape(x), b.shape(w)
    y = convolve(
        x,
        w,
        strides=(options["stride_h"], options["stride_w"]),
        paddings=_paddings(step, shape[1:3], kernel[1:3]),
        dilations=(options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)),
    )
    return _fused(b, step, moving.out(b, step, y if bias is None else y + bias))


def _conv(b: Any, step: Step, args: list[Any]) -> list[Any]:
    return _convolution(b, step, args, b.conv)


def _depthwise(b: Any, step: Step, args: list[Any]) -> list[Any]:
    return _convolution(b, step, args, b.depthwise)


def _transpose_conv(b: Any, step: Step, args: list[Any]) -> list[Any]:
    _, w, data, *rest = args
    x = _images(b, data)
    options = step.op.options
    y = b.transpose_conv(
        x,
        w,
        strides=(options["stride_h"], options["stride_w"]),
        extents=step.shapes[0][1:3],
        same=options.get("padding", 0) == _SAME,
    )
    bias = rest[0] if rest else None
    return _fused(b, step, moving.out(b, step, y if bias is None else y + bias))


def _fully_connected(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, w, bias = args[0], args[1], args[2] if len(args) > 2 else None
    features = b.shape(w)[1]
    y = b.matmul(b.reshape(x, (-1, features)), b.transpose(w, (1, 0)))
    return _fused(b, step, moving.out(b, step, y if bias is None else y + bias))


def _batch_matmul(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, y = args
    rank = max(len(b.shape(x)), len(b.shape(y)))
    x, y = (b.align(v, rank) for v in (x, y))
    if step.op.options.get("adj_x"):
        x = b.swap_last(x)
    if step.op.options.get("adj_y"):
        y = b.swap_last(y)
    return [b.matmul(x, y)]


def _binary(function: Callable[[Any, Any, Any], Any]) -> Kernel:
    def kernel(b: Any, step: Step, args: list[Any]) -> list[Any]:
        args = [deciding.sampled(b, a) for a in args]
        rank = max(len(b.shape(a)) for a in args)
        one, other = (b.align(a, rank) for a in args)
        return _fused(b, step, function(b, one, other))

    return kernel


def _unary(function: Callable[[Any, Any], Any]) -> Kernel:
    return lambda b, step, args: [function(b, args[0])]


def _axes(step: Step, args: list[Any]) -> list[int]:
    """Axes of a reduction, counted with the sample axis."""
    rank = len(step.op.inputs) and args[-1]
    return [int(a) for a in np.atleast_1d(moving.constant(rank))]


def _reduction(name: str) -> Kernel:
    def kernel(b: Any, step: Step, args: list[Any]) -> list[Any]:
        rank = len(b.shape(args[0])) - 1
        axes = tuple(a % rank + 1 for a in _axes(step, args))
        return [moving.out(b, step, getattr(b, name)(args[0], axes))]

    return kernel


def _pool(name: str) -> Kernel:
    def kernel(b: Any, step: Step, args: list[Any]) -> list[Any]:
        x, options = _images(b, args[0]), step.op.options
        size = (options["filter_height"], options["filter_width"])
        paddings = _paddings(step, b.shape(x)[1:3], size)
        y = getattr(b, name)(x, size, (options["stride_h"], options["stride_w"]), paddings)
        return _fused(b, step, moving.out(b, step, y))

    return kernel


def _concatenation(b: Any, step: Step, args: list[Any]) -> list[Any]:
    rank = len(b.shape(args[0])) - 1
    return _fused(b, step, b.concat(b.same_samples(args), step.op.options["axis"] % rank + 1))


def _resize_nearest(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, options = args[0], step.op.options
    for axis in (1, 2):
        positions = _source_positions(b.shape(x)[axis + 1], step.shapes[0][axis], options)
        half = 0.5 if options.get("align_corners") else 0.0
        nearest = np.minimum(np.floor(positions + half), b.shape(x)[axis + 1] - 1).astype(int)
        x = b.take(x, nearest, axis + 1)
    return [x]


def _source_positions(size: int, wanted: int, options: Any) -> Any:
    """Where a resized axis is sampled; nearest neighbour takes the floor, so half pixels are not shifted back."""
    places = np.arange(wanted, dtype=np.float64)
    if options.get("align_corners") and wanted > 1:
        return places * ((size - 1) / (wanted - 1))
    return (places + (0.5 if options.get("half_pixel_centers") else 0.0)) * (size / wanted)


def _resize_bilinear(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, options = args[0], step.op.options
    for axis in (1, 2):
        size = b.shape(x)[axis + 1]
        shift = 0.5 if options.get("half_pixel_centers") else 0.0
        positions = np.clip(_source_positions(size, step.shapes[0][axis], options) - shift, 0, size - 1)
        low = np.floor(positions).astype(int)
        high = np.minimum(low + 1, size - 1)
        weight = (positions - low).astype(np.float32)
        shape = [1] * len(b.shape(x))
        shape[axis + 1] = -1
        share = b.constant(weight.reshape(shape))
        x = b.take(x, low, axis + 1) * (1 - share) + b.take(x, high, axis + 1) * share
    return [x]


def _l2(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x = args[0]
    last = (len(b.shape(x)) - 1,)
    square = b.align_back(b.sum(x * x, last), x)
    return [x * b.rsqrt(b.maximum(square, 1e-12))]


def _prelu(b: Any, x: Any, slope: Any) -> Any:
    return b.relu(x) - slope * b.relu(-x)


def _leaky(b: Any, step: Step, args: list[Any]) -> list[Any]:
    return [_prelu(b, args[0], step.op.options.get("alpha", 0.0))]


def _gelu(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x = args[0]
    if step.op.options.get("approximate"):
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return [0.5 * x * (1 + b.tanh(inner))]
    return [0.5 * x * (1 + b.erf(x / math.sqrt(2)))]


def _softmax(b: Any, step: Step, args: list[Any]) -> list[Any]:
    return [b.softmax(args[0] * step.op.options.get("beta", 1.0))]


def _same(b: Any, step: Step, args: list[Any]) -> list[Any]:
    """QUANTIZE and DEQUANTIZE: the rounding is the step's own."""
    return [args[0]]


def _cumulated(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, options = args[0], step.op.options
    axis = int(moving.constant(args[1]).reshape(-1)[0]) % (len(b.shape(x)) - 1) + 1
    turned = np.arange(b.shape(x)[axis])[::-1].copy()
    x = b.take(x, turned, axis) if options.get("reverse") else x
    sums = b.cumsum(x, axis)
    sums = sums - x if options.get("exclusive") else sums
    return [b.take(sums, turned, axis) if options.get("reverse") else sums]


def _added(b: Any, step: Step, args: list[Any]) -> list[Any]:
    parts = [deciding.sampled(b, a) for a in args]
    return [moving.out(b, step, sum(parts[1:], parts[0]))]


def _local_response(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, options = args[0], step.op.options
    radius, axis = options.get("radius", 0), len(b.shape(x)) - 1
    channels = b.shape(x)[axis]
    squares = b.pad(x * x, [*[(0, 0)] * axis, (radius, radius)], 0.0)
    near = [b.take(squares, np.arange(place, place + channels), axis) for place in range(2 * radius + 1)]
    total = options.get("bias", 0.0) + options.get("alpha", 0.0) * sum(near[1:], near[0])
    return [x * total ** -options.get("beta", 0.0)]


KERNELS: dict[str, Kernel] = {
    "ABS": _unary(lambda b, x: b.maximum(x, -x)),
    "ADD": _binary(lambda b, x, y: x + y),
    "ADD_N": _added,
    "ARG_MAX": deciding.arg("argmax"),
    "ARG_MIN": deciding.arg("argmin"),
    "AVERAGE_POOL_2D": _pool("average_pool"),
    "BATCH_MATMUL": _batch_matmul,
    "BATCH_TO_SPACE_ND": moving.batch_to_space,
    "BROADCAST_TO": moving.broadcast,
    "CAST": deciding.cast,
    "CEIL": _unary(lambda b, x: b.ceil(x)),
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv,
    "COS": _unary(lambda b, x: b.cos(x)),
    "CUMSUM": _cumulated,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": moving.depth_to_space,
    "DEQUANTIZE": _same,
    "DIV": _binary(lambda b, x, y: x / y),
    "ELU": _unary(lambda b, x: b.relu(x) + b.exp(-b.relu(-x)) - 1),
    "EMBEDDING_LOOKUP": moving.embedding,
    "EQUAL": deciding.pair(lambda x, y: x == y),
    "EXP": _unary(lambda b, x: b.exp(x)),
    "EXPAND_DIMS": moving.reshape,
    "FLOOR": _unary(lambda b, x: b.floor(x)),
    "FLOOR_DIV": deciding.pair(lambda x, y: x // y),
    "FLOOR_MOD": deciding.pair(lambda x, y: x % y),
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": moving.gather,
    "GELU": _gelu,
    "GREATER": deciding.pair(lambda x, y: x > y),
    "GREATER_EQUAL": deciding.pair(lambda x, y: x >= y),
    "HARD_SWISH": _unary(lambda b, x: x * b.clip(x + 3.0, 0.0, 6.0) / 6.0),
    "L2_NORMALIZATION": _l2,
    "LEAKY_RELU": _leaky,
    "LESS": deciding.pair(lambda x, y: x < y),
    "LESS_EQUAL": deciding.pair(lambda x, y: x <= y),
    "LOCAL_RESPONSE_NORMALIZATION": _local_response,
    "LOG": _unary(lambda b, x: b.log(x)),
    "LOGICAL_AND": deciding.pair(lambda x, y: x & y),
    "LOGICAL_NOT": _unary(lambda b, x: ~x),
    "LOGICAL_OR": deciding.pair(lambda x, y: x | y),
    "LOGISTIC": _unary(lambda b, x: b.sigmoid(x)),
    "LOG_SOFTMAX": _unary(lambda b, x: b.log(b.softmax(x))),
    "MAXIMUM": _binary(lambda b, x, y: b.maximum(x, y)),
    "MAX_POOL_2D": _pool("max_pool"),
    "MEAN": _reduction("mean"),
    "MINIMUM": _binary(lambda b, x, y: -b.maximum(-x, -y)),
    "MIRROR_PAD": moving.mirror_pad,
    "MUL": _binary(lambda b, x, y: x * y),
    "NEG": _unary(lambda b, x: -x),
    "NOT_EQUAL": deciding.pair(lambda x, y: x != y),
    "ONE_HOT": deciding.one_hot,
    "PACK": moving.pack,
    "PAD": moving.pad,
    "PADV2": moving.pad,
    "POW": _binary(lambda b, x, y: x**y),
    "PRELU": _binary(_prelu),
    "QUANTIZE": _same,
    "REDUCE_ALL": deciding.every,
    "REDUCE_ANY": deciding.some,
    "REDUCE_MAX": _reduction("max"),
    "REDUCE_MIN": _reduction("min"),
    "REDUCE_PROD": _reduction("prod"),
    "RELU": _unary(lambda b, x: b.relu(x)),
    "RELU6": _unary(lambda b, x: b.clip(x, 0.0, 6.0)),
    "RELU_N1_TO_1": _unary(lambda b, x: b.clip(x, -1.0, 1.0)),
    "RELU_0_TO_1": _unary(lambda b, x: b.clip(x, 0.0, 1.0)),
    "RESHAPE": moving.reshape,
    "RESIZE_BILINEAR": _resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "REVERSE_V2": moving.reverse,
    "ROUND": _unary(lambda b, x: b.round(x)),
    "RSQRT": _unary(lambda b, x: b.rsqrt(x)),
    "SELECT": moving.select,
    "SELECT_V2": moving.select,
    "SIGN": _unary(lambda b, x: b.sign(x)),
    "SIN": _unary(lambda b, x: b.sin(x)),
    "SLICE": moving.slice_out,
    "SOFTMAX": _softmax,
    "SPACE_TO_BATCH_ND": moving.space_to_batch,
    "SPACE_TO_DEPTH": moving.space_to_depth,
    "SPLIT": moving.split,
    "SPLIT_V": moving.split_v,
    "SQRT": _unary(lambda b, x: b.sqrt(x)),
    "SQUARE": _unary(lambda b, x: x * x),
    "SQUARED_DIFFERENCE": _binary(lambda b, x, y: (x - y) * (x - y)),
    "SQUEEZE": moving.reshape,
    "STRIDED_SLICE": moving.strided_slice,
    "SUB": _binary(lambda b, x, y: x - y),
    "SUM": _reduction("sum"),
    "TANH": _unary(lambda b, x: b.tanh(x)),
    "TILE": moving.tile,
    "TRANSPOSE": moving.transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNPACK": moving.unpack,
}
"""Op to kernel."""
