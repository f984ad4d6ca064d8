"""What XNNPACK allocates for one op besides the values that flow through it.

*Predicted* by the ``create`` and ``reshape`` functions of ``src/operators/*.c`` (XNNPACK 77468446ebfd, LiteRT v2.1.0).
Weights are packed once more into the order in which the kernels read them: the delegate has no weights cache by
default, so a constant that two ops read is packed twice, and the file's own copy stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels, Gemm
from edge_sdk.errors import ModelError

_POINTER = 8
_BIAS = 4
_EXTRA = 16
_FLOATS = frozenset({"float32", "float16"})
_SCALES = MappingProxyType({"float32": 0, "int8": 4, "uint8": 0, "hybrid": 8})


@dataclass(frozen=True)
class OpHeap:
    """Bytes of one op: weights as packed, tables of pointers, rows of zeros, and room that it needs only while it runs.

    A block each, but ``zeros`` rows of zeros.
    """

    packed_bytes: int = 0
    indirection_bytes: int = 0
    workspace_bytes: int = 0
    zero_bytes: int = 0
    zeros: int = 1


def op_heap(graph: Subgraph, op: Op, kernels: CpuKernels, *, threads: int = 1) -> OpHeap:
    """What one claimed op takes; nothing for an op without weights and windows.

    Raises:
        ModelError: it has operands that do not fit.
    """
    rule = _RULES.get(op.name)
    try:
        return rule(_Site(graph, op, kernels, threads)) if rule else OpHeap()
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise ModelError(
            f"subgraph {graph.index}, op {op.index} {op.name}: its operands do not fit its kernel",
            hint="no engine loads such a file: convert the model again",
        ) from error


def is_hybrid(graph: Subgraph, op: Op) -> bool:
    """Whether the op computes float32 by int8 weights: its input is quantized while it runs."""
    return op.name in _HYBRID and _kind(graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]]) == "hybrid"


def is_plain(graph: Subgraph, op: Op) -> bool:
    """Whether a CONV_2D is a matrix product: a 1x1 window without strides, and one group."""
    strides = [int(op.options.get(name, 1)) or 1 for name in ("stride_h", "stride_w")]
    weights = graph.tensors[op.inputs[1]].shape
    return (*weights[1:3], *strides, weights[3]) == (1, 1, 1, 1, graph.tensors[op.inputs[0]].shape[3])


def up(value: int, step: int) -> int:
    """``value`` rounded up to a multiple of ``step``."""
    return -(-value // step) * step


_HYBRID = frozenset({"FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL"})


def _kind(data: Tensor, weights: Tensor) -> str:
    if data.dtype in _FLOATS:
        return "float32" if weights.dtype in _FLOATS else "hybrid"
    return "uint8" if data.dtype == "uint8" else "int8"


@dataclass(frozen=True)
class _Weights:
    """Weights as the kernels see them: ``taps`` of a window, and the channels of one of ``groups``."""

    kind: str
    groups: int
    outputs: int
    inputs: int
    taps: int
    bits: int


@dataclass(frozen=True)
class _Site:
    graph: Subgraph
    op: Op
    kernels: CpuKernels
    threads: int

    def input(self, place: int) -> Tensor:
        return self.graph.tensors[self.op.inputs[place]]

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.op.outputs[0]]

    def option(self, name: str, default: int) -> int:
        return int(self.op.options.get(name, default)) or default

    def gemm(self, weights: _Weights, *, windows: bool = False) -> Gemm:
        """``xnn_use_nr2``: fewer columns where the wide kernel would compute too many in vain."""
        kernels, channels = self.kernels, weights.outputs
        if weights.kind == "hybrid":
            return self._hybrid(weights, windows=windows)
        if weights.kind != "float32":
            return kernels.uint8 if weights.kind == "uint8" else kernels.int8
        wide, narrow = kernels.float32, kernels.narrow
        waste, other = up(channels, wide.columns) - channels, up(channels, narrow.columns) - channels
        better = other < waste and waste * 100 > channels and not windows
        return narrow if wide.columns > channels or better else wide

    def _hybrid(self, weights: _Weights, *, windows: bool) -> Gemm:
        """``convert_gemm_to_qduint8``: products and convolutions may have kernels of different tiles."""
        if weights.bits == 4:
            return self.kernels.four_bits
        return self.kernels.hybrid_windows if windows else self.kernels.hybrid


def _packed(weights: _Weights, gemm: Gemm, alignment: int, *, phases: int = 1) -> int:
    """``N' * (taps * K' * element + bias + scales)`` for each group, where ``'`` means rounded up to the tile.

    Bias and scales are there for each of ``phases``.
    """
    added = phases * (_BIAS + _SCALES[weights.kind])
    row = weights.taps * up(weights.inputs, gemm.depth) * weights.bits // 8 + added
    return up(weights.groups * up(weights.outputs, gemm.columns) * row, alignment)


def _bits(kind: str, weights: Tensor) -> int:
    return 32 if kind == "float32" else 4 if weights.dtype == "int4" else 8


def _conv_2d(site: _Site) -> OpHeap:
    """``convolution-nhwc.c``; see :func:`is_plain`."""
    data, weights = site.input(0), site.input(1)
    kind, (outputs, height, width, inputs) = _kind(data, weights), weights.shape
    groups = data.shape[3] // inputs
    if groups > 1 and inputs == 1 and outputs == groups and kind != "hybrid":
        return _dwconv(site, kind, outputs, height, width)
    if is_plain(site.graph, site.op):
        return _product(site, data, _Weights(kind, 1, outputs, inputs, 1, _bits(kind, weights)))
    return _windows(site, _Weights(kind, groups, outputs // groups, inputs, height * width, _bits(kind, weights)))


def _windows(site: _Site, weights: _Weights) -> OpHeap:
    """A convolution that reads its input through a table: a pointer for each tap of each pixel."""
    gemm = site.gemm(weights, windows=True)
    pixels = prod(site.output.shape[1:3])
    pointers = _POINTER * weights.taps * up(pixels, gemm.rows_for(pixels))
    row = _zeros(weights.kind, up(weights.inputs, gemm.depth))
    zeros = site.input(0).shape[0] if weights.kind == "hybrid" else 1
    return OpHeap(_packed(weights, gemm, site.kernels.alignment), pointers, zero_bytes=row, zeros=zeros)


def _zeros(kind: str, channels: int) -> int:
    """A row of zeros that stands for what lies outside the image; hybrid kernels take one for each image."""
    return _EXTRA + channels * (4 if kind == "float32" else 1)


def _depthwise(site: _Site) -> OpHeap:
    """Likewise; several results for one channel make groups."""
    data, weights = site.input(0), site.input(1)
    _, height, width, channels = weights.shape
    kind, groups = _kind(data, weights), data.shape[3]
    if channels != groups:
        bits = _bits(kind, weights)
        return _windows(site, _Weights(kind, groups, channels // groups, 1, height * width, bits))
    return _dwconv(site, kind, channels, height, width)


def _dwconv(site: _Site, kind: str, channels: int, height: int, width: int) -> OpHeap:
    """Kernels for 3, 4, 9 and 25 taps; what is larger runs as a product with one channel a group."""
    taps, weights = height * width, site.input(1)
    tiles = {"float32": (3, 4, 9, 25), "int8": (3, 9, 25), "uint8": (9, 25)}[kind]
    if kind == "int8" and weights.quantization and not weights.quantization.per_channel:
        tiles = (9, 25)
    tile = next((one for one in tiles if one >= taps), None)
    if tile is None:
        return _windows(site, _Weights(kind, channels, 1, 1, taps, _bits(kind, weights)))
    step = site.kernels.float_channels if kind == "float32" else site.kernels.byte_channels
    row = tile * _bits(kind, weights) // 8 + _BIAS + _SCALES[kind]
    packed = up(up(channels, step) * row, site.kernels.alignment)
    rows, columns = site.output.shape[1:3]
    undilated = site.option("dilation_w_factor", 1) == 1
    across = min(site.option("stride_w", 1), width) if undilated else width
    pointers = _POINTER * (tile - taps + rows * (taps + (columns - 1) * across * height))
    row = _zeros(kind, up(channels, step))
    return OpHeap(packed, up(pointers, site.kernels.alignment), zero_bytes=row)


def _transpose_conv(site: _Site) -> OpHeap:
    """``deconvolution-nhwc.c``: with strides one small convolution for each phase."""
    weights, data = site.input(1), site.input(2)
    kind, (outputs, height, width, inputs) = _kind(data, weights), weights.shape
    down, across = site.option("stride_h", 1), site.option("stride_w", 1)
    whole = _Weights(kind, 1, outputs, inputs, height * width, _bits(kind, weights))
    if (down, across) == (1, 1) or down > height or across > width:
        return _windows(site, whole)
    gemm = site.gemm(whole, windows=True)
    rows, columns = site.output.shape[1:3]
    # Here the kernel's rows are chosen by the batch, not by the pixels.
    each = across * up(-(-columns // across), gemm.rows_for(data.shape[0]))
    pointers = _POINTER * height * width * rows * each
    packed = _packed(whole, gemm, site.kernels.alignment, phases=down * across)
    return OpHeap(packed, pointers, zero_bytes=_zeros(kind, up(inputs, gemm.depth)))


def _fully_connected(site: _Site) -> OpHeap:
    data, weights = site.input(0), site.input(1)
    kind, (outputs, inputs) = _kind(data, weights), weights.shape
    return _product(site, data, _Weights(kind, 1, outputs, inputs, 1, _bits(kind, weights)))


def _product(site: _Site, data: Tensor, weights: _Weights) -> OpHeap:
    """``fully-connected-nc.c``; a float input of int8 weights is quantized into the workspace."""
    gemm = site.gemm(weights)
    packed = _packed(weights, gemm, site.kernels.alignment)
    rows = data.elements // weights.inputs
    room = _quantized_rows(site, gemm, rows, weights.inputs) if weights.kind == "hybrid" else 0
    return OpHeap(packed, 0, room)


def _quantized_rows(site: _Site, gemm: Gemm, rows: int, depth: int) -> int:
    """``xnn_pack_lh_fx_qd8_packed_size``; a tile for each thread, or all rows where there are too few for that."""
    tile = 1 if rows == 1 and gemm.rows[0] == 1 else gemm.rows[-1]
    taken = site.threads * tile if site.threads * tile <= up(rows, tile) else rows
    return up(taken, tile) * up(8 + up(depth, gemm.depth), 4)


def _batch_matmul(site: _Site) -> OpHeap:
    """``batch-matrix-multiply-nc.c``: a second factor that is no constant is packed anew in each run."""
    first, second = site.input(0), site.input(1)
    kind = _kind(first, second)
    flipped = bool(site.op.options.get("adj_y"))
    outputs, inputs = (second.shape[-2:] if flipped else second.shape[:-3:-1])[:2]
    weights = _Weights(kind, prod(second.shape[:-2]), outputs, inputs, 1, _bits(kind, second))
    gemm = site.kernels.float32 if kind == "float32" else site.gemm(weights)
    packed = _packed(weights, gemm, 1)
    rows = first.elements // inputs
    extra = _quantized_rows(site, gemm, rows, inputs) if kind == "hybrid" else 0
    if second.is_stored:
        return OpHeap(up(packed, site.kernels.alignment), 0, extra)
    return OpHeap(0, 0, packed + extra)


def _pool(site: _Site) -> OpHeap:
    """``max-pooling-nhwc.c``, ``average-pooling-nhwc.c``."""
    height, width = site.option("filter_height", 1), site.option("filter_width", 1)
    rows, columns = site.output.shape[1:3]
    across = min(site.option("stride_w", 1), width)
    step = height * width + (columns - 1) * across * height
    return OpHeap(0, _POINTER * (height * width - 1 + rows * step))


def _reduce(site: _Site) -> OpHeap:
    """``reduce-nd.c``: a row of zeros where the innermost axis stays; room for sums but of float32, which has none."""
    data, axes = site.input(0), site.input(1)
    inner = len(data.shape) - 1 in {int(axis) % len(data.shape) for axis in axes.values().reshape(-1)}
    item = 4 if data.dtype == "float32" else 1
    sums = 0 if data.dtype == "float32" else 4 * site.output.elements + _EXTRA
    return OpHeap(workspace_bytes=sums, zero_bytes=0 if inner else _EXTRA + data.shape[-1] * item)


def _resize(site: _Site) -> OpHeap:
    """``resize-bilinear-nhwc.c``: four corners and two weights for each pixel."""
    pixels = prod(site.output.shape[1:3])
    item = 4 if site.output.dtype == "float32" else 2
    return OpHeap(0, pixels * (4 * _POINTER + 2 * item))


_RULES: MappingProxyType[str, Callable[[_Site], OpHeap]] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": _pool,
        "BATCH_MATMUL": _batch_matmul,
        "CONV_2D": _conv_2d,
        "DEPTHWISE_CONV_2D": _depthwise,
        "FULLY_CONNECTED": _fully_connected,
        "MAX_POOL_2D": _pool,
        "MEAN": _reduce,
        "RESIZE_BILINEAR": _resize,
        "SUM": _reduce,
        "TRANSPOSE_CONV": _transpose_conv,
    }
)
