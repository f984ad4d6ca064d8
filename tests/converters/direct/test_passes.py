"""Every pass on a graph that it knows: the ops that its docstring promises, and a contract for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Tensor
from edge_sdk.converters.lower.direct.passes import PASSES
from edge_sdk.converters.lower.direct.writing import write

pytestmark = pytest.mark.runtime
Ops = Callable[[Builder, Sequence[Tensor]], Sequence[Tensor]]
Floats = npt.NDArray[np.float32]


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A graph, and what a pass makes of it.

    Attributes:
        name: of the pass in PASSES.
        shapes: of the inputs.
        ops: makes the graph's ops.
        after: kinds of ops that are left.
    """

    name: str
    shapes: Sequence[tuple[int, ...]]
    ops: Ops
    after: Sequence[str]


def _graph(case: Case) -> Graph:
    builder = Builder()
    builder.origin = "test"
    inputs = [Tensor(f"x{i}", shape, "float32") for i, shape in enumerate(case.shapes)]
    return builder.graph("main", inputs, case.ops(builder, inputs))


def _run(graph: Graph, *, delegate: bool = False) -> list[Floats]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kinds = OpResolverType
    resolver = kinds.AUTO if delegate else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    engine = Interpreter(model_content=write(graph), experimental_op_resolver_type=resolver)
    engine.allocate_tensors()
    for i, port in enumerate(engine.get_input_details()):
        engine.set_tensor(port["index"], numbers(*port["shape"], seed=i))
    engine.invoke()
    return [engine.get_tensor(port["index"]) for port in engine.get_output_details()]


def _binary(builder: Builder, kind: str, a: Tensor, b: Tensor) -> Tensor:
    return builder.emit(kind, [a, b], np.broadcast_shapes(a.shape, b.shape))


def _scalar(builder: Builder, number: float) -> Tensor:
    return builder.constant(np.float32(number))


def _unary(builder: Builder, kind: str, x: Tensor) -> Tensor:
    return builder.emit(kind, [x], x.shape)


def _gelu_tanh(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    cube = _binary(builder, "MUL", _unary(builder, "SQUARE", x), x)
    line = _binary(builder, "ADD", x, _binary(builder, "MUL", cube, _scalar(builder, 0.044715)))
    curve = _unary(builder, "TANH", _binary(builder, "MUL", line, _scalar(builder, (2 / np.pi) ** 0.5)))
    half = _binary(builder, "MUL", x, _scalar(builder, 0.5))
    return [_binary(builder, "MUL", half, _binary(builder, "ADD", curve, _scalar(builder, 1)))]


def _gelu_erf(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    curve = _unary(builder, "ERF", _binary(builder, "DIV", x, _scalar(builder, 2**0.5)))
    whole = _binary(builder, "MUL", x, _binary(builder, "ADD", curve, _scalar(builder, 1)))
    return [_binary(builder, "MUL", whole, _scalar(builder, 0.5))]


def _hard_swish(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    gate = _unary(builder, "RELU6", _binary(builder, "ADD", x, _scalar(builder, 3)))
    return [_binary(builder, "MUL", x, _binary(builder, "MUL", gate, _scalar(builder, 1 / 6)))]


def _hard_swish_divided_last(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    gate = _unary(builder, "RELU6", _binary(builder, "ADD", x, _scalar(builder, 3)))
    return [_binary(builder, "MUL", _binary(builder, "MUL", x, gate), _scalar(builder, 1 / 6))]


def _square(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    return [_binary(builder, "MUL", inputs[0], inputs[0])]


def _not_hard_swish(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    x, z = inputs
    gate = _unary(builder, "RELU6", _binary(builder, "ADD", z, _scalar(builder, 3)))
    return [_binary(builder, "MUL", x, _binary(builder, "MUL", gate, _scalar(builder, 1 / 6)))]


def _equal_ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    first, second = _unary(builder, "TANH", x), _unary(builder, "TANH", x)
    other = builder.emit("LEAKY_RELU", [x], x.shape, alpha=0.5)
    another = builder.emit("LEAKY_RELU", [x], x.shape, alpha=0.25)
    return [_binary(builder, "ADD", _binary(builder, "ADD", first, second), _binary(builder, "ADD", other, another))]


def _chains(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    for kind, number in (("MUL", 1), ("MUL", 2), ("DIV", 4), ("ADD", 0), ("ADD", 3), ("SUB", 1)):
        x = _binary(builder, kind, x, _scalar(builder, number))
    return [x]


def _reversed_difference(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """``2 - (1 - x)``: its constants do not add up."""
    (x,) = inputs
    return [_binary(builder, "SUB", _scalar(builder, 2), _binary(builder, "SUB", _scalar(builder, 1), x))]


def _dense(builder: Builder, x: Tensor, channels: int, seed: int) -> Tensor:
    weights = builder.constant(numbers(channels, x.shape[-1], seed=seed))
    bias = builder.constant(numbers(channels, seed=seed + 1))
    shape = (*x.shape[:-1], channels)
    return builder.emit("FULLY_CONNECTED", [x, weights, bias], shape, keep_num_dims=len(shape) != 2)


def _norm_and_readers(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    scaled = _binary(builder, "MUL", x, builder.constant(numbers(6, seed=3)))
    moved = _binary(builder, "ADD", scaled, builder.constant(numbers(6, seed=4)))
    flat = builder.reshaped(moved, (4, 5, 6))
    return [_dense(builder, moved, 3, 5), _dense(builder, flat, 4, 7)]


def _norm_and_conv(builder: Builder, padding: str) -> Ops:
    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        moved = _binary(builder, "ADD", x, builder.constant(numbers(3, seed=4)))
        weights = builder.constant(numbers(2, 3, 3, 3, seed=5))
        size = 6 if padding == "SAME" else 4
        return [
            builder.emit(
                "CONV_2D",
                [moved, weights, builder.constant(np.zeros(2, np.float32))],
                (1, size, size, 2),
                padding=padding,
                stride_h=1,
                stride_w=1,
                dilation_h_factor=1,
                dilation_w_factor=1,
            )
        ]

    return ops


def _pooled_flat(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    mean = builder.emit("MEAN", [x, builder.constant([1, 2], "int32")], (2, 1, 1, 3), keep_dims=True)
    return [builder.reshaped(mean, (2, 3))]


def _reshape_over_activation(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    flat = builder.reshaped(x, (6, 4))
    scaled = _binary(builder, "MUL", _unary(builder, "TANH", flat), _scalar(builder, 2))
    return [builder.reshaped(scaled, (2, 3, 4, 1))]


def _broadcast(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    x, z = inputs
    wide = builder.emit("BROADCAST_TO", [x, builder.constant(z.shape, "int32")], z.shape)
    return [_binary(builder, "ADD", wide, z)]


def _heads(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Three parts of one dense layer's result, as attention takes them."""
    (x,) = inputs
    cut = builder.reshaped(x, (2, 5, 3, 2, 4))
    parts = []
    for i in range(3):
        begin, size = builder.constant([0, 0, i, 0, 0], "int32"), builder.constant([2, 5, 1, 2, 4], "int32")
        part = builder.emit("SLICE", [cut, begin, size], (2, 5, 1, 2, 4))
        parts.append(builder.reshaped(part, (2, 5, 2, 4)))
    return parts


def _halves(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    parts = []
    for begin, size in ((0, 2), (2, 4)):
        where = builder.constant([0, begin], "int32"), builder.constant([3, size], "int32")
        parts.append(_unary(builder, "TANH", builder.emit("SLICE", [x, *where], (3, size))))
    return parts


def _half_and_whole(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A reshaped value that is cut for one reader and read whole by another, which has one operand."""
    (x,) = inputs
    apart = builder.reshaped(x, (3, 3, 2))
    where = builder.constant([0, 0, 0], "int32"), builder.constant([3, 1, 2], "int32")
    return [builder.emit("SLICE", [apart, *where], (3, 1, 2)), _unary(builder, "TANH", apart)]


def _slice_of_slice(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    first = builder.emit("SLICE", [x, builder.constant([1, 1], "int32"), builder.constant([2, 4], "int32")], (2, 4))
    return [
        builder.emit("SLICE", [first, builder.constant([0, 2], "int32"), builder.constant([1, 2], "int32")], (1, 2))
    ]


def _padded_conv(borders: Sequence[tuple[int, int]], size: int, stride: int) -> Ops:
    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x = inputs[0]
        for begin, end in borders:
            rows = builder.constant([[0, 0], [begin, end], [begin, end], [0, 0]], "int32")
            extent = x.shape[1] + begin + end
            x = builder.emit("PAD", [x, rows], (1, extent, extent, 3))
        weights, bias = builder.constant(numbers(2, 3, 3, 3)), builder.constant(np.zeros(2, np.float32))
        steps: dict[str, Any] = {"stride_h": stride, "stride_w": stride, "dilation_h_factor": 1, "dilation_w_factor": 1}
        return [builder.emit("CONV_2D", [x, weights, bias], (1, size, size, 2), padding="VALID", **steps)]

    return ops


def _bordered_pool(activation: str) -> Ops:
    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        active = _unary(builder, activation, x)
        rows = builder.constant([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
        lowest = builder.constant(np.finfo(np.float32).min)
        wide = builder.emit("PADV2", [active, rows, lowest], (1, 8, 8, 3))
        steps: dict[str, Any] = {"stride_h": 2, "stride_w": 2, "filter_height": 3, "filter_width": 3}
        return [builder.emit("MAX_POOL_2D", [wide], (1, 3, 3, 3), padding="VALID", **steps)]

    return ops


def _shuffled(groups: int) -> Ops:
    """Channels of two pixels in each direction, as PyTorch has them, behind an activation."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        weights, bias = builder.constant(numbers(12, 1, 1, 6 // groups)), builder.constant(numbers(12, seed=1))
        steps: dict[str, Any] = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
        made = builder.emit("CONV_2D", [x, weights, bias], (2, 4, 5, 12), padding="VALID", **steps)
        parts = builder.reshaped(_unary(builder, "TANH", made), (2, 20, 3, 4))
        turned = builder.reshaped(builder.transposed(parts, (0, 1, 3, 2)), (2, 4, 5, 12))
        return [builder.emit("DEPTH_TO_SPACE", [turned], (2, 8, 10, 3), block_size=2)]

    return ops


def _shuffled_halves(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A unit of ShuffleNet V2, of channels that halve unevenly, in front of a convolution."""
    joined = builder.emit("CONCATENATION", list(inputs), (2, 4, 5, 10), axis=3)
    for _ in range(2):
        parts = builder.transposed(builder.reshaped(joined, (2, 4, 5, 2, 5)), (0, 1, 2, 4, 3))
        mixed = builder.reshaped(parts, (2, 4, 5, 10))
        axis, part = builder.constant(np.int32(3)), ((2, 4, 5, 5), "float32")
        kept, read = builder.emit_many("SPLIT", [axis, mixed], [part, part], num_splits=2)
        joined = builder.emit("CONCATENATION", [kept, _convolved(builder, read, 5)], (2, 4, 5, 10), axis=3)
    return [_convolved(builder, joined, 3)]


def _flattened_image(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    turned = builder.transposed(x, (0, 3, 1, 2))
    return [_dense(builder, builder.reshaped(turned, (2, 24)), 3, 1)]


def _there_and_back(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    there = builder.transposed(x, (0, 3, 1, 2))
    back = builder.transposed(there, (0, 2, 3, 1))
    return [_unary(builder, "TANH", builder.reshaped(builder.reshaped(back, (4, 6)), (24,)))]


def _scaled_dense(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    made = _dense(builder, inputs[0], 3, 1)
    scaled = _binary(builder, "MUL", made, builder.constant(numbers(3, seed=9)))
    return [_binary(builder, "ADD", scaled, _scalar(builder, 2))]


def _activated_sum(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    return [_unary(builder, "RELU6", _binary(builder, "ADD", *inputs))]


def _norms_in_a_row(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A batch norm and the scale layer behind it, as Caffe writes them."""
    (x,) = inputs
    for kind, seed in (("MUL", 1), ("ADD", 2), ("MUL", 3), ("ADD", 4)):
        x = _binary(builder, kind, x, builder.constant(numbers(4, seed=seed)))
    return [x]


def _root(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    positive = _binary(builder, "ADD", _unary(builder, "SQUARE", inputs[0]), _scalar(builder, 1))
    return [_binary(builder, "DIV", _scalar(builder, 1), _unary(builder, "SQRT", positive))]


def _attention(mask: Floats | None) -> Ops:
    """Scores, a mask, and PyTorch's guard against rows that are masked throughout."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        q, k = inputs
        scores = builder.emit("BATCH_MATMUL", [q, k], (2, 3, 3), adj_x=False, adj_y=True)
        masked = scores if mask is None else _binary(builder, "ADD", scores, builder.constant(mask))
        soft = builder.emit("SOFTMAX", [masked], scores.shape, beta=1.0)
        nan = builder.emit("NOT_EQUAL", [soft, soft], soft.shape, "bool")
        kept = builder.emit("SELECT_V2", [nan, _scalar(builder, 0), soft], soft.shape, "float32")
        return [_unary(builder, "TANH", kept)]

    return ops


_CAUSAL = np.triu(np.full((1, 3, 3), -np.inf, np.float32), 1)
_NOTHING_LEFT = np.where(np.arange(3)[:, None] == 1, -np.inf, _CAUSAL).astype(np.float32)


def _scaled_scores(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    x, k = inputs
    query = builder.reshaped(_dense(builder, x, 8, 1), (2, 3, 2, 4))
    turned = builder.transposed(query, (0, 2, 1, 3))
    scores = builder.emit("BATCH_MATMUL", [turned, k], (2, 2, 3, 3), adj_x=False, adj_y=True)
    return [_unary(builder, "TANH", _binary(builder, "MUL", scores, _scalar(builder, 0.5)))]


def _scale_of_what_others_read(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    made = _dense(builder, inputs[0], 3, 1)
    return [_binary(builder, "MUL", made, _scalar(builder, 0.5)), _unary(builder, "TANH", made)]


def _convolved(builder: Builder, x: Tensor, channels: int) -> Tensor:
    weights, bias = builder.constant(numbers(channels, 3, 3, x.shape[3])), builder.constant(numbers(channels))
    return builder.emit("CONV_2D", [x, weights, bias], (*x.shape[:3], channels), padding="SAME", stride_w=1, stride_h=1)


def _grown(builder: Builder, x: Tensor, channels: int) -> Tensor:
    shape = (x.shape[0], x.shape[1] + 1, x.shape[2] + 1, channels)
    inputs = [builder.constant(shape, "int32"), builder.constant(numbers(channels, 2, 2, x.shape[3])), x]
    return builder.emit("TRANSPOSE_CONV", inputs, shape, "float32", padding="VALID", stride_w=1, stride_h=1)


def _pooled(kind: str) -> Callable[[Builder, Tensor, int], Tensor]:
    sizes: dict[str, Any] = {"filter_width": 2, "filter_height": 2, "stride_w": 1, "stride_h": 1}
    return lambda builder, x, _: builder.emit(kind, [x], x.shape, padding="SAME", **sizes)


def _clamps(channels: int, window: Callable[[Builder, Tensor, int], Tensor] = _convolved) -> Ops:
    """Some with zero in their range, one of what is no window."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        made = _binary(builder, "MINIMUM", window(builder, x, channels), _scalar(builder, 6))
        made = _binary(builder, "MAXIMUM", made, _scalar(builder, 0.1))
        return [made, _binary(builder, "MAXIMUM", _unary(builder, "TANH", x), _scalar(builder, 0.1))]

    return ops


def _rotation(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A rotary embedding, and the scale behind it."""
    (x,) = inputs
    table = [builder.constant(numbers(3, 4, seed=i)) for i in (5, 6)]
    total = _binary(builder, "ADD", *(_binary(builder, "MUL", _unary(builder, "NEG", x), t) for t in table))
    return [_unary(builder, "TANH", _binary(builder, "MUL", total, _scalar(builder, 0.5)))]


def _scale_of_a_part(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    made = builder.reshaped(_dense(builder, inputs[0], 12, 1), (2, 3, 2, 6))
    where, sizes = builder.constant(3, "int32"), builder.constant([2, 1, 3], "int32")
    shapes = [((2, 3, 2, size), "float32") for size in (2, 1, 3)]
    parts = builder.emit_many("SPLIT_V", [made, sizes, where], shapes, num_splits=3)
    return [_unary(builder, "TANH", _binary(builder, "MUL", parts[2], _scalar(builder, 3))), *parts[:2]]


def _turned_heads(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    parts = builder.emit_many("SPLIT", [builder.constant(2, "int32"), x], [((2, 5, 8), "float32")] * 3, num_splits=3)
    return [builder.transposed(builder.reshaped(part, (2, 5, 2, 4)), (0, 2, 1, 3)) for part in parts]


def _turned_parts(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    parts = builder.emit_many("SPLIT", [builder.constant(1, "int32"), x], [((2, 3, 4), "float32")] * 2, num_splits=2)
    return [_unary(builder, "TANH", builder.transposed(part, (2, 0, 1))) for part in parts]


def _dead(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    _unary(builder, "TANH", inputs[0])
    return [_unary(builder, "EXP", inputs[0])]


def _along_one_axis(builder: Builder, x: Tensor) -> Tensor:
    weights, bias = builder.constant(numbers(5, 1, 3, 4)), builder.constant(numbers(5, seed=3))
    steps: dict[str, Any] = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    return builder.emit("CONV_2D", [x, weights, bias], (1, 1, 6, 5), padding="VALID", **steps)


def _squeezed(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A convolution along one axis as tf2onnx leaves it: squeezed, then bias, batch norm and activation."""
    c = _along_one_axis(builder, inputs[0])
    r = builder.reshaped(c, (1, 6, 5))
    biased = _binary(builder, "ADD", r, builder.constant(numbers(1, 1, 5, seed=1)))
    scaled = _binary(builder, "MUL", biased, builder.constant(numbers(5, seed=2)))
    return [_unary(builder, "RELU", _binary(builder, "SUB", scaled, _scalar(builder, 0.5)))]


def _squeezed_by_place(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """What differs from place to place is no bias."""
    c = _along_one_axis(builder, inputs[0])
    return [_binary(builder, "ADD", builder.reshaped(c, (1, 6, 5)), builder.constant(numbers(1, 6, 5)))]


def _sloped(*shape: int, turned: bool = True, own: bool = True) -> Ops:
    """``relu(x) - slopes * relu(-x)``, or by a minimum; ``own`` or of another value."""

    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x, other = inputs[0], inputs[0] if own else inputs[1]
        slopes = builder.constant(numbers(*shape))
        if not turned:
            low = _binary(builder, "MINIMUM", other, _scalar(builder, 0))
            return [_binary(builder, "ADD", _binary(builder, "MUL", slopes, low), _unary(builder, "RELU", x))]
        low = _binary(builder, "MUL", _unary(builder, "RELU", _unary(builder, "NEG", other)), slopes)
        return [_binary(builder, "SUB", _unary(builder, "RELU", x), low)]

    return ops


X = (2, 3, 4)
CASES = {
    "a squeezed convolution": Case(
        "sink_reshapes", [(1, 1, 8, 4)], _squeezed, ["CONV_2D", "ADD", "MUL", "SUB", "RELU", "RESHAPE"]
    ),
    "a summand of places behind a squeeze": Case(
        "sink_reshapes", [(1, 1, 8, 4)], _squeezed_by_place, ["CONV_2D", "RESHAPE", "ADD"]
    ),
    "slopes of channels": Case("fuse_slopes", [X], _sloped(4), ["PRELU"]),
    "slopes of places": Case("fuse_slopes", [X], _sloped(1, 3, 4, turned=False), ["PRELU"]),
    "slopes of samples": Case("fuse_slopes", [X], _sloped(2, 3, 4), ["NEG", "RELU", "MUL", "RELU", "SUB"]),
    "one slope": Case("fuse_slopes", [X], _sloped(1), ["LEAKY_RELU"]),
    "slopes of another value": Case(
        "fuse_slopes", [X, X], _sloped(4, own=False), ["NEG", "RELU", "MUL", "RELU", "SUB"]
    ),
    "GELU by tanh": Case("fuse_patterns", [X], _gelu_tanh, ["GELU"]),
    "GELU by erf": Case("fuse_patterns", [X], _gelu_erf, ["GELU"]),
    "hard-swish": Case("fuse_patterns", [X], _hard_swish, ["HARD_SWISH"]),
    "hard-swish, divided last": Case("fuse_patterns", [X], _hard_swish_divided_last, ["HARD_SWISH"]),
    "a gate of another value": Case("fuse_patterns", [X, X], _not_hard_swish, ["ADD", "RELU6", "MUL", "MUL"]),
    "a value by itself": Case("fuse_patterns", [X], _square, ["SQUARE"]),
    "equal ops": Case("merge_equal", [X], _equal_ops, ["TANH", "LEAKY_RELU", "LEAKY_RELU", "ADD", "ADD", "ADD"]),
    "constants in a row": Case("simplify_arithmetic", [X], _chains, ["MUL", "ADD"]),
    "constant minus": Case("simplify_arithmetic", [X], _reversed_difference, ["SUB", "SUB"]),
    "norms in a row": Case("simplify_arithmetic", [X], _norms_in_a_row, ["MUL", "ADD"]),
    "one over a root": Case("fuse_patterns", [X], _root, ["SQUARE", "ADD", "RSQRT"]),
    "attention without a mask": Case("fuse_patterns", [X, X], _attention(None), ["BATCH_MATMUL", "SOFTMAX", "TANH"]),
    "attention with a mask": Case(
        "fuse_patterns", [X, X], _attention(_CAUSAL), ["BATCH_MATMUL", "ADD", "SOFTMAX", "TANH"]
    ),
    "attention with a row that sees nothing": Case(
        "fuse_patterns",
        [X, X],
        _attention(_NOTHING_LEFT),
        ["BATCH_MATMUL", "ADD", "SOFTMAX", "NOT_EQUAL", "SELECT_V2", "TANH"],
    ),
    "scaled scores": Case(
        "absorb_scales",
        [(2, 3, 5), (2, 2, 3, 4)],
        _scaled_scores,
        ["FULLY_CONNECTED", "RESHAPE", "TRANSPOSE", "BATCH_MATMUL", "TANH"],
    ),
    "a scale of what others read": Case(
        "absorb_scales", [(2, 4)], _scale_of_what_others_read, ["FULLY_CONNECTED", "MUL", "TANH"]
    ),
    "clamps of a convolution": Case(
        "keep_clamps_apart", [(1, 4, 4, 3)], _clamps(2), ["CONV_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"]
    ),
    "clamps of one channel": Case(
        "keep_clamps_apart", [(1, 4, 1, 3)], _clamps(1), ["CONV_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"]
    ),
    "clamps of one number": Case(
        "keep_clamps_apart",
        [(1, 1, 1, 3)],
        _clamps(1),
        ["CONV_2D", "MINIMUM", "RESHAPE", "MAXIMUM", "RESHAPE", "TANH", "MAXIMUM"],
    ),
    "clamps of a transposed convolution": Case(
        "keep_clamps_apart",
        [(1, 4, 4, 3)],
        _clamps(2, _grown),
        ["TRANSPOSE_CONV", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"],
    ),
    "clamps of a mean over windows": Case(
        "keep_clamps_apart",
        [(1, 4, 4, 3)],
        _clamps(3, _pooled("AVERAGE_POOL_2D")),
        ["AVERAGE_POOL_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"],
    ),
    "clamps of a maximum over windows": Case(
        "keep_clamps_apart",
        [(1, 4, 4, 3)],
        _clamps(3, _pooled("MAX_POOL_2D")),
        ["MAX_POOL_2D", "MINIMUM", "MAXIMUM", "TANH", "MAXIMUM"],
    ),
    "a scale of a sum": Case("absorb_scales", [X], _rotation, ["NEG", "MUL", "NEG", "MUL", "ADD", "TANH"]),
    "a scale of a part": Case(
        "absorb_scales", [(2, 3, 5)], _scale_of_a_part, ["FULLY_CONNECTED", "RESHAPE", "SPLIT_V", "TANH"]
    ),
    "heads turned alike": Case("turn_before_split", [(2, 5, 24)], _turned_heads, ["RESHAPE", "TRANSPOSE", "SPLIT"]),
    "parts turned alike": Case("turn_before_split", [(2, 6, 4)], _turned_parts, ["TRANSPOSE", "SPLIT", "TANH", "TANH"]),
    "a norm's factors": Case(
        "fold_affine_forward", [(2, 2, 5, 6)], _norm_and_readers, ["RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    ),
    "a summand before a convolution": Case(
        "fold_affine_forward", [(1, 6, 6, 3)], _norm_and_conv(Builder(), "VALID"), ["CONV_2D"]
    ),
    "a summand before a padded convolution": Case(
        "fold_affine_forward", [(1, 6, 6, 3)], _norm_and_conv(Builder(), "SAME"), ["ADD", "CONV_2D"]
    ),
    "a pool and a flattening": Case("absorb_reshapes", [(2, 4, 4, 3)], _pooled_flat, ["MEAN"]),
    "a reshape over activations": Case("absorb_reshapes", [X], _reshape_over_activation, ["TANH", "MUL", "RESHAPE"]),
    "a broadcast": Case("drop_broadcasts", [(1, 3, 1), X], _broadcast, ["ADD"]),
    "heads of attention": Case("join_slices", [(2, 5, 24)], _heads, ["SPLIT", "RESHAPE", "RESHAPE", "RESHAPE"]),
    "parts of unequal size": Case("join_slices", [(3, 6)], _halves, ["SPLIT_V", "TANH", "TANH"]),
    "a part and the whole": Case("join_slices", [(3, 6)], _half_and_whole, ["RESHAPE", "SLICE", "TANH"]),
    "a slice of a slice": Case("join_slices", [(3, 6)], _slice_of_slice, ["SLICE"]),
    "a pad that is SAME": Case("fold_padding", [(1, 6, 6, 3)], _padded_conv([(1, 1)], 6, 1), ["CONV_2D"]),
    "two pads that are SAME": Case("fold_padding", [(1, 7, 7, 3)], _padded_conv([(1, 0), (0, 1)], 4, 2), ["CONV_2D"]),
    "a pad that is not": Case("fold_padding", [(1, 6, 6, 3)], _padded_conv([(1, 1)], 3, 2), ["PAD", "CONV_2D"]),
    "borders of a pool after RELU": Case(
        "zero_borders", [(1, 6, 6, 3)], _bordered_pool("RELU"), ["RELU", "PAD", "MAX_POOL_2D"]
    ),
    "borders of a pool after TANH": Case(
        "zero_borders", [(1, 6, 6, 3)], _bordered_pool("TANH"), ["TANH", "PADV2", "MAX_POOL_2D"]
    ),
    "a pixel shuffle": Case("order_channels", [(2, 4, 5, 6)], _shuffled(1), ["CONV_2D", "TANH", "DEPTH_TO_SPACE"]),
    "a pixel shuffle of groups": Case(
        "order_channels",
        [(2, 4, 5, 6)],
        _shuffled(2),
        ["CONV_2D", "TANH", "RESHAPE", "TRANSPOSE", "RESHAPE", "DEPTH_TO_SPACE"],
    ),
    "units of a shuffle": Case(
        "carry_shuffles",
        [(2, 4, 5, 5), (2, 4, 5, 5)],
        _shuffled_halves,
        [
            *("SLICE", "SLICE", "CONCATENATION", "CONV_2D", "SLICE", "SLICE", "SLICE", "CONCATENATION", "CONV_2D"),
            *("SLICE", "SLICE", "SLICE", "CONCATENATION", "CONV_2D"),
        ],
    ),
    "a flattened image": Case(
        "permute_dense_weights", [(2, 2, 3, 4)], _flattened_image, ["RESHAPE", "FULLY_CONNECTED"]
    ),
    "moves there and back": Case("cancel_moves", [(1, 2, 3, 4)], _there_and_back, ["RESHAPE", "TANH"]),
    "a scaled dense layer": Case("fold_affine", [(2, 4)], _scaled_dense, ["FULLY_CONNECTED"]),
    "an activation behind a sum": Case("fuse_activations", [X, X], _activated_sum, ["ADD"]),
    "an op that nobody reads": Case("drop_dead", [X], _dead, ["EXP"]),
}


def _tidy(graph: Graph) -> list[str]:
    """Kinds of the ops that are left where moves that cancel and ops that nobody reads are gone."""
    return [op.kind for op in PASSES["drop_dead"](PASSES["cancel_moves"](graph)).ops]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_ops_that_the_docstring_promises(case: Case) -> None:
    assert _tidy(PASSES[case.name](_graph(case))) == list(case.after)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_pass_computes_the_same_is_idempotent_and_adds_nothing(case: Case, name: str) -> None:
    before = _graph(case)
    after = PASSES[name](before)
    # What TFLite has no op for is written in several; and a clamp of one number alone is kept apart by reshapes.
    assert len(_tidy(after)) <= len(_tidy(before)) or name in {"write_out_erf", "keep_clamps_apart"}
    assert _tidy(PASSES[name](after)) == _tidy(after)
    if after.ops == before.ops:
        return
    if any(op.kind == "ERF" for op in before.ops):
        before, after = (PASSES["write_out_erf"](graph) for graph in (before, after))
    for was, now in zip(_run(before), _run(after), strict=True):
        # Sums of at most 27 products of normal numbers, rounded in another order.
        np.testing.assert_allclose(now, was, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("clamps of")])
def test_a_convolution_with_a_clamp_opens_in_every_engine(name: str) -> None:
    before = _graph(CASES[name])
    after = PASSES["keep_clamps_apart"](before)
    for was, now in zip(_run(before), _run(after, delegate=True), strict=True):
        np.testing.assert_allclose(now, was, rtol=1e-5, atol=1e-5)
