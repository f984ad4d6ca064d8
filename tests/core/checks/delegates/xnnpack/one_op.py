"""Small files on both sides of each rule of XNNPACK's delegate, by family; built by code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from edge_sdk.artifact.tree import pack_tree, parse_tree
from tests.graphs import Graph, options

Probe = tuple[str, bytes]
_BYTES = {"float32": 4, "float16": 2, "int32": 4, "int64": 8, "int16": 2, "int8": 1, "uint8": 1, "bool": 1, "int4": 0.5}


@dataclass(frozen=True)
class T:
    """A tensor of a probe; ``data`` makes it constant, ``0`` stands for zeros of its size."""

    shape: tuple[int, ...] = (1, 4)
    dtype: str = "float32"
    scale: tuple[float, ...] | None = None
    zero_point: int = 0
    axis: int = 0
    data: Any = None

    def add(self, graph: Graph, name: str) -> int:
        points = [self.zero_point] * len(self.scale) if self.scale else None
        quantization: dict[str, Any] = {"scale": self.scale, "zero_point": points, "axis": self.axis}
        if self.data is None:
            return graph.tensor(name, self.shape, self.dtype, **quantization)
        return graph.stored(name, self.shape, self.dtype, self._bytes(), **quantization)

    def _bytes(self) -> bytes:
        if isinstance(self.data, int):
            return bytes(int(np.prod(self.shape) * _BYTES[self.dtype] + 0.5))
        return np.asarray(self.data, self.dtype).tobytes()


def ints(*values: int, dtype: str = "int32") -> T:
    """A constant vector."""
    return T((len(values),), dtype, data=values)


def op(
    name: str, inputs: Sequence[T | None], outputs: Sequence[T], kind: str = "", version: int = 1, **fields: Any
) -> bytes:
    """A file of one op; None is an absent input. Runtime tensors are the model's inputs."""
    graph = Graph()
    given = [-1 if tensor is None else tensor.add(graph, f"i{place}") for place, tensor in enumerate(inputs)]
    made = [tensor.add(graph, f"o{place}") for place, tensor in enumerate(outputs)]
    graph.op(name, given, made, options(kind, **fields) if kind else None, version=version)
    live = [index for index, tensor in zip(given, inputs, strict=True) if tensor is not None and tensor.data is None]
    return graph.finish(live, made)


F = T()
Q = T(dtype="int8", scale=(0.1,))
U = T(dtype="uint8", scale=(0.1,))
KINDS = {"float": F, "half": replace(F, dtype="float16"), "int8": Q, "uint8": U, "int16": replace(Q, dtype="int16")}
KINDS |= {"int32": T(dtype="int32"), "bare int8": T(dtype="int8"), "bool": T(dtype="bool")}
ELEMENTWISE = (
    "ABS CEIL COS ELU EXP FLOOR HARD_SWISH LOG LOGISTIC NEG RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 ROUND RSQRT SIGN SIN "
    "SQRT SQUARE TANH"
)


def unary() -> Iterator[Probe]:
    shapes = {"scalar": (), "rank 6": (1,) * 6, "rank 7": (1,) * 7, "empty": (1, 0, 4)}
    for name in ELEMENTWISE.split():
        for label, kind in KINDS.items():
            yield f"{name} {label}", op(name, [kind], [kind])
        for label, shape in shapes.items():
            yield f"{name} {label}", op(name, [T(shape)], [T(shape)])
    for name, (before, after) in product(("ABS", "LOGISTIC", "ELU"), product(("float", "half", "int8"), repeat=2)):
        yield f"{name} {before} to {after}", op(name, [KINDS[before]], [KINDS[after]])


def leaky() -> Iterator[Probe]:
    for alpha, kind in product((0.0, 0.1, -0.5, 1e-40, 0.001, 1.0), ("float", "int8", "uint8")):
        yield f"alpha {alpha} {kind}", op("LEAKY_RELU", [KINDS[kind]], [KINDS[kind]], "LeakyReluOptions", alpha=alpha)
    for scale in (0.001, 1 / 256, 127.0, 128.0, 128.5):
        source, result = replace(Q, scale=(scale,)), replace(Q, scale=(1.0,))
        yield f"scale {scale}", op("LEAKY_RELU", [source], [result], "LeakyReluOptions", alpha=0.9)


def casts() -> Iterator[Probe]:
    for before, after in product(("float", "half", "int8", "uint8", "int16"), repeat=2):
        yield f"QUANTIZE {before} {after}", op("QUANTIZE", [KINDS[before]], [KINDS[after]], version=2)
        yield f"DEQUANTIZE {before} {after}", op("DEQUANTIZE", [KINDS[before]], [KINDS[after]], version=2)
    for scale in (1 / 257, 1 / 256, 1.0, 128.0, 128.5):
        source, result = replace(Q, scale=(scale,)), replace(Q, scale=(1.0,))
        yield f"QUANTIZE {scale}", op("QUANTIZE", [source], [result], version=2)
    for scale, point in ((0.0, 0), (-1.0, 0), (1e-40, 0), (0.1, 300), (0.1, -128)):
        bad = replace(Q, scale=(scale,), zero_point=point)
        yield f"DEQUANTIZE {scale} {point}", op("DEQUANTIZE", [bad], [F], version=2)


def binary() -> Iterator[Probe]:
    names = "ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE POW FLOOR_DIV PRELU"
    for name, kind in product(
        names.split(), [k for k in KINDS if k != "bare int8"]
    ):  # TFLite's own kernels abort on those
        yield f"{name} {kind}", op(name, [KINDS[kind]] * 2, [KINDS[kind]])
    for name, kind in product(("ADD", "MUL", "DIV", "PRELU"), ("float", "half", "int8")):
        yield f"{name} constant {kind}", op(name, [KINDS[kind], replace(KINDS[kind], data=0)], [KINDS[kind]])
    for name, mixed in product(("ADD", "MUL"), ((F, Q, F), (Q, U, Q), (Q, Q, U))):
        yield f"{name} {[t.dtype for t in mixed]}", op(name, mixed[:2], mixed[2:])
    for (name, kind), act in product((("ADD", "Add"), ("SUB", "Sub"), ("MUL", "Mul"), ("DIV", "Div")), range(6)):
        yield f"{name} act {act}", op(name, [F, F], [F], f"{kind}Options", fused_activation_function=act)
    for name, left in product(("ADD", "SUB", "MUL"), (1 / 65537, 1 / 65536, 1 / 1025, 1 / 1024, 255.9, 256.0)):
        tensors = [replace(Q, scale=(scale,)) for scale in (left, 1.0, 1.0)]
        yield f"{name} scale {left}", op(name, tensors[:2], tensors[2:])
    shapes: tuple[tuple[int, ...], ...] = ((), (1,), (4, 4), (1, 3), (0, 4), (1,) * 7)
    for shape in shapes:
        yield f"ADD {shape}", op("ADD", [F, T(shape)], [F])


def reductions() -> Iterator[Probe]:
    image, row = (1, 4, 4, 8), (1, 8)
    names = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
    for name, kind in product(names, ("float", "half", "int8", "uint8", "int32")):
        source, result = replace(KINDS[kind], shape=image), replace(KINDS[kind], shape=row)
        yield f"{name} {kind}", op(name, [source, ints(1, 2)], [result], "ReducerOptions")
    for axes in ((), (1, 1), (2, 1), (-1,), (1, -3), (0, 1, 2, 3)):
        yield f"MEAN {axes}", op("MEAN", [T(image), ints(*axes)], [T((1, 4, 8))], "ReducerOptions")
    for label, odd in (("wide", ints(1, dtype="int64")), ("scalar", T((), "int32", data=1))):
        yield f"MEAN {label}", op("MEAN", [T(image), odd], [T((1, 4, 8))], "ReducerOptions")
    yield "MEAN rank 7", op("MEAN", [T((1,) * 7), ints(1)], [T((1,) * 6)], "ReducerOptions")
    yield "MEAN scales", op("MEAN", [replace(Q, shape=image), ints(1, 2)], [replace(Q, shape=row, scale=(9.0,))])


def pools() -> Iterator[Probe]:
    def pool(name: str, kind: T, result: T, filters: tuple[int, int], strides: tuple[int, int], act: int = 0) -> bytes:
        source = replace(kind, shape=(1, 8, 8, 4))
        fields = {
            "filter_height": filters[0],
            "filter_width": filters[1],
            "stride_h": strides[0],
            "stride_w": strides[1],
        }
        made = [replace(result, shape=(1, -(-8 // strides[0]), -(-8 // strides[1]), 4))]
        return op(name, [source], made, "Pool2DOptions", version=2, fused_activation_function=act, **fields)

    names = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
    for name, kind in product(names, ("float", "int8", "uint8")):
        yield f"{name} {kind}", pool(name, KINDS[kind], KINDS[kind], (2, 2), (2, 2))
    windows = (((1, 1), (1, 1)), ((1, 1), (2, 2)), ((2, 2), (3, 3)), ((2, 2), (1, 2)), ((2, 1), (2, 2)))
    for name, (filters, strides) in product(names, windows):
        yield f"{name} {filters} {strides}", pool(name, F, F, filters, strides)
    for name, act in product(names, range(6)):
        yield f"{name} act {act}", pool(name, F, F, (2, 2), (2, 2), act)
    yield "MAX_POOL_2D scales", pool("MAX_POOL_2D", Q, replace(Q, scale=(0.2,)), (2, 2), (2, 2))


def _triples(rows: int) -> dict[str, tuple[T, T, T, T]]:
    """Input, filter, bias and output types; shapes come later."""
    many, wide = (0.02,) * rows, T(dtype="int32", data=0)
    half = T(dtype="float16", data=0)
    one, each = T(dtype="int8", scale=(0.02,), data=0), T(dtype="int8", scale=many, data=0)
    bias, biases = replace(wide, scale=(0.002,)), replace(wide, scale=(0.002,) * rows)
    plain, uint = replace(F, data=0), replace(U, scale=(0.02,), data=0)
    return {
        "float": (F, plain, plain, F),
        "runtime filter": (F, F, plain, F),
        "runtime bias": (F, plain, F, F),
        "half filter": (F, half, plain, F),
        "half bias": (F, plain, half, F),
        "int8": (Q, one, bias, Q),
        "int8 channels": (Q, each, biases, Q),
        "int8 mixed scales": (Q, one, biases, Q),
        "int8 other mixed scales": (Q, each, bias, Q),
        "int8 float bias": (Q, one, plain, Q),
        "int8 bare bias": (Q, one, wide, Q),
        "int8 bias zero point": (Q, one, replace(bias, zero_point=1), Q),
        "int8 filter zero point": (Q, replace(one, zero_point=1), bias, Q),
        "int8 channels zero point": (Q, replace(each, zero_point=3), biases, Q),
        "int8 float out": (Q, one, bias, F),
        "int8 tiny scale": (Q, replace(one, scale=(1e-40,)), bias, Q),
        "int8 too much": (replace(Q, scale=(16.0,)), replace(one, scale=(16.0,)), bias, replace(Q, scale=(1.0,))),
        "int8 just enough": (replace(Q, scale=(15.9,)), replace(one, scale=(16.0,)), bias, replace(Q, scale=(1.0,))),
        "uint8": (U, uint, bias, U),
        "uint8 by int8": (U, one, bias, U),
        "dynamic": (F, one, plain, F),
        "dynamic channels": (F, each, plain, F),
        "dynamic integer bias": (F, one, bias, F),
        "int16": (replace(Q, dtype="int16"), each, T(dtype="int64", scale=many, data=0), replace(Q, dtype="int16")),
    }


def _shaped(tensors: tuple[T, ...], *shapes: tuple[int, ...], axis: int = 0) -> list[T]:
    made = [replace(tensor, shape=shape) for tensor, shape in zip(tensors, shapes, strict=True)]
    made[1] = replace(made[1], axis=axis if made[1].scale and len(made[1].scale) > 1 else 0)
    return made


def convolutions() -> Iterator[Probe]:
    def conv(tensors: list[T], **fields: Any) -> bytes:
        return op("CONV_2D", tensors[:3], tensors[3:], "Conv2DOptions", 3, **{"stride_w": 1, "stride_h": 1, **fields})

    shapes = (1, 8, 8, 4), (8, 3, 3, 4), (8,), (1, 8, 8, 8)
    for label, types in _triples(8).items():
        yield label, conv(_shaped(types, *shapes))
    plain = _shaped(_triples(8)["float"], *shapes)
    for fields in ({"stride_w": 0}, {"dilation_w_factor": 0}, {"dilation_h_factor": 2}, {"padding": 1}):
        yield str(fields), conv(plain, **fields)
    for act in range(6):
        yield f"act {act}", conv(plain, fused_activation_function=act)
    for depth in (1, 2, 3, 5):
        yield f"depth {depth}", conv([plain[0], replace(plain[1], shape=(8, 3, 3, depth)), *plain[2:]])
    yield "wrong axis", conv(_shaped(_triples(4)["dynamic channels"], *shapes, axis=3))
    yield "rank 3", conv([T((8, 8, 4)), *plain[1:]])
    yield "two inputs", op("CONV_2D", plain[:2], plain[3:], "Conv2DOptions", stride_w=1, stride_h=1)


def depthwise() -> Iterator[Probe]:
    def conv(tensors: list[T], **fields: Any) -> bytes:
        fields = {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1, **fields}
        return op("DEPTHWISE_CONV_2D", tensors[:3], tensors[3:], "DepthwiseConv2DOptions", 3, **fields)

    shapes = (1, 8, 8, 4), (1, 3, 3, 4), (4,), (1, 8, 8, 4)
    for label, types in _triples(4).items():
        yield label, conv(_shaped(types, *shapes, axis=3))
    plain = _shaped(_triples(4)["float"], *shapes)
    for multiplier in (0, 1, 2, 3):
        yield f"multiplier {multiplier}", conv(plain, depth_multiplier=multiplier)


def dense() -> Iterator[Probe]:
    def layer(tensors: Sequence[T | None], result: T, version: int = 9, **fields: Any) -> bytes:
        return op("FULLY_CONNECTED", tensors, [result], "FullyConnectedOptions", version, **fields)

    shapes = (2, 8), (4, 8), (4,), (2, 4)
    for label, types in _triples(4).items():
        made = _shaped(types, *shapes)
        yield label, layer(made[:3], made[3])
        yield f"{label} without bias", layer([*made[:2], None], made[3])
    plain = _shaped(_triples(4)["float"], *shapes)
    for version in (1, 7, 8, 9):
        yield f"version {version}", layer(plain[:3], plain[3], version)
    for act in range(6):
        yield f"act {act}", layer(plain[:3], plain[3], fused_activation_function=act)
    for shape in ((1,), (1, 4), (8,)):
        yield f"bias {shape}", layer([*plain[:2], replace(plain[2], shape=shape)], plain[3])
    yield "wrong axis", layer([plain[0], T((4, 8), "int8", (0.02,) * 8, axis=1, data=0), None], plain[3])
    yield "bare filter", layer([plain[0], T((4, 8), "int8", data=0), None], plain[3])
    for scales, width in ((4, 8), (1, 8), (4, 7)):
        narrow = T((4, width), "int4", (0.02,) * scales, data=0)
        yield f"int4 {scales} {width}", layer([T((2, width)), narrow, None], plain[3], 12)


def matmul() -> Iterator[Probe]:
    def multiply(first: T, second: T, result: T, **fields: Any) -> bytes:
        a, c = replace(first, shape=(2, 3, 4)), replace(result, shape=(2, 3, 5))
        return op("BATCH_MATMUL", [a, second], [c], "BatchMatMulOptions", 2, **fields)

    for kind, stored in product(("float", "int8", "uint8"), (None, 0)):
        second = replace(KINDS[kind], shape=(4, 5), data=stored)
        yield f"{kind} {stored}", multiply(KINDS[kind], second, KINDS[kind])
        yield f"float by {kind} {stored}", multiply(F, second, F)
    for axis, first in product((0, 1), (F, Q)):
        each = T((4, 5), "int8", (0.1,) * (4, 5)[axis], axis=axis, data=0)
        yield f"channels {axis} {first.dtype}", multiply(first, each, first)
        yield (
            f"turned {axis} {first.dtype}",
            multiply(first, replace(each, shape=(5, 4), axis=1 - axis), first, adj_y=True),
        )


def joins() -> Iterator[Probe]:
    for count, kind in product(range(1, 8), (F, Q, U)):
        joined = replace(kind, shape=(1, 4 * count))
        made = [kind] * count, [joined], "ConcatenationOptions"
        yield f"CONCATENATION {count} {kind.dtype}", op("CONCATENATION", *made, axis=1)
    for kind in (Q, U):
        joined = replace(kind, shape=(1, 8), scale=(0.2,))
        made = [kind] * 2, [joined], "ConcatenationOptions"
        yield f"CONCATENATION {kind.dtype} scales", op("CONCATENATION", *made, axis=1)
    for count, kind in product((1, 2, 3, 4, 6), (F, Q, T(dtype="int32"))):
        parts, whole = [replace(kind, shape=(1, 12 // count))] * count, replace(kind, shape=(1, 12))
        made = [T((), "int32", data=1), whole], parts, "SplitOptions"
        yield f"SPLIT {count} {kind.dtype}", op("SPLIT", *made, num_splits=count)


def blocks() -> Iterator[Probe]:
    for block, kind in product((1, 2, 3), (F, Q, U)):
        deep, flat = replace(kind, shape=(1, 2, 2, 8)), replace(kind, shape=(1, 4, 4, 2))
        label = f"{block} {kind.dtype}"
        yield f"deep {label}", op("DEPTH_TO_SPACE", [deep], [flat], "DepthToSpaceOptions", block_size=block)
        yield f"flat {label}", op("SPACE_TO_DEPTH", [flat], [deep], "SpaceToDepthOptions", block_size=block)


def copies() -> Iterator[Probe]:
    other = replace(Q, scale=(0.2,))
    extra = {"PAD": [T((2, 2), "int32", data=0)], "TRANSPOSE": [ints(0, 1)], "RESHAPE": [ints(1, 4)]}
    kinds = (F, Q, U, T(dtype="int32"))
    for name, source, result in product(("PAD", "TRANSPOSE", "SLICE", "RESHAPE"), kinds, (None, other)):
        made = [source, *extra.get(name, [ints(0, 0), ints(1, 4)])], [result or source]
        yield f"{name} {source.dtype} {bool(result)}", op(name, *made)
    for pads, dtype in product(((0, 0, -1, 1), (0, 0, 1, 1)), ("int32", "int64")):
        made = [F, T((2, 2), dtype, data=pads)], [T((1, 4 + pads[2] + pads[3]))]
        yield f"PAD {pads} {dtype}", op("PAD", *made)
    for size, dtype in product(((1, 2), (1, -1), (1, 0)), ("int32", "int64")):
        made = [F, ints(0, 1, dtype=dtype), ints(*size, dtype=dtype)], [T((1, 2))]
        yield f"SLICE {size} {dtype}", op("SLICE", *made)


def sizes() -> Iterator[Probe]:
    """RESHAPE and RESIZE_BILINEAR."""
    for shape in (T((1, 2), "int32", data=(2, 2)), T((2, 2), "int32", data=(1, 2, 1, 2))):
        yield f"RESHAPE {shape.shape}", op("RESHAPE", [F, shape], [T((2, 2))], "ReshapeOptions", new_shape=[2, 2])
    for rank in (0, 1, 6, 7):
        yield f"RESHAPE rank {rank}", op("RESHAPE", [T((1,)), ints(*(1,) * rank)], [T((1,) * rank)])
    yield "RESHAPE alone", op("RESHAPE", [F], [T((2, 2))], "ReshapeOptions", new_shape=[2, 2])
    for kind, size in product((F, Q, U), ((8, 8), (0, 8), (8, 0))):
        source, result = replace(kind, shape=(1, 4, 4, 2)), replace(kind, shape=(1, 8, 8, 2))
        made = [source, ints(*size)], [result], "ResizeBilinearOptions"
        yield f"RESIZE_BILINEAR {kind.dtype} {size}", op("RESIZE_BILINEAR", *made)


def strided() -> Iterator[Probe]:
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    for kind, mask, value in product((F, Q, T(dtype="int32")), masks, (0, 1)):
        made = [kind, ints(0, 1), ints(1, 3), ints(1, 1)], [replace(kind, shape=(1, 2))], "StridedSliceOptions"
        fields: dict[str, Any] = {mask: value}
        yield f"{kind.dtype} {mask} {value}", op("STRIDED_SLICE", *made, **fields)
    for strides, dtype in (((1, 2), "int32"), ((1, -1), "int32"), ((1, 1), "int64")):
        given = [F, ints(0, 1, dtype=dtype), ints(1, 3, dtype=dtype), ints(*strides, dtype=dtype)]
        yield f"{strides} {dtype}", op("STRIDED_SLICE", given, [T((1, 2))], "StridedSliceOptions")


def softmax() -> Iterator[Probe]:
    for kind, beta in product(KINDS, (1.0, 0.5, 0.0)):
        yield f"{kind} {beta}", op("SOFTMAX", [KINDS[kind]], [KINDS[kind]], "SoftmaxOptions", beta=beta)
    yield "rank 7", op("SOFTMAX", [T((1,) * 7)], [T((1,) * 7)], "SoftmaxOptions", beta=1.0)


def transposed() -> Iterator[Probe]:
    shapes = (1, 4, 4, 4), (8, 3, 3, 4), (8,), (1, 8, 8, 8)
    for label, types in _triples(8).items():
        x, w, b, y = _shaped(types, *shapes)
        yield label, _deconv(w, x, b, y)
    x, w, _, y = _shaped(_triples(8)["float"], *shapes)
    for extent, stride, padding in ((8, 2, 0), (7, 2, 0), (9, 2, 0), (16, 4, 0), (9, 2, 1), (2, 2, 1)):
        made = replace(y, shape=(1, extent, extent, 8))
        yield f"{extent} {stride} {padding}", _deconv(w, x, None, made, padding=padding, stride=stride)
    yield "channels", _deconv(w, x, None, replace(y, shape=(1, 8, 8, 4)))


def custom() -> Iterator[Probe]:
    """MediaPipe's transposed convolution, whose options are three int32."""
    x, w, b, y = T((1, 4, 4, 4)), T((8, 3, 3, 4), data=0), T((8,), data=0), T((1, 8, 8, 8))
    for numbers in ((1, 2, 2), (2, 2, 2), (0, 2, 2), (3, 2, 2), (1, 0, 2), (1, 2, -1), (1, 2)):
        yield f"options {numbers}", _custom(x, w, b, y, numbers)
    yield "filter given", _custom(x, replace(w, data=None), b, y)
    yield "bias given", _custom(x, w, replace(b, data=None), y)
    yield "half weights", _custom(x, replace(w, dtype="float16"), b, y)
    x8, w8, b8, y8 = (replace(one, dtype="int8", scale=(0.1,)) for one in (x, w, b, y))
    yield "int8", _custom(x8, w8, b8, y8)
    yield "rank", _custom(replace(x, shape=(4, 4, 4)), w, b, y)
    yield "no bias", _custom(x, w, None, y)


def _custom(x: T, w: T, b: T | None, y: T, numbers: Sequence[int] = (1, 2, 2)) -> bytes:
    given = [x, w, *([b] if b else [])]
    made = parse_tree(op("CUSTOM", given, [y]))[0]
    made.operator_codes[0].custom_code = "Convolution2DTransposeBias"
    made.subgraphs[0].operators[0].custom_options = np.frombuffer(np.array(numbers, "<i4").tobytes(), np.uint8)
    return pack_tree(made)


def _deconv(w: T, x: T, b: T | None, y: T, padding: int = 0, stride: int = 2) -> bytes:
    fields = {"padding": padding, "stride_w": stride, "stride_h": stride}
    return op("TRANSPOSE_CONV", [ints(*y.shape), w, x, b], [y], "TransposeConvOptions", 3, **fields)
