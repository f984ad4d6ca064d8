"""From an op's work to the numbers that its time is linear in: a roofline of the tiles that kernels work in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels, Gemm
from edge_sdk.checks.timing.work import DEPTHWISE, PRODUCTS, Work

Vector = npt.NDArray[np.float64]
# As many for every kind, so that a table's coefficients are one array.
NAMES = ("compute", "tiles", "taps", "results", "read", "written", "weights", "walked")
"""What each number stands for; what any op costs besides is the engine's, not its kind's."""
# Of a first-level cache of 32 to 64 KiB, what the weights of a depthwise kernel find free beside its rows of values.
_NEAREST_BYTES = 16 << 10
_ELEMENTWISE = frozenset(
    {
        "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU", "POW", "LOGISTIC",
        "HARD_SWISH", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "ELU", "GELU", "RSQRT",
        "SQRT", "SQUARE", "EXP", "LOG", "NEG", "ABS", "FLOOR", "CEIL", "ROUND", "SIN", "COS", "QUANTIZE", "DEQUANTIZE",
        "CAST", "RESHAPE",
    }
)  # fmt: skip


def amounts(work: Work, kernels: CpuKernels) -> Vector:
    """The numbers, shape (8,), in the order of :data:`NAMES`.

    Kernels work on whole tiles: a product of 5 rows costs what one of 7 does where a tile has 7. ``compute`` counts the
    multiply-accumulates of whole tiles, ``tiles`` how often one is begun and stored, ``taps``
    how often a place of the window is gone to. ``walked`` are the weights of a depthwise kernel that the nearest cache
    does not hold, once for each place of the result. Element by element there is no row to begin.
    """
    walked = 0
    if work.kind in PRODUCTS:
        compute, tiles = _product(work, _gemm(work, kernels))
    elif work.kind.startswith(DEPTHWISE):
        at_once = kernels.byte_channels if work.arithmetic in ("int8", "uint8") else kernels.float_channels
        tiles = work.rows * -(-work.columns // at_once)
        compute = tiles * at_once * work.depth
        walked = work.rows * max(0, work.weight_bytes - _NEAREST_BYTES)
    elif work.kind in _ELEMENTWISE:
        compute, tiles = 0, 0
    else:
        compute, tiles = work.rows * work.columns * work.depth, work.rows
    results = work.rows * work.columns
    moved = (work.read_bytes, work.written_bytes, work.weight_bytes)
    found = (compute, tiles, tiles * work.taps, results, *moved, walked)
    return np.array(found, np.float64)


def place(work: Work) -> Vector:
    """Where an op lies among others of its kind: octaves of rows, columns and depth, shape (3,); of elements alone."""
    extents = (work.rows * work.columns, 1, 1) if work.kind in _ELEMENTWISE else (work.rows, work.columns, work.depth)
    where: Vector = np.log2(np.maximum(1, np.array(extents, np.float64)))
    return where


def _product(work: Work, gemm: Gemm) -> tuple[int, int]:
    rows = gemm.rows_for(work.rows) if work.rows else 1
    blocks, columns = -(-work.rows // rows), -(-work.columns // gemm.columns)
    depth = -(-work.depth // gemm.depth) * gemm.depth
    return blocks * rows * columns * gemm.columns * depth, blocks * columns


def _gemm(work: Work, kernels: CpuKernels) -> Gemm:
    if work.arithmetic == "int8":
        return kernels.int8
    if work.arithmetic == "uint8":
        return kernels.uint8
    if work.arithmetic == "hybrid_int4":
        return kernels.four_bits
    if work.arithmetic == "hybrid_int8":
        return kernels.hybrid if work.kind == "dense" else kernels.hybrid_windows
    return kernels.float32
