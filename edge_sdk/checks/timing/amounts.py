"""From an op's work to the numbers that its time is linear in: a roofline of the tiles that kernels work in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels, Gemm
from edge_sdk.checks.timing.work import DEPTHWISE, PRODUCTS, Work

Vector = npt.NDArray[np.float64]
# As many for every kind, so that a table's coefficients are one array.
NAMES = ("overhead", "compute", "tiles", "taps", "results", "read", "written", "weights")
"""What each number stands for; ``overhead`` is 1 for each op."""


def amounts(work: Work, kernels: CpuKernels) -> Vector:
    """The numbers, shape (8,), in the order of :data:`NAMES`.

    Kernels work on whole tiles: a product of 5 rows costs what one of 7 does where a tile has 7. ``compute`` counts the
    multiply-accumulates of whole tiles, ``tiles`` how often one is begun and stored, ``taps``
    how often a place of the window is gone to.
    """
    if work.kind in PRODUCTS:
        compute, tiles = _product(work, _gemm(work, kernels))
    elif work.kind.startswith(DEPTHWISE):
        at_once = kernels.byte_channels if work.arithmetic in ("int8", "uint8") else kernels.float_channels
        tiles = work.rows * -(-work.columns // at_once)
        compute = tiles * at_once * work.depth
    else:
        compute, tiles = work.rows * work.columns * work.depth, work.rows
    results = work.rows * work.columns
    found = (1, compute, tiles, tiles * work.taps, results, work.read_bytes, work.written_bytes, work.weight_bytes)
    return np.array(found, np.float64)


def place(work: Work) -> Vector:
    """Where an op lies among others of its kind: octaves of rows, columns and depth, shape (3,)."""
    where: Vector = np.log2(np.maximum(1, np.array((work.rows, work.columns, work.depth), np.float64)))
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
