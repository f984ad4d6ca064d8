"""A draft profile of this machine, or of one whose files were brought here: device tree, /proc, /sys, libraries.

What could not be found is left out of the draft with a comment, so that ``profiles validate`` asks for it.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from edge_sdk.profile.records import Delegate

# Linux prints the bits of HWCAP and HWCAP2 under these names (arch/arm64/kernel/cpuinfo.c, arch/arm/kernel/setup.c).
_ISA = {
    "asimd": "asimd", "atomics": "lse", "asimdhp": "fp16", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16",
    "sve": "sve", "sve2": "sve2", "sme": "sme", "neon": "neon", "vfpv3": "vfpv3", "vfpv4": "vfpv4",
    "sse4_2": "sse4_2", "avx": "avx", "avx2": "avx2", "fma": "fma", "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni", "avx_vnni": "avx_vnni", "amx_int8": "amx_int8",
}  # fmt: skip
# Arm Ltd's part numbers (MIDR_EL1), as in Linux's arch/arm64/include/asm/cputype.h.
_PARTS = {
    0xC07: "Cortex-A7", 0xC08: "Cortex-A8", 0xC09: "Cortex-A9", 0xC0F: "Cortex-A15", 0xD03: "Cortex-A53",
    0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD07: "Cortex-A57", 0xD08: "Cortex-A72", 0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76", 0xD0D: "Cortex-A77", 0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE",
    0xD44: "Cortex-X1", 0xD46: "Cortex-A510", 0xD47: "Cortex-A710", 0xD48: "Cortex-X2", 0xD4D: "Cortex-A715",
    0xD4E: "Cortex-X3", 0xD80: "Cortex-A520", 0xD81: "Cortex-A720", 0xD82: "Cortex-X4",
}  # fmt: skip
_ARM = "0x41"
_LIBRARIES = (
    Delegate("external", "edgetpu", "npu", ("int8",), library="libedgetpu.so.1", parameter_cache_kib=8192),
    Delegate("external", "vx", "npu", ("int8",), library="libvx_delegate.so"),
    Delegate("external", "teflon", "npu", ("int8",), library="libteflon.so"),
    Delegate("external", "ethos_u", "npu", ("int8",), library="libethosu_delegate.so"),
)
UNNAMED = "this machine"
"""Where no maker wrote down a name."""
LIBRARY_FOLDERS = ("lib", "usr/lib", "usr/local/lib", "vendor/lib64", "system/lib64")
LIBRARIES = tuple(one.library or "" for one in _LIBRARIES)
_PROCESS_SHARE = 0.6
_ABI = {"aarch64": "arm64-v8a", "armv7l": "armeabi-v7a", "x86_64": "x86_64"}


@dataclass(frozen=True)
class Draft:
    """Two TOML texts, and the id they go by: ``<id>.toml`` and ``socs/<id>.toml``."""

    id: str
    device: str
    soc: str


@dataclass(frozen=True)
class Machine:
    """Where to look: the root of the file system, and what is asked of the kernel, the C library and Python."""

    root: Path = Path("/")
    arch: str = platform.machine()
    page_size_bytes: int = os.sysconf("SC_PAGE_SIZE")
    glibc: str = platform.libc_ver()[1]
    python: str | None = ".".join(platform.python_version_tuple()[:2])
    packages: Mapping[str, str] | None = None
    """Installed in that Python; None for this one's."""
    props: Mapping[str, str] = field(default_factory=dict)
    """Android's system properties; empty elsewhere."""
    called: str = UNNAMED
    """By its user; a maker's name goes first."""


def detect(machine: Machine | None = None) -> Draft:
    """A draft of a machine's profile, of this one's unless another is given; reads files only."""
    here = machine or Machine()
    name = _name(here)
    identifier = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or UNNAMED.replace(" ", "-")
    return Draft(identifier, "\n".join(_device(here, name, identifier)) + "\n", "\n".join(_soc(here, name)) + "\n")


def this_isa(machine: Machine | None = None) -> tuple[str, frozenset[str]]:
    """The architecture of this machine, and what each of its cores can do, in a profile's words."""
    here = machine or Machine()
    cores = [frozenset(isa) for _, isa in _clusters(here.root).values()]
    return here.arch, cores[0].intersection(*cores[1:]) if cores else frozenset()


def this_cores(machine: Machine | None = None) -> frozenset[str]:
    """The microarchitectures of this machine's cores, in a profile's words."""
    return frozenset(core for core, _ in _clusters((machine or Machine()).root))


def _device(here: Machine, name: str, identifier: str) -> Iterator[str]:
    memory = _text(here.root / "proc/meminfo")
    found = re.search(r"MemTotal:\s*(\d+) kB", memory)
    yield "# A draft by `edge-sdk profiles detect`: check every line, and say in sources where you read it."
    yield f"name = {_quoted(name)}"
    yield f"vendor = {_quoted(here.props.get('ro.product.manufacturer', ''))}"
    yield f'kind = "{"phone" if here.props else "board"}"'
    yield f"soc = {_quoted(identifier)}"
    yield "# year = 0            # not to be found here"
    yield '# power_class = ""    # under_5_w, under_15_w or over_15_w'
    yield 'thermal = "not known"'
    yield "\n[memory]"
    if found:
        total = int(found[1]) // 1024
        yield f"ram_mib = {total}"
        # The rule of the built-in phones: a quarter, at most 2 GiB.
        yield f"process_mib = {min(total // 4, 2048) if here.props else int(total * _PROCESS_SHARE)}"
    known = here.page_size_bytes
    yield f"page_size_kib = {known // 1024}" if known else "# page_size_kib = 0   # not to be found here"
    yield "\n[os]"
    yield from _android(here.props) if here.props else _linux(here)
    yield from _runtimes(here)
    yield from _delegates(here)
    yield "\n[sources]"
    yield '"memory.ram_mib" = { ref = "MemTotal in /proc/meminfo: what the kernel left of the RAM" }'
    share = "a quarter of ram_mib, at most 2048 MiB" if here.props else "60 % of ram_mib"
    yield f'"memory.process_mib" = {{ ref = "{share}", estimated = true }}'
    yield '"memory.page_size_kib" = { ref = "sysconf(_SC_PAGE_SIZE)" }'
    yield 'os = { ref = "this system" }'
    yield 'runtimes = { ref = "packages of this Python" }'
    yield 'delegates = { ref = "libraries found in the usual folders; none was loaded", estimated = true }'


def _linux(here: Machine) -> Iterator[str]:
    yield 'family = "linux"'
    yield f"abi = {_quoted(_ABI.get(here.arch, here.arch))}"
    yield f"glibc = {_quoted(here.glibc)}" if here.glibc else '# glibc = ""          # not to be found here'
    yield f"python = {_quoted(here.python)}" if here.python else '# python = ""         # not to be found here'


def _android(props: Mapping[str, str]) -> Iterator[str]:
    yield 'family = "android"'
    yield f"abi = {_quoted(props.get('ro.product.cpu.abi', ''))}"
    yield f"android_api = {props.get('ro.build.version.sdk', '0')}"


def _runtimes(here: Machine) -> Iterator[str]:
    if here.props:
        # An app brings its own.
        yield '\n# [[runtimes]]        # what your app brings\n# name = "litert-android"\n# version = ""'
        return
    found = False
    for package in ("ai-edge-litert", "tflite-runtime"):
        version = _version(package) if here.packages is None else here.packages.get(package)
        if version is None:
            continue
        found = True
        yield f'\n[[runtimes]]\nname = "{package}"\nversion = "{version}"'
    if not found:
        # A key of the top level may not follow a table.
        yield '\n# [[runtimes]]        # none is installed in this Python\n# name = "ai-edge-litert"\n# version = ""'


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _name(here: Machine) -> str:
    name = here.props.get("ro.product.model") or _model(here.root)
    return here.called if name == UNNAMED else name


def found_delegates(machine: Machine | None = None) -> tuple[Delegate, ...]:
    """External delegates whose library lies in one of the usual folders; none is loaded."""
    here = machine or Machine()
    return tuple(one for one in _LIBRARIES if _is_present(here.root, one.library or ""))


def machine_name(root: Path = Path("/")) -> str:
    """What the maker calls this machine, from the device tree or the firmware."""
    return _model(root)


def this_chip(machine: Machine | None = None) -> frozenset[str]:
    """Names by which this machine's chip goes, in small letters; none where nothing tells.

    From the device tree (``fsl,imx93``), what the kernel's soc bus says, and Android's ``ro.soc.model``.
    """
    here = machine or Machine()
    compatible = _text(here.root / "sys/firmware/devicetree/base/compatible").split("\0")
    told = [_text(here.root / f"sys/devices/soc0/{name}") for name in ("soc_id", "machine")]
    names = [*(one.rpartition(",")[2] for one in compatible), *told, here.props.get("ro.soc.model", "")]
    words = (name.strip("\0\n ").lower().replace(".", "") for name in names)
    # Numbers, and whole sentences on boards: neither names a chip.
    return frozenset(word for word in words if word and not word.isdigit() and " " not in word)


def _delegates(here: Machine) -> Iterator[str]:
    for one in found_delegates(here):
        yield f'\n[[delegates]]\nname = "external"\nrules = "{one.rules}"\naccelerator = "{one.accelerator}"'
        yield f"precision = {json.dumps(one.precision)}\nlibrary = {_quoted(one.library or '')}"
        if one.parameter_cache_kib is not None:
            yield f"parameter_cache_kib = {one.parameter_cache_kib}"
        if one.rules == "ethos_u":
            yield '# variant = ""        # such as ethos-u65-256'
    # A core without it may get any thread.
    halves = all("fp16" in isa for _, isa in _clusters(here.root).values())
    yield '\n[[delegates]]\nname = "xnnpack"\nrules = "xnnpack"\naccelerator = "cpu"'
    yield f"precision = {json.dumps(['float32', 'int8', *(['float16'] if halves else [])])}"


def _is_present(root: Path, library: str) -> bool:
    return any(
        (folder / library).exists()
        for top in LIBRARY_FOLDERS
        for folder in (root / top, *(root / top).glob("*-linux-gnu*"))
    )


def _soc(here: Machine, name: str) -> Iterator[str]:
    compatible = _text(here.root / "sys/firmware/devicetree/base/compatible").strip("\0").split("\0")
    yield "# A draft by `edge-sdk profiles detect`: check every line, and say in sources where you read it."
    yield f"name = {_quoted(here.props.get('ro.soc.model') or compatible[-1] or name)}"
    yield f"vendor = {_quoted(here.props.get('ro.soc.manufacturer', ''))}"
    yield "# year = 0            # not to be found here"
    yield f"arch = {_quoted(here.arch)}"
    for (core, mhz), (count, isa) in _clusters(here.root).items():
        yield f"\n[[cpu]]\ncores = {count}\nmicroarchitecture = {_quoted(core)}"
        yield f"max_mhz = {mhz}" if mhz else "# max_mhz = 0         # not to be found here"
        yield f"isa = {json.dumps(isa)}"
    yield "\n[sources]"
    yield 'cpu = { ref = "/proc/cpuinfo and cpufreq of this machine" }'


def _clusters(root: Path) -> Mapping[tuple[str, int | None], tuple[int, list[str]]]:
    """Microarchitecture and clock to how many cores are of that kind, and their features."""
    found: dict[tuple[str, int | None], tuple[int, list[str]]] = {}
    for block in re.split(r"\n\s*\n", _text(root / "proc/cpuinfo")):
        number = re.search(r"^processor\s*:\s*(\d+)", block, re.MULTILINE)
        if number is None:
            continue
        key = (_core(block), _max_mhz(root, int(number[1]), block))
        count, _ = found.get(key, (0, []))
        found[key] = (count + 1, _isa(block))
    return found


def _core(block: str) -> str:
    part = re.search(r"^CPU part\s*:\s*(0x[0-9a-f]+)", block, re.MULTILINE)
    maker = re.search(r"^CPU implementer\s*:\s*(0x[0-9a-f]+)", block, re.MULTILINE)
    if part and maker:
        known = _PARTS.get(int(part[1], 16)) if maker[1] == _ARM else None
        return known or f"implementer {maker[1]} part {part[1]}"
    model = re.search(r"^model name\s*:\s*(.+)$", block, re.MULTILINE)
    return model[1].strip() if model else "unknown"


def _max_mhz(root: Path, number: int, block: str) -> int | None:
    text = _text(root / f"sys/devices/system/cpu/cpu{number}/cpufreq/cpuinfo_max_freq").strip()
    if text.isdigit():
        return int(text) // 1000
    now = re.search(r"^cpu MHz\s*:\s*([\d.]+)", block, re.MULTILINE)
    return round(float(now[1])) if now else None


def _isa(block: str) -> list[str]:
    lines = re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", block, re.MULTILINE)
    words = {word for line in lines for word in line.split()}
    return [name for word, name in _ISA.items() if word in words]


def _model(root: Path) -> str:
    for place in ("sys/firmware/devicetree/base/model", "proc/device-tree/model", "sys/class/dmi/id/product_name"):
        name = _text(root / place).strip("\0 \n")
        if name:
            return name
    return UNNAMED


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's are a subset of them."""
    return json.dumps(text, ensure_ascii=False)
