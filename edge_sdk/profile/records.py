"""What a device profile holds. The field names are the keys of the TOML files; units are in the names.

A number in a profile is a claim about the world, so every table of numbers has an entry in ``sources``: where it was
read, or, with ``estimated``, how it was arrived at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["phone", "tablet", "board", "computer", "dongle", "generic"]
PowerClass = Literal["under_5_w", "under_15_w", "over_15_w"]
Precision = Literal["float32", "float16", "int8"]
Arch = Literal["aarch64", "armv7l", "x86_64"]
Abi = Literal["arm64-v8a", "armeabi-v7a", "x86_64"]
Isa = Literal[
    "asimd", "lse", "fp16", "dotprod", "i8mm", "bf16", "sve", "sve2", "sme",
    "neon", "vfpv3", "vfpv4",
    "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8",
]  # fmt: skip
ETHOS_U_VARIANTS = (
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256", "ethos-u65-512",
    "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048",
)  # fmt: skip
"""What Vela 5.2 compiles for; a delegate with rules ``ethos_u`` or ``ethos_u85`` names one as its ``variant``."""
RuntimeName = Literal["litert-android", "play-services-tflite", "ai-edge-litert", "tflite-runtime"]


@dataclass(frozen=True)
class Source:
    """Where a number comes from; ``estimated`` where it was derived, assumed, or remembered, and ``ref`` says how."""

    ref: str
    estimated: bool = False


@dataclass(frozen=True)
class Cluster:
    """Equal CPU cores."""

    cores: int
    microarchitecture: str
    max_mhz: int
    isa: tuple[Isa, ...]


@dataclass(frozen=True)
class Accelerator:
    """A GPU, NPU or DSP of a chip; ``apis`` are a GPU's (``opencl``, ``gles_3_2``, ``vulkan_1_1``)."""

    name: str
    apis: tuple[str, ...] = ()
    tops_int8: float | None = None
    on_chip_kib: int | None = None


@dataclass(frozen=True)
class Soc:
    """A chip, described once for all devices that carry it; ``part`` is the vendor's number, for compilers."""

    name: str
    vendor: str
    year: int
    arch: Arch
    cpu: tuple[Cluster, ...]
    sources: Mapping[str, Source]
    gpu: Accelerator | None = None
    npu: Accelerator | None = None
    dsp: Accelerator | None = None
    part: str | None = None


@dataclass(frozen=True)
class Memory:
    """``process_mib`` is what one app or process may take before the system ends it or swaps."""

    ram_mib: int
    process_mib: int
    page_size_kib: Literal[4, 16]


@dataclass(frozen=True)
class Os:
    """The system as sold, or its vendor's usual image; ``abi`` may be of 32 bits on a chip of 64."""

    family: Literal["android", "linux"]
    abi: Abi
    android_api: int | None = None
    glibc: str | None = None
    python: str | None = None


@dataclass(frozen=True)
class Runtime:
    """A runtime that installs there; ``compiled_model`` says whether LiteRT's CompiledModel works on these cores."""

    name: RuntimeName
    version: str
    compiled_model: bool = False
    note: str = ""


@dataclass(frozen=True)
class Delegate:
    """One way off the plain kernels: software (``name``, ``rules``: a file in ``rules/``) on an accelerator.

    ``weights`` is ``per_tensor`` where the accelerator takes no per-channel scales; ``nnapi_feature_level`` is an API
    level up to 31, and 1000006 and up for later feature levels; ``variant`` is the rule set's own word for the
    hardware; ``library`` what an external delegate is loaded from.
    """

    name: Literal["xnnpack", "gpu", "nnapi", "external"]
    rules: str
    accelerator: Literal["cpu", "gpu", "npu", "dsp"]
    precision: tuple[Precision, ...]
    weights: Literal["any", "per_tensor"] = "any"
    max_rank: int | None = None
    on_chip_kib: int | None = None
    parameter_cache_kib: int | None = None
    nnapi_feature_level: int | None = None
    variant: str | None = None
    library: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Device:
    """One device, as its file says; ``delegates`` in the order in which a runtime should try them.

    ``aliases`` are other names that stand for its id wherever one is given.
    """

    name: str
    vendor: str
    kind: Kind
    soc: str
    year: int
    power_class: PowerClass
    thermal: str
    memory: Memory
    os: Os
    runtimes: tuple[Runtime, ...]
    delegates: tuple[Delegate, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeviceProfile:
    """A device with its chip; ``id`` is the name of its file."""

    id: str
    device: Device
    soc: Soc

    @property
    def chip_names(self) -> tuple[str, ...]:
        """By which its chip is known, in small letters: its file here, and its maker's number."""
        return tuple(dict.fromkeys(name.lower() for name in (self.device.soc, self.soc.part) if name))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


DEVICE_SOURCES = ("year", "memory.ram_mib", "memory.process_mib", "memory.page_size_kib", "os", "runtimes", "delegates")
"""What a device's ``sources`` must account for."""
SOC_SOURCES = ("year", "cpu", "gpu", "npu", "dsp")
"""Likewise for a chip; only for the accelerators that it has."""
