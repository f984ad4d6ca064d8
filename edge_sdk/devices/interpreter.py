"""The Python of a device: which there is, and what decides whether a wheel runs on it."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_sdk.devices.device import Device
from edge_sdk.devices.identity import Libc
from edge_sdk.devices.link import Finished
from edge_sdk.errors import DeviceError, TargetError

OLDEST: Final = (3, 10)
_NAMES: Final = ("python3", "python3.13", "python3.12", "python3.11", "python3.10")
_TIMEOUT_S: Final = 120.0
# Runs on any Python 3; what is newer is asked for only where it is new enough. glibc names itself through confstr, and
# the newest symbol of the C++ library stands in its file.
_PROBE: Final = r"""
import sys
found = {"version": list(sys.version_info[:3])}
if sys.version_info >= (3, 10):
    import ctypes, os, platform, re, struct, sysconfig
    from importlib import metadata
    try:
        ctypes.CDLL("libstdc++.so.6")
        with open("/proc/self/maps") as maps:
            path = re.search(r"\s(/\S*libstdc\+\+\S*)", maps.read())
        with open(path.group(1), "rb") as file:
            newest = max(map(int, re.findall(rb"GLIBCXX_3\.4\.(\d+)", file.read())))
    except (OSError, AttributeError, ValueError):
        newest = None
    try:
        glibc = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        glibc = None
    found.update(
        machine=platform.machine(), bits=8 * struct.calcsize("P"), glibc=glibc, glibcxx=newest,
        implementation=sys.implementation.name, triple=sysconfig.get_config_var("HOST_GNU_TYPE") or "",
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")), page_size=os.sysconf("SC_PAGE_SIZE"),
        packages={one.metadata["Name"]: one.version for one in metadata.distributions() if one.metadata["Name"]},
    )
import json
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Python:
    """A Python that edge-sdk runs on.

    Attributes:
        program: path or name there.
        version: three numbers.
        arch: of the Python itself: on a 64-bit kernel it may be of 32 bits.
        glibcxx: ``N`` of the newest ``GLIBCXX_3.4.N`` that its C++ library has; None if there is no such library.
        packages: installed there, by name.
    """

    program: str
    version: tuple[int, int, int]
    arch: str
    libc: Libc | None
    glibcxx: int | None
    implementation: str
    free_threaded: bool
    page_size_bytes: int
    packages: Mapping[str, str]

    @property
    def short(self) -> str:
        """Such as ``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def marker_environment(self) -> dict[str, str]:
        """For the markers of requirements (PEP 508)."""
        return {
            "implementation_name": self.implementation,
            "implementation_version": ".".join(map(str, self.version)),
            "os_name": "posix",
            "platform_machine": self.arch,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": ".".join(map(str, self.version)),
            "python_version": self.short,
            "sys_platform": "linux",
            "extra": "",
        }

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} on {self.arch}, {self.libc or 'unknown C library'}"


def find_python(device: Device, program: str | None = None) -> Python:
    """The first Python there that edge-sdk runs on.

    Args:
        device: where.
        program: the one to take; default: ``python3``, then ``python3.13`` down to ``python3.10``.

    Raises:
        DeviceError: there is none.
        TargetError: all are too old, or die.
    """
    names = (program,) if program else _NAMES
    tried = list(_answers(device, names))
    for name, done in tried:
        found = _read(done)
        if found and tuple(found["version"][:2]) >= OLDEST:
            return _python(name, found, device)
    raise _none(device, names, tried)


def _answers(device: Device, names: Sequence[str]) -> Iterator[tuple[str, Finished]]:
    for name in names:
        word = shlex.quote(name)
        done = device.link.shell(
            f"command -v {word} >/dev/null || exit 127; exec {word} -c {shlex.quote(_PROBE)}", timeout_s=_TIMEOUT_S
        )
        if done.status != 127:
            yield name, done


def _read(done: Finished) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(done.text.strip().rpartition("\n")[2])
    except ValueError:
        return None
    return found


def _none(device: Device, names: Sequence[str], tried: Sequence[tuple[str, Finished]]) -> DeviceError | TargetError:
    wanted = ".".join(map(str, OLDEST))
    if not tried:
        return DeviceError(
            f"{device.address}: there is no Python (looked for {', '.join(names)})",
            address=device.address,
            hint="install it there (Debian: apt install python3), or name it with --python",
        )
    name, done = tried[0]
    found = _read(done)
    if found:
        version = ".".join(map(str, found["version"]))
        return TargetError(
            f"{device.address}: {name} is Python {version}, and edge-sdk needs {wanted} or later",
            limit="python",
            needed=float(wanted),
            available=float(".".join(map(str, found["version"][:2]))),
            hint="install a newer one there beside it, and name it with --python",
        )
    return TargetError(
        f"{device.address}: {name} does not run: {death(done) or done.last_line or f'status {done.status}'}",
        limit="python",
        hint="name another with --python",
    )


def death(done: Finished) -> str | None:
    """How a signal ended a program, in words; None if none did."""
    try:
        name = signal.Signals(done.status - 128).name
    except ValueError:
        return None
    means = " (an instruction that this CPU does not have)" if name == "SIGILL" else ""
    return f"it died of {name}{means}"


def _python(name: str, found: Mapping[str, Any], device: Device) -> Python:
    if found["implementation"] != "cpython":
        raise TargetError(
            f"{device.address}: {name} is {found['implementation']}, and engines are built for CPython",
            limit="python",
            hint="name another with --python",
        )
    return Python(
        program=name,
        version=(found["version"][0], found["version"][1], found["version"][2]),
        arch=_arch(found["machine"], found["bits"]),
        libc=_libc(found, device),
        glibcxx=found["glibcxx"],
        implementation=found["implementation"],
        free_threaded=found["free_threaded"],
        page_size_bytes=found["page_size"],
        packages=found["packages"],
    )


def _arch(machine: str, bits: int) -> str:
    if bits == 32:
        return {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return machine


def _libc(found: Mapping[str, Any], device: Device) -> Libc | None:
    name, _, version = (found["glibc"] or "").partition(" ")
    if name == "glibc":
        major, minor = version.split(".")[:2]
        return Libc("glibc", (int(major), int(minor)))
    # musl has no way to ask from Python; the shell's own is the same.
    return device.identify().libc if "musl" in found["triple"] else None
