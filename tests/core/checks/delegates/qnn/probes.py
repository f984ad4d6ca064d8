"""Ops in types, ranks and options on both sides of what QNN takes; all of a family stand side by side in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from tests.core.checks.delegates.xnnpack.one_op import T, ints
from tests.graphs import Graph, options


@dataclass(frozen=True)
class Probe:
    """One op where it stands: operands, results, and the table of its options."""

    label: str
    op: str
    inputs: Sequence[T | None]
    outputs: Sequence[T]
    kind: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    version: int = 1


def file_of(probes: Sequence[Probe]) -> bytes:
    """One file with all of them; the op's index is the probe's place."""
    graph = Graph()
    live, made = [], []
    for place, probe in enumerate(probes):
        given = [-1 if one is None else one.add(graph, f"p{place}_i{k}") for k, one in enumerate(probe.inputs)]
        results = [one.add(graph, f"p{place}_o{k}") for k, one in enumerate(probe.outputs)]
        graph.op(
            probe.op,
            given,
            results,
            options(probe.kind, **probe.fields) if probe.kind else None,
            version=probe.version,
        )
        live += [i for i, one in zip(given, probe.inputs, strict=True) if one is not None and one.data is None]
        made += results
    return graph.finish(live, made, signature=False)


F = T((1, 4, 4, 8))
KINDS = {
    "float32": F,
    "float16": replace(F, dtype="float16"),
    "int8": replace(F, dtype="int8", scale=(0.1,)),
    "uint8": replace(F, dtype="uint8", scale=(0.1,), zero_point=128),
    "int16": replace(F, dtype="int16", scale=(0.1,)),
    "int32": replace(F, dtype="int32"),
    "int64": replace(F, dtype="int64"),
    "bool": replace(F, dtype="bool"),
    "bare int8": replace(F, dtype="int8"),
}
FLOAT, INT8 = KINDS["float32"], KINDS["int8"]
UNARY = [
    "ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "LOG_SOFTMAX",
    "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SOFTMAX", "SQRT", "SQUARE",
    "TANH", "LOGICAL_NOT", "L2_NORMALIZATION",
]  # fmt: skip
UNARY_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "GELU": ("GeluOptions", {}),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": 0.1}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": 1.0}),
    "L2_NORMALIZATION": ("L2NormOptions", {}),
}
BINARY = {
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions", "MAXIMUM": "", "MINIMUM": "",
    "SQUARED_DIFFERENCE": "", "POW": "", "FLOOR_DIV": "", "FLOOR_MOD": "", "PRELU": "", "LOGICAL_AND": "",
    "LOGICAL_OR": "",
}  # fmt: skip
COMPARING = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
RANKS = ((8,), (4, 8), (1, 4, 8), (1, 2, 2, 4, 8), (1, 1, 2, 2, 2, 8))


def unary() -> Iterator[Probe]:
    for op in UNARY:
        kind, fields = UNARY_OPTIONS.get(op, ("", {}))
        for label, tensor in KINDS.items():
            yield Probe(f"{op} {label}", op, [tensor], [tensor], kind, fields)
        for base, shape in product((FLOAT, INT8), RANKS):
            one = replace(base, shape=shape)
            yield Probe(f"{op} {base.dtype} rank {len(shape)}", op, [one], [one], kind, fields)
        yield Probe(f"{op} int8 to float32", op, [INT8], [FLOAT], kind, fields)


def binary() -> Iterator[Probe]:
    for op, kind in BINARY.items():
        for label, tensor in KINDS.items():
            yield Probe(f"{op} {label}", op, [tensor, tensor], [tensor], kind)
        for base, shape in product((FLOAT, INT8), RANKS):
            one = replace(base, shape=shape)
            yield Probe(f"{op} {base.dtype} rank {len(shape)}", op, [one, one], [one], kind)
        for base in (FLOAT, INT8):
            stored = replace(base, shape=(8,), data=1)
            yield Probe(f"{op} {base.dtype} stored", op, [base, stored], [base], kind)
        yield Probe(f"{op} mixed", op, [INT8, FLOAT], [INT8], kind)
    for op, act in product(("ADD", "SUB", "MUL", "DIV"), range(6)):
        fields = {"fused_activation_function": act}
        yield Probe(f"{op} act {act}", op, [FLOAT, FLOAT], [FLOAT], BINARY[op], fields)
        yield Probe(f"{op} int8 act {act}", op, [INT8, INT8], [INT8], BINARY[op], fields)
    truth = KINDS["bool"]
    for op, (label, tensor) in product(COMPARING, KINDS.items()):
        yield Probe(f"{op} {label}", op, [tensor, tensor], [truth])
    for op, (label, tensor) in product(("SELECT", "SELECT_V2"), KINDS.items()):
        yield Probe(f"{op} {label}", op, [truth, tensor, tensor], [tensor])


def windows() -> Iterator[Probe]:
    plain = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    for label, tensor in KINDS.items():
        bias = T((8,), "int32", (0.01,), data=0) if tensor.scale else T((8,), tensor.dtype, data=0)
        kernel = replace(
            tensor, shape=(8, 3, 3, 8), zero_point=0, dtype="int8" if label == "int16" else tensor.dtype, data=1
        )
        wide = replace(bias, dtype="int64") if label == "int16" else bias
        yield Probe(f"CONV_2D {label}", "CONV_2D", [tensor, kernel, wide], [tensor], "Conv2DOptions", plain)
        deep = replace(kernel, shape=(1, 3, 3, 8), axis=3)
        fields = {**plain, "depth_multiplier": 1}
        yield Probe(
            f"DEPTHWISE {label}", "DEPTHWISE_CONV_2D", [tensor, deep, wide], [tensor], "DepthwiseConv2DOptions", fields
        )
        dense = replace(tensor, shape=(16, 8))
        weights = replace(kernel, shape=(8, 8))
        yield Probe(
            f"FULLY_CONNECTED {label}",
            "FULLY_CONNECTED",
            [dense, weights, wide],
            [replace(tensor, shape=(16, 8))],
            "FullyConnectedOptions",
        )
        for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
            window = {"stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
            yield Probe(f"{op} {label}", op, [tensor], [replace(tensor, shape=(1, 2, 2, 8))], "Pool2DOptions", window)
        size = ints(8, 8)
        for op, kind in (
            ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
            ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
        ):
            yield Probe(f"{op} {label}", op, [tensor, size], [replace(tensor, shape=(1, 8, 8, 8))], kind)
        shape = ints(1, 8, 8, 8)
        up = {"stride_h": 2, "stride_w": 2}
        yield Probe(
            f"TRANSPOSE_CONV {label}",
            "TRANSPOSE_CONV",
            [shape, kernel, tensor],
            [replace(tensor, shape=(1, 8, 8, 8))],
            "TransposeConvOptions",
            up,
        )
        square = replace(tensor, shape=(1, 4, 8, 8))
        yield Probe(f"BATCH_MATMUL {label}", "BATCH_MATMUL", [square, square], [square], "BatchMatMulOptions")
    hybrid = replace(INT8, shape=(8, 3, 3, 8), data=1)
    channels = replace(hybrid, scale=(0.1,) * 8)
    bias32 = T((8,), data=0)
    yield Probe("CONV_2D hybrid", "CONV_2D", [FLOAT, hybrid, bias32], [FLOAT], "Conv2DOptions", plain)
    yield Probe("CONV_2D hybrid channels", "CONV_2D", [FLOAT, channels, bias32], [FLOAT], "Conv2DOptions", plain)
    many = T((8,), "int32", (0.01,) * 8, data=0)
    yield Probe("CONV_2D int8 channels", "CONV_2D", [INT8, channels, many], [INT8], "Conv2DOptions", plain)
    yield Probe("CONV_2D no bias", "CONV_2D", [INT8, hybrid, None], [INT8], "Conv2DOptions", plain)
    yield Probe(
        "CONV_2D computed filter", "CONV_2D", [INT8, replace(hybrid, data=None), many], [INT8], "Conv2DOptions", plain
    )
    deep = replace(INT8, shape=(1, 3, 3, 8), scale=(0.1,) * 8, axis=3, data=1)
    fields = {**plain, "depth_multiplier": 1}
    yield Probe(
        "DEPTHWISE int8 channels", "DEPTHWISE_CONV_2D", [INT8, deep, many], [INT8], "DepthwiseConv2DOptions", fields
    )
    for label, scale in (("tensor", (0.1,)), ("channels", (0.1,) * 8)):
        weights = replace(INT8, shape=(8, 8), scale=scale, data=1)
        flat = replace(INT8, shape=(1, 8))
        real = replace(FLOAT, shape=(1, 8))
        yield Probe(
            f"FULLY_CONNECTED hybrid {label}",
            "FULLY_CONNECTED",
            [real, weights, bias32],
            [real],
            "FullyConnectedOptions",
        )
        fixed = replace(many, scale=(0.01,) * len(scale))
        yield Probe(
            f"FULLY_CONNECTED int8 {label}", "FULLY_CONNECTED", [flat, weights, fixed], [flat], "FullyConnectedOptions"
        )
    deep = replace(INT8, shape=(1, 3, 3, 8), axis=3, data=1)
    yield Probe(
        "DEPTHWISE hybrid", "DEPTHWISE_CONV_2D", [FLOAT, deep, bias32], [FLOAT], "DepthwiseConv2DOptions", fields
    )
    for act, base in product(range(6), (FLOAT, INT8)):
        weights = replace(base, shape=(8, 3, 3, 8), data=1)
        offset = bias32 if base is FLOAT else replace(many, scale=(0.01,))
        yield Probe(
            f"CONV_2D {base.dtype} act {act}",
            "CONV_2D",
            [base, weights, offset],
            [base],
            "Conv2DOptions",
            {**plain, "fused_activation_function": act},
        )


def moves() -> Iterator[Probe]:
    for label, tensor in KINDS.items():
        flat = replace(tensor, shape=(1, 128))
        yield Probe(
            f"RESHAPE {label}", "RESHAPE", [tensor, ints(1, 128)], [flat], "ReshapeOptions", {"new_shape": [1, 128]}
        )
        yield Probe(f"TRANSPOSE {label}", "TRANSPOSE", [tensor, ints(0, 2, 1, 3)], [tensor], "TransposeOptions")
        pads = T((4, 2), "int32", data=[[0, 0], [1, 1], [1, 1], [0, 0]])
        padded = replace(tensor, shape=(1, 6, 6, 8))
        yield Probe(f"PAD {label}", "PAD", [tensor, pads], [padded], "PadOptions")
        yield Probe(
            f"PADV2 {label}", "PADV2", [tensor, pads, replace(tensor, shape=(1,), data=1)], [padded], "PadV2Options"
        )
        yield Probe(f"MIRROR_PAD {label}", "MIRROR_PAD", [tensor, pads], [padded], "MirrorPadOptions", {"mode": 0})
        part = replace(tensor, shape=(1, 2, 2, 8))
        yield Probe(f"SLICE {label}", "SLICE", [tensor, ints(0, 1, 1, 0), ints(1, 2, 2, 8)], [part], "SliceOptions")
        given = [tensor, ints(0, 0, 0, 0), ints(1, 4, 4, 8), ints(1, 2, 2, 1)]
        yield Probe(f"STRIDED_SLICE {label}", "STRIDED_SLICE", given, [part], "StridedSliceOptions")
        yield Probe(
            f"CONCATENATION {label}",
            "CONCATENATION",
            [tensor, tensor],
            [replace(tensor, shape=(1, 4, 4, 16))],
            "ConcatenationOptions",
            {"axis": 3},
        )
        half = replace(tensor, shape=(1, 4, 4, 4))
        yield Probe(
            f"SPLIT {label}",
            "SPLIT",
            [T((), "int32", data=(3,)), tensor],
            [half, half],
            "SplitOptions",
            {"num_splits": 2},
        )
        yield Probe(
            f"SPLIT_V {label}",
            "SPLIT_V",
            [tensor, ints(4, 4), T((), "int32", data=(3,))],
            [half, half],
            "SplitVOptions",
            {"num_splits": 2},
        )
        yield Probe(
            f"PACK {label}",
            "PACK",
            [half, half],
            [replace(tensor, shape=(2, 1, 4, 4, 4))],
            "PackOptions",
            {"values_count": 2},
        )
        yield Probe(
            f"UNPACK {label}",
            "UNPACK",
            [replace(tensor, shape=(2, 4, 8))],
            [replace(tensor, shape=(4, 8))] * 2,
            "UnpackOptions",
            {"num": 2},
        )
        yield Probe(
            f"SPACE_TO_DEPTH {label}",
            "SPACE_TO_DEPTH",
            [tensor],
            [replace(tensor, shape=(1, 2, 2, 32))],
            "SpaceToDepthOptions",
            {"block_size": 2},
        )
        yield Probe(
            f"DEPTH_TO_SPACE {label}",
            "DEPTH_TO_SPACE",
            [tensor],
            [replace(tensor, shape=(1, 8, 8, 2))],
            "DepthToSpaceOptions",
            {"block_size": 2},
        )
        yield Probe(
            f"GATHER {label}",
            "GATHER",
            [tensor, ints(0, 2)],
            [replace(tensor, shape=(1, 2, 4, 8))],
            "GatherOptions",
            {"axis": 1},
        )
        yield Probe(f"TILE {label}", "TILE", [tensor, ints(1, 2, 1, 1)], [replace(tensor, shape=(1, 8, 4, 8))])
        yield Probe(
            f"EXPAND_DIMS {label}",
            "EXPAND_DIMS",
            [half, T((), "int32", data=(0,))],
            [replace(tensor, shape=(1, 1, 4, 4, 4))],
            "ExpandDimsOptions",
        )
        yield Probe(
            f"SQUEEZE {label}",
            "SQUEEZE",
            [tensor],
            [replace(tensor, shape=(4, 4, 8))],
            "SqueezeOptions",
            {"squeeze_dims": [0]},
        )
        yield Probe(
            f"BROADCAST_TO {label}",
            "BROADCAST_TO",
            [replace(tensor, shape=(1, 1, 1, 8)), ints(1, 4, 4, 8)],
            [tensor],
            "BroadcastToOptions",
        )
        yield Probe(f"REVERSE_V2 {label}", "REVERSE_V2", [tensor, ints(1)], [tensor], "ReverseV2Options")
        yield Probe(f"CUMSUM {label}", "CUMSUM", [tensor, T((), "int32", data=(1,))], [tensor], "CumsumOptions")
        for op in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"):
            yield Probe(f"{op} {label}", op, [tensor, ints(1, 2)], [replace(tensor, shape=(1, 8))], "ReducerOptions")
        index = T((1, 4, 4), "int32")
        for op, kind in (("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")):
            yield Probe(f"{op} {label}", op, [tensor, T((), "int32", data=(3,))], [index], kind, {"output_type": 2})
        yield Probe(
            f"TOPK_V2 {label}",
            "TOPK_V2",
            [tensor, T((), "int32", data=(2,))],
            [replace(tensor, shape=(1, 4, 4, 2)), T((1, 4, 4, 2), "int32")],
            "TopKV2Options",
        )
        yield Probe(f"ADD_N {label}", "ADD_N", [tensor, tensor], [tensor], "AddNOptions")
    for base, shape in product((FLOAT, INT8), RANKS):
        one, last = replace(base, shape=shape), len(shape) - 1
        name = f"{base.dtype} rank {len(shape)}"
        yield Probe(
            f"RESHAPE {name}", "RESHAPE", [one, ints(*shape)], [one], "ReshapeOptions", {"new_shape": list(shape)}
        )
        yield Probe(f"TRANSPOSE {name}", "TRANSPOSE", [one, ints(*range(len(shape)))], [one], "TransposeOptions")
        double = replace(one, shape=(*shape[:-1], 16))
        yield Probe(
            f"CONCATENATION {name}", "CONCATENATION", [one, one], [double], "ConcatenationOptions", {"axis": last}
        )
        mean = [one, ints(last)]
        kept = replace(one, shape=(*shape[:-1], 1))
        yield Probe(f"MEAN {name}", "MEAN", mean, [kept], "ReducerOptions", {"keep_dims": True})
        yield Probe(f"SLICE {name}", "SLICE", [one, ints(*[0] * len(shape)), ints(*shape)], [one], "SliceOptions")
        pads = T((len(shape), 2), "int32", data=[[0, 0]] * last + [[4, 4]])
        yield Probe(f"PAD {name}", "PAD", [one, pads], [double], "PadOptions")
    for (before, one), (after, other) in product(KINDS.items(), repeat=2):
        yield Probe(f"CAST {before} {after}", "CAST", [one], [other], "CastOptions")
        yield Probe(f"QUANTIZE {before} {after}", "QUANTIZE", [one], [other], version=2)
        yield Probe(f"DEQUANTIZE {before} {after}", "DEQUANTIZE", [one], [other], version=2)


FAMILIES: dict[str, Callable[[], Iterator[Probe]]] = {
    "unary": unary,
    "binary": binary,
    "windows": windows,
    "moves": moves,
}
