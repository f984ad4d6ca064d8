"""Files of one op, or of an op and its reader, with values as networks have them: what the sweep of 16 bits tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.graphs import Graph, options

Values = npt.NDArray[np.float32]
Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator], Any]
Others = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """One op, or an op and its reader, on values of a kind.

    Attributes:
        name: the op, and what the values are like.
        data: the float file, of input ``x``.
        draw: values of one sample.
    """

    name: str
    data: bytes
    draw: Draw


def _of_one(
    name: str, shape: Shape, kind: str = "", *, to: Shape | None = None, others: Others = (), **fields: Any
) -> bytes:
    """A file of one op: ``x``, then constants."""
    graph = Graph()
    x = graph.tensor("x", shape)
    y = graph.tensor("y", shape if to is None else to)
    constants = [graph.constant(f"c{place}", values) for place, values in enumerate(others)]
    version = 2 if name == "BROADCAST_TO" else 1
    graph.op(name, (x, *constants), (y,), options(kind, **fields) if kind else None, version=version)
    return graph.finish((x,), (y,))


def _normal(shape: Shape, scale: float) -> Draw:
    return lambda rng: rng.normal(0, scale, shape)


def _spread(shape: Shape, least: float, factor: float = 1.0) -> Draw:
    """Positive values, evenly in their logarithm between ``least`` and 1, times a factor."""
    return lambda rng: factor * np.exp(rng.uniform(np.log(least), 0, shape))


def _tables() -> Iterator[Case]:
    row = (1, 64, 32)
    for scale in (0.1, 1.0, 4.0, 20.0, 200.0):
        for name in ("LOGISTIC", "TANH", "GELU", "RELU", "HARD_SWISH", "ELU", "EXP", "ABS", "RELU6", "SIN", "COS"):
            if name != "EXP" or scale < 10:
                kind = {"GELU": "GeluOptions", "ABS": "AbsOptions", "EXP": "ExpOptions"}.get(name, "")
                yield Case(f"{name} of normal values times {scale:g}", _of_one(name, row, kind), _normal(row, scale))
        yield Case(
            f"LEAKY_RELU {scale:g}", _of_one("LEAKY_RELU", row, "LeakyReluOptions", alpha=0.1), _normal(row, scale)
        )
    for least in (0.5, 0.1, 0.05, 0.025, 0.01, 1e-3, 1e-5):
        for name in ("RSQRT", "SQRT", "LOG"):
            yield Case(f"{name} of {least:g} to 1", _of_one(name, row), _spread(row, least))
        for factor in (1e-3, 1e3):
            yield Case(f"RSQRT of {least:g} to 1, times {factor:g}", _of_one("RSQRT", row), _spread(row, least, factor))


def _softmaxes() -> Iterator[Case]:
    for classes in (4, 16, 50, 100, 197, 400, 1000, 7000):
        shape = (1, 4, classes)
        for scale in (0.5, 3.0, 10.0, 30.0):
            data = _of_one("SOFTMAX", shape, "SoftmaxOptions", beta=1.0)
            yield Case(f"SOFTMAX of {classes}, normal times {scale:g}", data, _normal(shape, scale))
    shape = (1, 4, 10)
    yield Case("LOG_SOFTMAX of 10", _of_one("LOG_SOFTMAX", shape, "LogSoftmaxOptions"), _normal(shape, 3))
    deep = (1, 2, 2, 2, 8)
    yield Case("SOFTMAX in 5 dimensions", _of_one("SOFTMAX", deep, "SoftmaxOptions", beta=1.0), _normal(deep, 3))


def _products() -> Iterator[Case]:
    rng = np.random.default_rng(1)

    def drawn(*shape: int) -> Values:
        return rng.normal(0, 1, shape).astype(np.float32)

    products: tuple[tuple[str, Shape, Shape, Shape, dict[str, bool]], ...] = (
        ("by a stored matrix", (1, 6, 16), (16, 8), (1, 6, 8), {}),
        ("by a stored matrix, turned", (1, 6, 16), (8, 16), (1, 6, 8), {"adj_y": True}),
        ("by stored matrices of a batch", (3, 6, 16), (3, 16, 8), (3, 6, 8), {}),
        ("by a stored matrix of rank 3", (1, 6, 16), (1, 16, 8), (1, 6, 8), {}),
        ("turned, by a stored matrix", (1, 16, 6), (16, 8), (1, 6, 8), {"adj_x": True}),
    )
    for words, left, right, to, fields in products:
        yield Case(
            f"BATCH_MATMUL {words}",
            _of_one("BATCH_MATMUL", left, "BatchMatMulOptions", to=to, others=(drawn(*right),), **fields),
            _normal(left, 1),
        )
    graph = Graph()
    x, y = graph.tensor("x", (1, 16, 8)), graph.tensor("y", (1, 6, 8))
    graph.op("BATCH_MATMUL", (graph.constant("stored", drawn(6, 16)), x), (y,), options("BatchMatMulOptions"))
    yield Case("BATCH_MATMUL of a stored matrix", graph.finish((x,), (y,)), _normal((1, 16, 8), 1))
    for inner in (16, 4096):
        graph = Graph()
        x = graph.tensor("x", (1, 6, inner))
        half, y = graph.tensor("half", (1, 6, inner)), graph.tensor("y", (1, 6, 6))
        graph.op("MUL", (x, graph.constant("factor", np.float32(0.5).reshape(1))), (half,), options("MulOptions"))
        graph.op("BATCH_MATMUL", (x, half), (y,), options("BatchMatMulOptions", adj_y=True))
        yield Case(f"BATCH_MATMUL of two results, {inner} terms", graph.finish((x,), (y,)), _normal((1, 6, inner), 1))
    for inner in (16, 4096):
        data = _of_one(
            "FULLY_CONNECTED", (4, inner), "FullyConnectedOptions", to=(4, 8), others=(drawn(8, inner), drawn(8))
        )
        yield Case(f"FULLY_CONNECTED, {inner} terms", data, _normal((4, inner), 1))
    for name, kind, weights in (
        ("CONV_2D", "Conv2DOptions", (8, 3, 3, 4)),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 3, 3, 4)),
    ):
        steps = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
        steps |= {"depth_multiplier": 1} if name[0] == "D" else {}
        made = (1, 8, 8, weights[0] if name[0] == "C" else 4)
        yield Case(
            name,
            _of_one(name, (1, 8, 8, 4), kind, to=made, others=(drawn(*weights), drawn(made[-1])), **steps),
            _normal((1, 8, 8, 4), 1),
        )
    graph = Graph()
    x, y = graph.tensor("x", (1, 4, 4, 4)), graph.tensor("y", (1, 8, 8, 3))
    shape = graph.constant("shape", np.array([1, 8, 8, 3], np.int32))
    graph.op(
        "TRANSPOSE_CONV",
        (shape, graph.constant("w", drawn(3, 2, 2, 4)), x),
        (y,),
        options("TransposeConvOptions", stride_h=2, stride_w=2),
    )
    yield Case("TRANSPOSE_CONV", graph.finish((x,), (y,)), _normal((1, 4, 4, 4), 1))


def _pairs() -> Iterator[Case]:
    shape = (1, 8, 8)
    for name, kind in {
        "ADD": "AddOptions",
        "SUB": "SubOptions",
        "MUL": "MulOptions",
        "DIV": "DivOptions",
        "MAXIMUM": "MaximumMinimumOptions",
        "MINIMUM": "MaximumMinimumOptions",
        "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
        "POW": "PowOptions",
        "FLOOR_DIV": "FloorDivOptions",
    }.items():
        for scale in (1e-3, 1.0, 300.0):
            graph = Graph()
            x, other, y = (graph.tensor(word, shape) for word in ("x", "other", "y"))
            graph.op(
                "MUL", (x, graph.constant("factor", np.float32(scale).reshape(1))), (other,), options("MulOptions")
            )
            graph.op(name, (x, other), (y,), options(kind))
            yield Case(
                f"{name} with {scale:g} times the other",
                graph.finish((x,), (y,)),
                lambda rng: np.abs(rng.normal(0, 1, shape)) + 0.1,
            )
    for value in (1.0, 0.5, 1e-6, 3e4):
        for name, kind in (("ADD", "AddOptions"), ("MUL", "MulOptions"), ("SUB", "SubOptions")):
            yield Case(
                f"{name} of {value:g}",
                _of_one(name, shape, kind, others=(np.full((1,), value, np.float32),)),
                _normal(shape, 1),
            )


def _joins() -> Iterator[Case]:
    """A result of fixed scale, moved or beside values of another scale."""
    shape = (1, 8, 8)
    for name, kind in (("LOGISTIC", ""), ("TANH", ""), ("SOFTMAX", "SoftmaxOptions")):
        made = {"beta": 1.0} if kind else {}
        for reader in (
            "CONCATENATION",
            "PACK",
            "MAXIMUM",
            "PAD",
            "PADV2",
            "SELECT_V2",
            "SPLIT",
            "RESHAPE",
            "TRANSPOSE",
            "GATHER",
            "MEAN",
            "REDUCE_MAX",
            "MAX_POOL_2D",
            "MIRROR_PAD",
            "ADD",
        ):
            graph = Graph()
            wide = (1, 1, 8, 8) if reader == "MAX_POOL_2D" else shape
            x = graph.tensor("x", wide)
            gate = graph.tensor("gate", wide)
            graph.op(name, (x,), (gate,), options(kind, **made) if kind else None)
            if reader in ("CONCATENATION", "PACK"):
                y = graph.tensor("y", (1, 8, 16) if reader[0] == "C" else (2, 1, 8, 8))
                graph.op(
                    reader,
                    (x, gate),
                    (y,),
                    options("ConcatenationOptions", axis=2)
                    if reader[0] == "C"
                    else options("PackOptions", values_count=2, axis=0),
                )
            elif reader in ("MAXIMUM", "ADD"):
                y = graph.tensor("y", shape)
                graph.op(
                    reader, (x, gate), (y,), options("MaximumMinimumOptions" if reader[0] == "M" else "AddOptions")
                )
            elif reader in ("PAD", "PADV2", "MIRROR_PAD"):
                y = graph.tensor("y", (1, 10, 8))
                counts = [graph.constant("counts", np.array([[0, 0], [1, 1], [0, 0]], np.int32))]
                counts += [graph.constant("number", np.array([2.5], np.float32))] if reader == "PADV2" else []
                graph.op(
                    reader,
                    (gate, *counts),
                    (y,),
                    options({"PAD": "PadOptions", "PADV2": "PadV2Options", "MIRROR_PAD": "MirrorPadOptions"}[reader]),
                )
            elif reader == "SELECT_V2":
                y, where = graph.tensor("y", shape), graph.tensor("where", shape, "bool")
                graph.op(
                    "GREATER", (x, graph.constant("zero", np.zeros(1, np.float32))), (where,), options("GreaterOptions")
                )
                graph.op(reader, (where, x, gate), (y,), options("SelectV2Options"))
            elif reader == "SPLIT":
                y, z = graph.tensor("y", (1, 8, 4)), graph.tensor("z", (1, 8, 4))
                graph.op(
                    reader,
                    (graph.constant("axis", np.array(2, np.int32)), gate),
                    (y, z),
                    options("SplitOptions", num_splits=2),
                )
            elif reader == "MAX_POOL_2D":
                y = graph.tensor("y", (1, 1, 4, 8))
                graph.op(
                    reader,
                    (gate,),
                    (y,),
                    options("Pool2DOptions", stride_h=1, stride_w=2, filter_height=1, filter_width=2),
                )
            else:
                operand = {
                    "RESHAPE": [1, 64],
                    "TRANSPOSE": [0, 2, 1],
                    "GATHER": [3, 1],
                    "MEAN": [1],
                    "REDUCE_MAX": [1],
                }[reader]
                y = graph.tensor(
                    "y",
                    {
                        "RESHAPE": (1, 64),
                        "TRANSPOSE": (1, 8, 8),
                        "GATHER": (1, 8, 2),
                        "MEAN": (1, 8),
                        "REDUCE_MAX": (1, 8),
                    }[reader],
                )
                kinds = {
                    "RESHAPE": options("ReshapeOptions", new_shape=[1, 64]),
                    "TRANSPOSE": options("TransposeOptions"),
                    "GATHER": options("GatherOptions", axis=2),
                    "MEAN": options("ReducerOptions"),
                    "REDUCE_MAX": options("ReducerOptions"),
                }
                graph.op(reader, (gate, graph.constant("operand", np.array(operand, np.int32))), (y,), kinds[reader])
            yield Case(f"{name}, read by {reader}", graph.finish((x,), (y,)), _normal(wide, 3))


def _moves() -> Iterator[Case]:
    shape = (1, 8, 8, 4)
    mean = options("ReducerOptions", keep_dims=True)
    for name in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
        for scale in (0.01, 1.0, 50.0):
            graph = Graph()
            x, y = graph.tensor("x", shape), graph.tensor("y", (1, 1, 1, 4))
            graph.op(name, (x, graph.constant("axes", np.array([1, 2], np.int32))), (y,), mean)
            yield Case(f"{name} times {scale:g}", graph.finish((x,), (y,)), _normal(shape, scale))
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        yield Case(
            name,
            _of_one(
                name, shape, "Pool2DOptions", to=(1, 4, 4, 4), stride_h=2, stride_w=2, filter_height=2, filter_width=2
            ),
            _normal(shape, 1),
        )
    for name, kind in (
        ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    ):
        for half in (False, True):
            yield Case(
                f"{name} {half}",
                _of_one(
                    name,
                    shape,
                    kind,
                    to=(1, 16, 16, 4),
                    others=(np.array([16, 16], np.int32),),
                    half_pixel_centers=half,
                ),
                _normal(shape, 1),
            )
    yield Case(
        "DEPTH_TO_SPACE",
        _of_one("DEPTH_TO_SPACE", shape, "DepthToSpaceOptions", to=(1, 16, 16, 1), block_size=2),
        _normal(shape, 1),
    )
    yield Case(
        "SPACE_TO_DEPTH",
        _of_one("SPACE_TO_DEPTH", shape, "SpaceToDepthOptions", to=(1, 4, 4, 16), block_size=2),
        _normal(shape, 1),
    )
    yield Case("CUMSUM", _of_one("CUMSUM", shape, "CumsumOptions", others=(np.array(1, np.int32),)), _normal(shape, 1))
    yield Case(
        "TILE",
        _of_one("TILE", shape, "TileOptions", to=(1, 16, 8, 4), others=(np.array([1, 2, 1, 1], np.int32),)),
        _normal(shape, 1),
    )
    yield Case("L2_NORMALIZATION", _of_one("L2_NORMALIZATION", shape, "L2NormOptions"), _normal(shape, 1))
    yield Case(
        "BROADCAST_TO",
        _of_one("BROADCAST_TO", (1, 8), "BroadcastToOptions", to=(4, 8), others=(np.array([4, 8], np.int32),)),
        _normal((1, 8), 1),
    )
    for name in ("STRIDED_SLICE", "SLICE"):
        ends = [np.array(v, np.int32) for v in ([0, 1, 0, 0], [1, 4, 8, 4], [1, 1, 1, 1])]
        if name == "SLICE":
            ends = [ends[0], np.array([1, 3, 8, 4], np.int32)]
        yield Case(
            name,
            _of_one(
                name,
                shape,
                "StridedSliceOptions" if len(ends) == 3 else "SliceOptions",
                to=(1, 3, 8, 4),
                others=tuple(ends),
            ),
            _normal(shape, 1),
        )
    yield Case(
        "GATHER_ND",
        _of_one("GATHER_ND", shape, "GatherNdOptions", to=(2, 8, 4), others=(np.array([[0, 1], [0, 3]], np.int32),)),
        _normal(shape, 1),
    )
    yield Case(
        "REVERSE_V2",
        _of_one("REVERSE_V2", shape, "ReverseV2Options", others=(np.array([1], np.int32),)),
        _normal(shape, 1),
    )
    yield Case("UNPACK", _unpacked(), _normal((2, 8), 1))


def _unpacked() -> bytes:
    graph = Graph()
    x, y, z = graph.tensor("x", (2, 8)), graph.tensor("y", (8,)), graph.tensor("z", (8,))
    graph.op("UNPACK", (x,), (y, z), options("UnpackOptions", num=2, axis=0))
    return graph.finish((x,), (y, z))


BIASES = np.linspace(-11.0625, 37.3, 8).astype(np.float32)


def large_bias() -> Case:
    """Small weights beside biases that float32 does not hold to a millionth."""
    weights = np.random.default_rng(1).normal(0, 0.05, (8, 16)).astype(np.float32)
    data = _of_one("FULLY_CONNECTED", (4, 16), "FullyConnectedOptions", to=(4, 8), others=(weights, BIASES))
    return Case("FULLY_CONNECTED, large biases", data, _normal((4, 16), 1))


def every() -> Iterator[Case]:
    """All cases."""
    for family in (_tables, _softmaxes, _products, _pairs, _joins, _moves):
        yield from family()
