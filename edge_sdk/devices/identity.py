"""What a device is: its own files and commands, read by its shell. Nothing has to be installed there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from edge_sdk.devices.link import Link
from edge_sdk.errors import DeviceError

_FILES: Final = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/firmware/devicetree/base/model",
    "/sys/firmware/devicetree/base/compatible",
    "/proc/device-tree/model",
    "/sys/class/dmi/id/product_name",
    "/sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq",
)
_COMMANDS: Final = {
    "machine": "uname -m",
    "kernel": "uname -sr",
    "page_size": "getconf PAGESIZE || getconf PAGE_SIZE",
    # musl has no such name, and names itself on standard error.
    "glibc": "getconf GNU_LIBC_VERSION",
    "musl": "ls /lib/ld-musl-*; ldd --version 2>&1 | grep ^Version",
    "properties": "getprop",
    "system": ". /etc/os-release; echo $PRETTY_NAME",
}
_MARK: Final = "@@edge-sdk@@"
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class Libc:
    """``glibc`` or ``musl``, and its version, such as ``(2, 36)``."""

    name: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name} {self.version[0]}.{self.version[1]}"


@dataclass(frozen=True)
class Space:
    """Free there, in bytes: memory that programs can have, and storage where edge-sdk keeps its files."""

    memory_bytes: int
    storage_bytes: int


@dataclass(frozen=True)
class Identity:
    """A device, as it describes itself.

    Attributes:
        platform: ``linux`` or ``android``.
        model: the maker's name for it; ``unknown`` where none is written down.
        arch: as ``uname -m`` has it.
        system: of Linux the distribution, of Android its version.
        cpu_features: as Linux lists them of the first core.
        props: Android's properties; empty elsewhere.
    """

    platform: str
    model: str
    arch: str
    cpus: int
    system: str
    kernel: str
    memory_bytes: int
    cpu_features: tuple[str, ...] = ()
    libc: Libc | None = None
    props: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data; of Android's hundreds of properties those that name the device."""
        props = {name: value for name, value in (self.props or {}).items() if name in NAMING_PROPS}
        return asdict(self) | {"libc": str(self.libc) if self.libc else None, "props": props}


NAMING_PROPS: Final = (
    "ro.board.platform",
    "ro.build.version.release",
    "ro.build.version.sdk",
    "ro.product.cpu.abi",
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.soc.manufacturer",
    "ro.soc.model",
)


@dataclass(frozen=True)
class Snapshot:
    """Files of a device by their path there, and what commands printed."""

    files: Mapping[str, bytes]
    said: Mapping[str, str]
    present: tuple[str, ...] = ()

    @property
    def props(self) -> dict[str, str]:
        """``getprop``'s lines, ``[name]: [value]``."""
        return dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]\r?$", self.said.get("properties", ""), re.MULTILINE))

    def text(self, path: str) -> str:
        """A file's text; empty if it was not there."""
        return self.files.get(path, b"").decode("utf-8", "replace").strip("\0 \n")


def snapshot(link: Link, *, look_for: tuple[str, ...] = ()) -> Snapshot:
    """Reads a device's own description.

    Args:
        link: to the device.
        look_for: paths; those that exist are in ``present``.
    """
    commands = "".join(f"printf '\\n{_MARK}%s\\n' {name}; ({line}) 2>/dev/null; " for name, line in _COMMANDS.items())
    files = f'for f in {" ".join(_FILES)}; do [ -r "$f" ] && printf "\\n{_MARK}%s\\n" "$f" && cat "$f"; done; '
    present = f'for f in {" ".join(look_for)}; do [ -e "$f" ] && printf "\\n{_MARK}=%s\\n" "$f"; done; true'
    done = link.shell(commands + files + present, timeout_s=_TIMEOUT_S)
    parts = done.stdout.split(f"\n{_MARK}".encode())[1:]
    named = {name.decode("utf-8", "replace"): rest[:-1] for name, _, rest in map(_cut, parts)}
    return Snapshot(
        files={name: value for name, value in named.items() if name.startswith("/")},
        said={name: value.decode("utf-8", "replace").strip() for name, value in named.items() if name in _COMMANDS},
        present=tuple(name[1:] for name in named if name.startswith("=")),
    )


def _cut(part: bytes) -> tuple[bytes, bytes, bytes]:
    return (part + b"\n").partition(b"\n")


def identify(link: Link) -> Identity:
    """What a device says that it is."""
    seen = snapshot(link)
    props = seen.props
    cpuinfo, meminfo = seen.text("/proc/cpuinfo"), seen.text("/proc/meminfo")
    total = re.search(r"MemTotal:\s*(\d+) kB", meminfo)
    features = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    android = "ro.build.version.sdk" in props
    release = f"Android {props.get('ro.build.version.release', '?')}"
    return Identity(
        platform="android" if android else "linux",
        model=_model(seen, props),
        arch=seen.said.get("machine") or "unknown",
        cpus=len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)),
        system=f"{release} (API {props['ro.build.version.sdk']})" if android else seen.said.get("system") or "unknown",
        kernel=seen.said.get("kernel", ""),
        memory_bytes=int(total[1]) * 1024 if total else 0,
        cpu_features=tuple(features[1].split()) if features else (),
        libc=_libc(seen.said),
        props=props,
    )


def free_space(link: Link) -> Space:
    """What is free now.

    Raises:
        DeviceError: the device does not say.
    """
    # The folder may not be there yet: df of the nearest that is.
    script = (
        "grep -E '^Mem(Available|Free):' /proc/meminfo; "
        f'd={link.home}; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -P -k "$d" | tail -n 1'
    )
    text = link.shell(script, timeout_s=_TIMEOUT_S).text
    memory = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE) or re.search(r"MemFree:\s*(\d+) kB", text)
    storage = re.search(r"\s\d+\s+\d+\s+(-?\d+)\s+\d+%\s+/", text)
    if memory is None or storage is None:
        raise DeviceError(f"{link.address}: free memory and storage cannot be read: {text!r}", address=link.address)
    return Space(int(memory[1]) * 1024, max(int(storage[1]), 0) * 1024)


def _model(seen: Snapshot, props: Mapping[str, str]) -> str:
    if "ro.product.model" in props:
        return " ".join(filter(None, (props.get("ro.product.manufacturer"), props["ro.product.model"])))
    places = ("/sys/firmware/devicetree/base/model", "/proc/device-tree/model", "/sys/class/dmi/id/product_name")
    return next(filter(None, map(seen.text, places)), "unknown")


def _libc(said: Mapping[str, str]) -> Libc | None:
    glibc = re.match(r"glibc (\d+)\.(\d+)", said.get("glibc", ""))
    if glibc:
        return Libc("glibc", (int(glibc[1]), int(glibc[2])))
    musl = re.search(r"Version (\d+)\.(\d+)", said.get("musl", ""))
    return Libc("musl", (int(musl[1]), int(musl[2]))) if musl else None
