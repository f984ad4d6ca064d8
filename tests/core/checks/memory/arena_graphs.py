"""Small graphs that make TFLite's arena planner decide: sharing, gaps, ties, scratch, both arenas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.core.checks.memory.arena_net import Net
from tests.graphs import conv_model, enum_value, padded_pool_model

_SAME = 0
_INT32 = enum_value("TensorType", "INT32")


def _chain(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 100)
    return [x], [net.unary(net.unary(net.unary(x), "TANH"))]


def _diamond(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 60)
    stem = net.unary(x)
    return [x], [net.concat(net.unary(stem), net.unary(net.unary(stem, "TANH")), stem)]


def _residual(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 8, 8, 4)
    stem = net.conv(x, 4)
    once = net.plus(net.conv(stem, 4), stem)
    return [x], [net.unary(net.plus(net.conv(once, 4), once))]


def _add_in_place(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 50)
    total = net.plus(net.unary(x), net.unary(x, "TANH"))
    return [x], [net.unary(net.plus(total, net.unary(x)))]


def _add_twice_the_same(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 50)
    once = net.unary(x)
    return [x], [net.unary(net.plus(once, once))]


def _add_broadcast(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 50)
    row = net.unary(x)
    tall = net.add_op("ADD", (row, net.weights(4, 50)), 4, 50, kind="AddOptions")
    return [x], [net.unary(tall)]


def _scalars(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 1)
    return [x], [net.unary(net.plus(net.unary(x), net.unary(x, "TANH")))]


def _reshape_shares(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 60)
    flat = net.reshape(net.reshape(net.unary(x), 6, 10), 3, 20)
    return [x], [net.unary(flat), net.unary(flat, "TANH")]


def _reshape_two_readers(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 60)
    stem = net.unary(x)
    one, other = net.reshape(stem, 6, 10), net.reshape(stem, 10, 6)
    return [x], [net.unary(net.softmax(one)), net.unary(net.unary(net.softmax(other)))]


def _reshape_at_the_border(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 60)
    return [x], [net.reshape(net.unary(net.reshape(x, 6, 10)), 60)]


def _reshape_of_constant(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(6, 10)
    return [x], [net.plus(x, net.reshape(net.weights(60), 6, 10))]


def _softmax(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(4, 33)
    return [x], [net.unary(net.softmax(net.unary(net.softmax(net.unary(x)))))]


def _convs(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 12, 10, 3)
    return [x], [net.conv(net.conv(net.conv(x, 8), 4, 1), 6, 1, stride=2)]


def _pointwise(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 6, 6, 5)
    return [x], [net.conv(net.conv(x, 7, 1), 3, 1)]


def _dilated(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 12, 12, 3)
    return [x], [net.conv(net.conv(x, 8, dilation=2), 4, stride=2)]


def _conv_float16(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 8, 8, 3)
    kernel = net.add_op("DEQUANTIZE", (net.weights(5, 3, 3, 3, dtype="float16"),), 5, 3, 3, 3)
    return [x], [net.unary(net.conv(x, 5, weights=kernel))]


def _conv_hybrid(net: Net, scales: int) -> tuple[list[int], list[int]]:
    x = net.input(2, 9, 9, 3)
    stem = net.conv(x, 8, weights=net.weights(8, 3, 3, 3, dtype="int8", scales=scales))
    return [x], [net.unary(net.conv(stem, 8, 1, weights=net.weights(8, 1, 1, 8, dtype="int8", scales=scales)))]


def _depthwise(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 9, 9, 6)
    return [x], [net.conv(net.depthwise(net.unary(x), net.weights(1, 3, 3, 6)), 4, 1)]


def _depthwise_hybrid(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 9, 9, 6)
    kernel = net.weights(1, 3, 3, 6, dtype="int8", scales=6)
    net.node.tensors[kernel].quantization.quantized_dimension = 3
    return [x], [net.unary(net.depthwise(x, kernel))]


def _pools(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 12, 12, 4)
    return [x], [net.pool(net.pool(net.conv(x, 8), "MAX_POOL_2D"), "AVERAGE_POOL_2D")]


def _reducers(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 6, 6, 5)
    stem = net.unary(x)
    return [x], [net.unary(net.reduce(stem, name)) for name in ("MEAN", "SUM", "REDUCE_MAX")]


def _dense(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(3, 40)
    return [x], [net.softmax(net.dense(net.dense(x, 30), 10))]


def _dense_hybrid(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(3, 40)
    stem = net.dense(x, 40, net.weights(40, 40, dtype="int8", scales=1))
    return [x], [net.unary(net.dense(stem, 10, net.weights(10, 40, dtype="int8", scales=10)))]


def _dense_four_bits(net: Net, batch: int) -> tuple[list[int], list[int]]:
    x = net.input(batch, 40)
    return [x], [net.unary(net.dense(net.unary(x), 6, net.four_bits(6, 40)))]


def _matmul(net: Net) -> tuple[list[int], list[int]]:
    x, y = net.input(2, 5, 8), net.input(2, 8, 6)
    product = net.add_op("BATCH_MATMUL", (net.unary(x), net.unary(y)), 2, 5, 6, kind="BatchMatMulOptions")
    right = net.weights(2, 6, 9)
    return [x, y], [net.unary(net.add_op("BATCH_MATMUL", (product, right), 2, 5, 9, kind="BatchMatMulOptions"))]


def _transpose_conv(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 5, 5, 4)
    inputs = (net.ints(1, 10, 10, 3), net.weights(3, 3, 3, 4), net.unary(x))
    fields: dict[str, Any] = {"padding": _SAME, "stride_w": 2, "stride_h": 2}
    return [x], [net.unary(net.add_op("TRANSPOSE_CONV", inputs, 1, 10, 10, 3, kind="TransposeConvOptions", **fields))]


def _add_n(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 40)
    terms = [net.unary(x) for _ in range(5)]
    return [x], [net.unary(net.add_op("ADD_N", terms, 1, 40, kind="AddNOptions"))]


def _many_ends(net: Net) -> tuple[list[int], list[int]]:
    x, y, z = net.input(1, 30), net.input(1, 70), net.input(1, 5)
    total = net.concat(x, y)
    net.unary(total)
    return [z, y, x], [net.unary(total, "TANH"), x, total]


def _split_ties(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 64)
    a, b, c, d = net.split(net.unary(x), 4)
    late = net.unary(net.unary(net.unary(b)))
    return [x], [net.concat(net.unary(d), a, late, c), net.unary(late)]


def _split_in_forty(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 1600)
    parts = net.split(net.unary(x), 40)
    return [x], [net.unary(net.concat(*[net.unary(part) for part in parts[::3]])), net.concat(*parts)]


def _lstm(net: Net, dtype: str = "float32") -> tuple[list[int], list[int]]:
    x, cells, scales = net.input(1, 6, 5), 7, int(dtype == "int8")
    gates = [net.weights(cells, 5, dtype=dtype, scales=scales) for _ in range(4)]
    again = [net.weights(cells, cells, dtype=dtype, scales=scales) for _ in range(4)]
    biases = [net.weights(cells) for _ in range(4)]
    states = [net.variable(1, cells), net.variable(1, cells)]
    inputs = [net.unary(x), *gates, *again, -1, -1, -1, *biases, -1, -1, *states]
    kind = "UnidirectionalSequenceLSTMOptions"
    made = net.add_op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, 1, 6, cells, kind=kind, fused_activation_function=4)
    return [x], [net.unary(made)]


def _svdf(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 10)
    inputs = [net.unary(x), net.weights(8, 10), net.weights(8, 5), -1, net.variable(2, 40)]
    return [x], [net.unary(net.add_op("SVDF", inputs, 2, 4, kind="SVDFOptions", rank=2))]


def _rnn_hybrid(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 10)
    small: dict[str, Any] = {"dtype": "int8", "scales": 1}
    inputs = [net.unary(x), net.weights(6, 10, **small), net.weights(6, 6, **small), net.weights(6), net.variable(2, 6)]
    return [x], [net.unary(net.add_op("RNN", inputs, 2, 6, kind="RNNOptions"))]


def _computed_size(net: Net, *extents: int) -> tuple[int, int]:
    """An input of zeros, and a shape that depends on it."""
    delta = net.tensor("delta", (len(extents),), "int32")
    return delta, net.add_op("ADD", (delta, net.ints(*extents)), len(extents), dtype="int32", kind="AddOptions")


def _open_size(net: Net) -> tuple[list[int], list[int]]:
    """FILL by a computed shape: its result and those of the ops behind it are planned only in a run."""
    x = net.input(1, 40)
    stem = net.unary(x)
    delta, size = _computed_size(net, 4, 40)
    held = net.add_op("FILL", (size, net.constant("value", np.array(1.5, np.float32))), 4, 40, kind="FillOptions")
    total = net.add_op("ADD", (held, net.unary(net.unary(stem))), 4, 40, kind="AddOptions")
    return [x, delta], [net.unary(net.reshape(held, 8, 20)), net.unary(total), net.unary(net.reshape(stem, 8, 5))]


def _open_reshape(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(1, 40)
    delta, size = _computed_size(net, 4, 10)
    made = net.add_op("RESHAPE", (net.unary(x), size), 4, 10, kind="ReshapeOptions")
    return [x, delta], [net.unary(net.unary(made))]


def _known_shape(net: Net) -> tuple[list[int], list[int]]:
    x = net.input(2, 20)
    stem = net.unary(x)
    size = net.add_op("SHAPE", (stem,), 2, dtype="int32", kind="ShapeOptions", out_type=_INT32)
    return [x], [net.unary(net.add_op("RESHAPE", (net.unary(stem), size), 2, 20, kind="ReshapeOptions"))]


def _random(seed: int) -> Callable[[Net], tuple[list[int], list[int]]]:
    def build(net: Net) -> tuple[list[int], list[int]]:
        random = np.random.default_rng(seed)
        inputs = [net.input(1, 12 * int(random.integers(1, 9))) for _ in range(int(random.integers(1, 4)))]
        pool = [net.unary(x) for x in inputs]
        for _ in range(int(random.integers(10, 60))):
            pool += _grown(net, random, pool)
        read = {index for node in net.node.operators for index in node.inputs}
        return inputs, [index for index in pool if index not in read] or pool[-1:]

    return build


def _grown(net: Net, random: np.random.Generator, pool: list[int]) -> list[int]:
    x = pool[int(random.integers(len(pool)))]
    same = [y for y in pool if net.shape(y) == net.shape(x)]
    choice = int(random.integers(6))
    if choice == 0:
        parts = int(random.choice([2, 3, 4]))
        return list(net.split(x, parts)) if net.shape(x)[1] % parts == 0 else []
    if choice == 1 and net.shape(x)[1] < 400:
        return [net.concat(x, pool[int(random.integers(len(pool)))])]
    if choice == 2:
        return [net.plus(x, same[int(random.integers(len(same)))])]
    if choice == 3:
        return [net.reshape(x, *net.shape(x))]
    return [net.softmax(x) if choice == 4 else net.unary(x)]


def _built(build: Callable[[Net], tuple[list[int], list[int]]]) -> Callable[[], bytes]:
    def model() -> bytes:
        net = Net()
        inputs, outputs = build(net)
        return net.finish(inputs, outputs)

    return model


_BUILDERS: dict[str, Callable[[Net], tuple[list[int], list[int]]]] = {
    function.__name__.lstrip("_"): function
    for function in (
        _chain,
        _diamond,
        _residual,
        _add_in_place,
        _add_twice_the_same,
        _add_broadcast,
        _scalars,
        _reshape_shares,
        _reshape_two_readers,
        _reshape_at_the_border,
        _reshape_of_constant,
        _softmax,
        _convs,
        _pointwise,
        _dilated,
        _conv_float16,
        _depthwise,
        _depthwise_hybrid,
        _pools,
        _reducers,
        _dense,
        _dense_hybrid,
        _matmul,
        _transpose_conv,
        _add_n,
        _many_ends,
        _split_ties,
        _split_in_forty,
        _lstm,
        _svdf,
        _rnn_hybrid,
        _open_size,
        _open_reshape,
        _known_shape,
    )
}
_BUILDERS["conv_hybrid"] = lambda net: _conv_hybrid(net, 1)
_BUILDERS["conv_hybrid_per_channel"] = lambda net: _conv_hybrid(net, 8)
_BUILDERS["dense_four_bits"] = lambda net: _dense_four_bits(net, 1)
_BUILDERS["dense_four_bits_batch"] = lambda net: _dense_four_bits(net, 5)
_BUILDERS["lstm_hybrid"] = lambda net: _lstm(net, "int8")

MODELS: dict[str, Callable[[], bytes]] = {
    **{name: _built(build) for name, build in _BUILDERS.items()},
    "conv_model": conv_model,
    "padded_pool": padded_pool_model,
    **{f"random_{seed}": _built(_random(seed)) for seed in range(12)},
}
"""Name to the function that makes the file."""
