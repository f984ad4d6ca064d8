"""What TFLite's own kernels ask for besides their inputs and outputs.

Sizes are *predicted* by the rule that each kernel's ``Prepare`` states (``tflite/kernels/*.cc`` of LiteRT v2.1.0, named
at each function). They hold for the optimized kernels that the released engines register.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, prod
from types import MappingProxyType
from typing import Literal

import numpy as np

from edge_sdk.artifact.dtypes import DTYPES
from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.errors import ModelError

Home = Literal["arena", "persistent", "heap", "elsewhere"]
"""``arena`` is reused from op to op; ``persistent`` is an arena that lives as long as the interpreter; ``heap`` is a
block of its own; ``elsewhere`` is the file, a delegate or another subgraph."""

_WORD = 4
_UNKNOWN = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "CONV_3D_TRANSPOSE",
        "LSTM",
        "RFFT2D",
        "STABLEHLO_REDUCE_WINDOW",
    }
)


@dataclass(frozen=True)
class Scratch:
    """A temporary tensor of one kernel, ``size_bytes`` big."""

    name: str
    size_bytes: int
    home: Home = "arena"


def scratch(graph: Subgraph, op: Op, homes: Sequence[Home], *, threads: int = 1) -> tuple[Scratch, ...]:
    """The temporary tensors of an op, in the order in which its kernel declares them.

    Args:
        graph: the subgraph that holds the op.
        op: the op.
        homes: where the subgraph's tensors lie.
        threads: CPU threads of the interpreter; any number but 1 makes CONV_2D of float keep transposed weights in
            place of an im2col buffer.

    Raises:
        ModelError: the op lacks an operand, or one has a shape that its kernel refuses.
    """
    rule = _RULES.get(op.name)
    try:
        return tuple(rule(_Site(graph, op, homes, threads))) if rule else ()
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise ModelError(
            f"subgraph {graph.index}, op {op.index} {op.name}: its operands do not fit its kernel",
            hint="no engine loads such a file: convert the model again",
        ) from error


def reserved(op: Op, wanted: int) -> int:
    """How many tensor indices the kernel reserves for ``wanted`` temporary tensors; some reserve more than they use."""
    return max(_RESERVED.get(op.name, 0), wanted)


def reserves_at_once(op: Op) -> bool:
    """Whether the indices are reserved when the file is loaded, before those of all kernels that wait for shapes."""
    return op.name in _AT_ONCE


def has_unknown_scratch(graph: Subgraph, op: Op) -> bool:
    """Whether the op's kernel asks for memory that :func:`scratch` cannot size."""
    sparse = op.name == "FULLY_CONNECTED" and any(tensor.is_sparse for tensor in graph.operands(op))
    return sparse or op.name in _UNKNOWN or op.name.startswith("CUSTOM:")


@dataclass(frozen=True)
class _Site:
    graph: Subgraph
    op: Op
    homes: Sequence[Home]
    threads: int

    def input(self, place: int) -> Tensor:
        if self.op.inputs[place] < 0:
            raise IndexError(place)
        return self.graph.tensors[self.op.inputs[place]]

    def has(self, place: int) -> bool:
        return place < len(self.op.inputs) and self.op.inputs[place] >= 0

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.op.outputs[0]]

    def option(self, name: str, default: int = 0) -> int:
        return int(self.op.options.get(name, default))


def _item_bytes(dtype: str) -> int:
    return np.dtype(DTYPES[dtype]).itemsize if dtype in DTYPES else 1


def _hybrid(data: Tensor, weights: Tensor) -> bool:
    return data.dtype == "float32" and weights.dtype in {"int8", "uint8", "int4"}


def _conv_2d(site: _Site) -> Iterator[Scratch]:
    """``conv.cc``: im2col, or transposed weights where Eigen's threaded kernel runs; then what hybrid needs."""
    data, weights = site.input(0), site.input(1)
    hybrid = _hybrid(data, weights)
    dilated = site.option("dilation_w_factor", 1) != 1 or site.option("dilation_h_factor", 1) != 1
    strided = site.option("stride_w", 1) != 1 or site.option("stride_h", 1) != 1
    kept = site.homes[weights.index] in {"persistent", "elsewhere"}
    if site.threads != 1 and data.dtype == "float32" and kept and not (hybrid or dilated):
        yield Scratch("hwcn_weights", _WORD * weights.elements, "persistent")
    elif dilated or strided or weights.shape[1:3] != (1, 1):
        item = 1 if hybrid else _item_bytes(data.dtype)
        yield Scratch("im2col", prod(site.output.shape[:3]) * prod(weights.shape[1:]) * item)
    if hybrid:
        yield from _hybrid_conv_2d(site, data, weights)


def _hybrid_conv_2d(site: _Site, data: Tensor, weights: Tensor) -> Iterator[Scratch]:
    rows = _WORD * (data.elements // weights.shape[3])
    yield Scratch("input_quantized", data.elements)
    yield Scratch("scaling_factors", rows)
    yield Scratch("accum_scratch", _WORD * weights.shape[0] * prod(site.output.shape[:3]))
    scales = weights.quantization.scale if weights.quantization else ()
    if len(set(scales)) > 1 and weights.dtype != "uint8":
        yield Scratch("input_offsets", rows)
        yield Scratch("row_sums", _WORD * weights.shape[0], "persistent")


def _depthwise(site: _Site) -> Iterator[Scratch]:
    """``depthwise_conv.cc``."""
    data, weights = site.input(0), site.input(1)
    if data.dtype == "float32" and weights.dtype == "int8":
        yield Scratch("input_quantized", data.elements)
        yield Scratch("scaling_factors", _WORD * data.shape[0])
        yield Scratch("input_offsets", _WORD * data.shape[0])


def _conv_3d(site: _Site) -> Iterator[Scratch]:
    """``conv3d.cc``."""
    steps = [site.option(name, 1) for name in ("stride_d", "stride_w", "stride_h")]
    steps += [site.option(f"dilation_{axis}_factor", 1) for axis in "dwh"]
    weights = site.input(1)
    if set(steps) != {1} or weights.shape[:3] != (1, 1, 1):
        yield Scratch("im2col", _WORD * prod(site.output.shape[:4]) * prod(weights.shape[:4]))


def _transpose_conv(site: _Site) -> Iterator[Scratch]:
    """``transpose_conv.cc``: the large ones are dynamic tensors, so they lie on the heap."""
    weights, data = site.input(1), site.input(2)
    columns = data.shape[1] * data.shape[2] * prod(weights.shape[:3])
    yield Scratch("col2im", _WORD * columns, "heap")
    yield Scratch("transposed_weights", weights.size_bytes, "heap")
    if data.dtype in {"int8", "uint8", "int16"}:
        item = 8 if data.dtype == "int16" else _WORD
        yield Scratch("scratch", item * site.output.elements, "heap")
    elif weights.dtype == "int8":
        rows = _WORD * (data.elements // weights.shape[3])
        yield Scratch("input_quantized", data.elements)
        yield Scratch("scaling_factors", rows)
        yield Scratch("input_offsets", rows)


def _fully_connected(site: _Site) -> Iterator[Scratch]:
    """``fully_connected.cc``."""
    data, weights = site.input(0), site.input(1)
    if not _hybrid(data, weights) or not weights.elements:
        return
    units, depth = weights.shape
    batch = data.elements // depth
    if weights.dtype == "int4" and weights.is_stored and batch and depth % 2 == 0 and units >= 4 and depth >= 32:
        yield from _four_bits(batch, units, depth)
        return
    yield Scratch("input_quantized", data.elements)
    yield Scratch("scaling_factors", _WORD * batch)
    yield Scratch("accum_scratch", _WORD * units * batch)
    yield Scratch("input_offsets", _WORD * batch)
    yield Scratch("row_sums", _WORD * units, "persistent")


def _four_bits(batch: int, units: int, depth: int) -> Iterator[Scratch]:
    """``fully_connected.cc``, 4-bit weights: 4 rows at once where the batch has them, then 2, then 1."""
    rows = _up(batch, 4 if batch >= 4 else 2 if batch >= 2 else 1)
    yield Scratch("input_quantized", rows * _up(depth, 32))
    yield Scratch("scaling_factors", _WORD * rows)
    yield Scratch("accum_scratch", _WORD * rows * _up(units, 4))
    yield Scratch("input_offsets", _WORD * rows)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _batch_matmul(site: _Site) -> Iterator[Scratch]:
    """``batch_matmul.cc``: room to transpose both sides, whether they are transposed or not."""
    left, right = site.input(0), site.input(1)
    yield Scratch("left_transposed", left.size_bytes)
    yield Scratch("right_transposed", right.size_bytes, "persistent" if right.is_stored else "arena")
    if left.dtype == "float32" and right.dtype == "int8":
        rows = left.shape[-1] if site.option("adj_x") else left.shape[-2]
        units = right.shape[-2] if site.option("adj_y") else right.shape[-1]
        factors = _WORD * prod(left.shape[:-2]) * rows
        yield Scratch("input_quantized", left.elements)
        yield Scratch("scaling_factors", factors)
        yield Scratch("accum_scratch", _WORD * units * rows)
        yield Scratch("input_offsets", factors)
        yield Scratch("row_sums", _WORD * prod(right.shape[:-2]) * units, "persistent")


def _reduce(site: _Site) -> Iterator[Scratch]:
    """``reduce.cc``."""
    data, axes = site.input(0), site.input(1)
    yield Scratch("index", _WORD * len(data.shape))
    yield Scratch("resolved_axis", _WORD * axes.elements, "arena" if axes.is_stored else "heap")
    item = {"int32": 8, "int64": 8, "bool": 1}.get(data.dtype, _WORD)
    sums = site.op.name in {"MEAN", "SUM", "REDUCE_PROD"}
    yield Scratch("accumulator", item * site.output.elements if sums else 0)
    yield Scratch("normalized_dims", _WORD * len(data.shape), "arena" if data.is_stored else "heap")


def _sequence_lstm(site: _Site) -> Iterator[Scratch]:
    """``unidirectional_sequence_lstm.cc``."""
    data, weights = site.input(0), site.input(4)
    batch, cells = data.shape[1 if site.option("time_major") else 0], weights.shape[0]
    gates = 5 if site.has(1) else 4
    if data.dtype == "int8":
        yield from (Scratch(f"scratch_{n}", size * batch * cells) for n, size in enumerate((2, 2, 2, 2, 1, 4)))
        return
    yield Scratch("scratch_buffer", _WORD * batch * (cells * gates + 16))
    if _hybrid(data, weights):
        yield from _hybrid_lstm(site, batch, cells)


def _hybrid_lstm(site: _Site, batch: int, cells: int) -> Iterator[Scratch]:
    yield Scratch("input_quantized", site.input(0).elements)
    yield Scratch("output_state_quantized", site.input(18).elements)
    yield Scratch("cell_state_quantized", site.input(19).elements)
    yield from (Scratch(f"{name}_scaling_factors", _WORD * batch) for name in ("input", "output_state", "product"))
    yield Scratch("recovered_cell_weights", _WORD * cells)
    yield Scratch("accum_scratch", _WORD * cells * batch)
    yield from (Scratch(f"{name}_zero_points", _WORD * batch) for name in ("input", "output_state"))
    projected = ceil(site.input(18).elements / batch / cells) if site.has(16) else 0
    rows = (8 if site.has(1) else 6) + projected
    yield Scratch("row_sums", _WORD * rows * cells, "persistent")


def _rnn(site: _Site) -> Iterator[Scratch]:
    """``basic_rnn.cc``, ``unidirectional_sequence_rnn.cc``."""
    data, weights, state = site.input(0), site.input(1), site.input(4)
    if _hybrid(data, weights):
        batch, units = state.shape[0], weights.shape[0]
        yield Scratch("input_quantized", data.elements)
        yield Scratch("hidden_state_quantized", state.elements)
        yield Scratch("scaling_factors", _WORD * batch)
        yield Scratch("accum_scratch", _WORD * units * batch)
        yield Scratch("zero_points", _WORD * batch)
        yield Scratch("row_sums", _WORD * 2 * units, "persistent")


def _svdf(site: _Site) -> Iterator[Scratch]:
    """``svdf.cc``."""
    data, features, time = site.input(0), site.input(1), site.input(2)
    batch, filters = data.shape[0], features.shape[0]
    yield Scratch("scratch", _WORD * batch * filters)
    if data.dtype == "int8":
        yield Scratch("output_temp", _WORD * site.output.elements)
    elif _hybrid(data, features):
        yield Scratch("input_quantized", data.elements)
        yield Scratch("scaling_factors", _WORD * batch)
        yield Scratch("float_weights_time", _WORD * time.elements, "persistent")
        yield Scratch("zero_points", _WORD * batch)
        yield Scratch("row_sums", _WORD * filters, "persistent")


def _add_n(site: _Site) -> Iterator[Scratch]:
    """``add_n.cc``."""
    threads = min(max(1, len(site.op.inputs) // 2), max(1, site.threads))
    yield Scratch("scratch", threads * site.input(0).size_bytes)


_REDUCERS = ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL")
_RULES: MappingProxyType[str, Callable[[_Site], Iterator[Scratch]]] = MappingProxyType(
    {
        "CONV_2D": _conv_2d,
        "DEPTHWISE_CONV_2D": _depthwise,
        "CONV_3D": _conv_3d,
        "TRANSPOSE_CONV": _transpose_conv,
        "FULLY_CONNECTED": _fully_connected,
        "BATCH_MATMUL": _batch_matmul,
        **dict.fromkeys(_REDUCERS, _reduce),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _sequence_lstm,
        "RNN": _rnn,
        "UNIDIRECTIONAL_SEQUENCE_RNN": _rnn,
        "SVDF": _svdf,
        "ADD_N": _add_n,
    }
)
_RESERVED = MappingProxyType(
    {
        "ADD_N": 1,
        "BATCH_MATMUL": 7,
        "FULLY_CONNECTED": 6,
        "RNN": 6,
        "SVDF": 6,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": 12,
        "UNIDIRECTIONAL_SEQUENCE_RNN": 6,
        **dict.fromkeys(_REDUCERS, 4),
    }
)
_AT_ONCE = frozenset({"ADD_N", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"})
