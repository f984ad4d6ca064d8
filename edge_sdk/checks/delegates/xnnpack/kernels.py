"""The shapes of XNNPACK's micro-kernels on each kind of CPU: they decide how much packed weights are padded.

Read in ``src/configs/gemm-config.c`` and ``dwconv-config.c`` of XNNPACK 77468446ebfd (LiteRT v2.1.0). What the
sizes come to was measured on ``x86-amx``; the other kinds are as the source has them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Gemm:
    """``rows`` and ``columns`` of one tile (``mr``, ``nr``), and the values of a row that are packed side by side."""

    rows: int
    columns: int
    depth: int = 1


@dataclass(frozen=True)
class CpuKernels:
    """What the CPU's kernels ask for.

    Attributes:
        name: the kind of CPU.
        alignment: of blocks, in bytes.
        float32: the float kernels.
        narrow: float kernels for few output channels; None where there are none.
        int8: kernels for int8 weights, with a scale for each channel or one.
        uint8: kernels for uint8.
        hybrid: kernels of float32 by int8.
        float_channels: channels that a depthwise kernel of float takes at once.
        byte_channels: likewise of 8 bits.
    """

    name: str
    alignment: int
    float32: Gemm
    narrow: Gemm | None
    int8: Gemm
    uint8: Gemm
    hybrid: Gemm
    float_channels: int
    byte_channels: int


_WIDE, _MORE = Gemm(7, 32), Gemm(7, 16)
_LONG = Gemm(7, 16, 8)
KERNELS: Mapping[str, CpuKernels] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            CpuKernels("x86-amx", 64, _WIDE, _MORE, Gemm(16, 64, 4), _LONG, Gemm(16, 64, 4), 16, 32),
            CpuKernels("x86-avx512", 64, _WIDE, _MORE, _LONG, _LONG, Gemm(8, 16, 8), 16, 32),
            CpuKernels("x86-avx2", 64, Gemm(5, 16), Gemm(10, 8), Gemm(3, 8, 8), Gemm(3, 8, 8), Gemm(4, 8, 8), 16, 16),
            CpuKernels("x86-sse4", 64, Gemm(4, 8), Gemm(4, 2, 4), Gemm(3, 4, 8), Gemm(3, 4, 8), Gemm(4, 4, 8), 8, 8),
            CpuKernels("arm64-i8mm", 16, Gemm(6, 8), None, Gemm(4, 16, 8), Gemm(4, 16), Gemm(4, 16, 8), 8, 16),
            CpuKernels("arm64-dotprod", 16, Gemm(6, 8), None, Gemm(4, 16, 4), Gemm(4, 16), Gemm(4, 16, 4), 8, 16),
            CpuKernels("arm64", 16, Gemm(6, 8), None, Gemm(2, 8, 8), Gemm(4, 16), Gemm(2, 8, 8), 8, 16),
            CpuKernels("armv7", 16, Gemm(4, 8), None, Gemm(4, 8, 2), Gemm(4, 8), Gemm(4, 8, 2), 8, 16),
        )
    }
)


def cpu_kernels(arch: str, isa: Collection[str]) -> CpuKernels:
    """The kernels for an architecture and its features, both named as in a device profile."""
    if arch == "aarch64":
        return KERNELS[next((f"arm64-{one}" for one in ("i8mm", "dotprod") if one in isa), "arm64")]
    if arch == "armv7l":
        return KERNELS["armv7"]
    order = (("amx_int8", "x86-amx"), ("avx512f", "x86-avx512"), ("avx2", "x86-avx2"))
    return KERNELS[next((kind for feature, kind in order if feature in isa), "x86-sse4")]
