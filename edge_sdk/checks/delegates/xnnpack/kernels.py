"""The shapes of XNNPACK's micro-kernels on each kind of CPU: they decide how much packed weights are padded.

Read in ``src/configs/gemm-config.c``, ``dwconv-config.c`` and ``hardware-config.c`` of XNNPACK 77468446ebfd (LiteRT
v2.1.0). Each kind says how far what the sizes come to was counted in an engine, too: README.md beside this file, 5.4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Evidence = Literal["measured", "emulated", "translated", "read"]
"""``measured``: the heap was counted on such a CPU; ``emulated``: it was counted where XNNPACK was shown the features
of such a CPU, by qemu or by hand; ``translated``: so it was, with another release of the engine; ``read``: the tiles
are known from XNNPACK's source alone."""
ERRORS: Mapping[Evidence, float] = MappingProxyType(
    {"measured": 0.02, "emulated": 0.02, "translated": 0.15, "read": 0.25}
)
"""By how much of it a predicted heap may be off. The largest that was seen, beyond ``ERROR_BYTES``: 1 % with LiteRT
2.1.0 and 2.1.6, 13 % with 2.0.3, 7 % with 2.2.0 and 2.3.0; and 23 % between the tables of two kinds of x86 CPU."""
ERROR_BYTES = 1024
"""What comes on top: records of a few bytes do not follow from the file alone."""


@dataclass(frozen=True)
class Gemm:
    """One tile of a product.

    Attributes:
        rows: what kernels there are, each by the rows that it takes at once (``mr``), ascending.
        columns: output channels that a tile holds (``nr``).
        depth: values of a row that are packed side by side (``kr * sr``, times the planes of 4-bit weights).
    """

    rows: tuple[int, ...]
    columns: int
    depth: int = 1

    def rows_for(self, count: int) -> int:
        """``xnn_get_heuristic_mr_igemm``: the kernel of just that many rows, else the one that costs least."""
        if count in self.rows:
            return count
        return min(reversed(self.rows), key=lambda rows: -(-count // rows) * self._cost(rows))

    def _cost(self, rows: int) -> int:
        return 3 * (rows + self.columns) + rows * self.columns


@dataclass(frozen=True)
class CpuKernels:
    """What the CPU's kernels ask for.

    Attributes:
        name: the kind of CPU.
        evidence: how far this was counted.
        alignment: of blocks, in bytes.
        float32: the float kernels.
        narrow: float kernels for few output channels.
        int8: kernels for int8 weights, with a scale for each channel or one.
        uint8: kernels for uint8.
        hybrid: kernels of float32 by int8, for products.
        hybrid_windows: likewise for convolutions.
        four_bits: kernels of float32 by int4, for products.
        float_channels: channels that a depthwise kernel of float takes at once.
        byte_channels: likewise of 8 bits.
        per_core: whether a kernel is chosen for each kind of core, which makes the records of kernels larger.
    """

    name: str
    evidence: Evidence
    alignment: int
    float32: Gemm
    narrow: Gemm
    int8: Gemm
    uint8: Gemm
    hybrid: Gemm
    hybrid_windows: Gemm
    four_bits: Gemm
    float_channels: int
    byte_channels: int
    per_core: bool = False


def _one(rows: int, columns: int, depth: int = 1) -> Gemm:
    """With a kernel for a single row besides, as nearly all have."""
    return Gemm((1, rows), columns, depth)


def _x86(name: str, evidence: Evidence, *gemms: Gemm, channels: tuple[int, int]) -> CpuKernels:
    wide, narrow, int8, uint8, hybrid, windows, four_bits = gemms
    return CpuKernels(name, evidence, 64, wide, narrow, int8, uint8, hybrid, windows, four_bits, *channels)


def _arm(name: str, evidence: Evidence, int8: Gemm, hybrid: Gemm, four_bits: Gemm) -> CpuKernels:
    """Only what multiplies 8 bits differs; convolutions of float32 by int8 have the tiles of int8."""
    wide, narrow = Gemm((1, 4, 6), 8), Gemm((4,), 2)
    return CpuKernels(
        name, evidence, 16, wide, narrow, int8, _one(4, 16), hybrid, int8, four_bits, 8, 16, per_core=True
    )


_WIDE, _MORE = _one(7, 32), _one(7, 16)
_LONG = _one(7, 16, 8)
_FMA, _FMA_NARROW = _one(5, 16), Gemm((1, 5, 10), 8)
_AMX = _one(16, 64, 4)
_LANES = _one(4, 16)
KERNELS: Mapping[str, CpuKernels] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _x86("x86-amx", "emulated", _WIDE, _MORE, _AMX, _LONG, _AMX, _AMX, _one(16, 64, 8), channels=(16, 32)),
            # With VNNI an input that is quantized while the op runs becomes unsigned, for kernels of other tiles.
            _x86(
                "x86-avx512-vnni", "measured",
                _WIDE, _MORE, _LONG, _LONG, _one(5, 64, 4), _one(10, 16, 8), _one(8, 16, 16), channels=(16, 32),
            ),
            _x86(
                "x86-avx512", "read",
                _WIDE, _MORE, _LONG, _LONG, _one(8, 16, 8), _one(8, 16, 8), _one(8, 16, 16), channels=(16, 32),
            ),
            _x86(
                "x86-avx-vnni", "read",
                _FMA, _FMA_NARROW, _one(5, 8, 8), _one(3, 8, 8), _one(5, 8, 8), _one(5, 8, 8), _one(5, 8, 16),
                channels=(16, 16),
            ),
            _x86(
                "x86-avx2", "emulated",
                _FMA, _FMA_NARROW, _one(3, 8, 8), _one(3, 8, 8), _one(4, 8, 8), _one(4, 8, 8), _one(4, 8, 16),
                channels=(16, 16),
            ),
            _x86(
                "x86-avx", "emulated",
                _FMA, _one(5, 8), _one(2, 4, 8), _one(2, 4, 8), _one(4, 4, 8), _one(4, 4, 8), _one(5, 4, 16),
                channels=(16, 16),
            ),
            _x86(
                "x86-sse4", "emulated",
                _one(4, 8), Gemm((4,), 2, 4), _one(3, 4, 8), _one(3, 4, 8), _one(4, 4, 8), _one(4, 4, 8),
                _one(5, 4, 16), channels=(8, 8),
            ),
            # KleidiAI's products of float32 by int8, which pack 32 values of a row at a time.
            _arm("arm64-i8mm", "emulated", _one(4, 16, 8), _one(16, 4, 32), _one(4, 16, 16)),
            _arm("arm64-dotprod", "emulated", _one(4, 16, 4), _one(16, 4, 32), _one(4, 16, 8)),
            _arm("arm64", "emulated", _one(2, 8, 8), _one(2, 8, 8), _one(6, 16, 2)),
            # Cores that run in order: Cortex-A53, and A55 where it has no dot product.
            _arm("arm64-in-order", "emulated", _LANES, _LANES, _one(6, 16, 2)),
            CpuKernels(
                "armv7", "read", 16,
                _one(4, 8), Gemm((4,), 2), _one(4, 8, 2), _one(4, 8), _one(4, 8, 2), _one(4, 8, 2), _one(4, 8, 2), 8,
                16, per_core=True,
            ),
        )
    }
)  # fmt: skip
_IN_ORDER = ("Cortex-A53", "Cortex-A55")
_X86 = (
    ({"amx_int8"}, "x86-amx"),
    ({"avx512f", "avx512_vnni"}, "x86-avx512-vnni"),
    ({"avx512f"}, "x86-avx512"),
    ({"avx2", "avx_vnni"}, "x86-avx-vnni"),
    ({"avx2"}, "x86-avx2"),
    ({"avx"}, "x86-avx"),
)


_COUNTED = "2.1."


def counted_with(kernels: CpuKernels, version: str | None) -> CpuKernels:
    """As far as it holds for a release of LiteRT; None for the one that was counted."""
    if version is None or version.startswith(_COUNTED) or kernels.evidence == "read":
        return kernels
    return replace(kernels, evidence="translated")


def cpu_kernels(arch: str, isa: Collection[str], cores: Collection[str] = ()) -> CpuKernels:
    """The kernels for an architecture and its features.

    Args:
        arch: as in a device profile.
        isa: what every core can do, in a profile's words.
        cores: microarchitectures of the cores, in a profile's words.
    """
    has = frozenset(isa)
    if arch == "aarch64":
        plain = "arm64-in-order" if any(one in core for one in _IN_ORDER for core in cores) else "arm64"
        return KERNELS[next((f"arm64-{one}" for one in ("i8mm", "dotprod") if one in has), plain)]
    if arch == "armv7l":
        return KERNELS["armv7"]
    return KERNELS[next((kind for needed, kind in _X86 if has.issuperset(needed)), "x86-sse4")]
