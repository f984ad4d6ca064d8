"""A draft profile of a device: its own files, brought here and read as this machine's would be."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_sdk.devices.device import Device, open_device
from edge_sdk.devices.identity import Snapshot, snapshot
from edge_sdk.devices.interpreter import Python, find_python
from edge_sdk.devices.prepare import what_lies_there
from edge_sdk.errors import DeviceError, TargetError
from edge_sdk.folders import temporary_folder
from edge_sdk.profile.detect import LIBRARIES, LIBRARY_FOLDERS, UNNAMED, Draft, Machine, detect, this_cores, this_isa

_PLACES: Final = tuple(
    f"/{folder}{inner}/{library}"
    for folder in LIBRARY_FOLDERS
    for inner in ("", "/*-linux-gnu*")
    for library in LIBRARIES
)


def detect_on(address: str) -> Draft:
    """A draft profile of a device; nothing is installed or loaded there.

    Raises:
        DeviceError: it cannot be reached.
    """
    with open_device(address) as device, temporary_folder("detect") as made:
        seen = snapshot(device.link, look_for=_PLACES)
        _lay_out(seen, Path(made))
        return detect(_machine(device, seen, Path(made)))


def cores_on(device: Device) -> tuple[str, frozenset[str], frozenset[str]]:
    """Architecture of a device, what each of its cores can do, and their microarchitectures, in a profile's words."""
    with temporary_folder("detect") as made:
        seen = snapshot(device.link)
        _lay_out(seen, Path(made))
        here = Machine(root=Path(made), arch=seen.said.get("machine", "unknown"))
        arch, isa = this_isa(here)
        return arch, isa, this_cores(here)


def _lay_out(seen: Snapshot, root: Path) -> None:
    """The device's files under a root of their own; of libraries, that they are there."""
    for name, content in {**dict.fromkeys(seen.present, b""), **seen.files}.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _machine(device: Device, seen: Snapshot, root: Path) -> Machine:
    props = seen.props
    page = seen.said.get("page_size", "")
    python = None if props else _python(device)
    return Machine(
        root=root,
        arch=python.arch if python else seen.said.get("machine", "unknown"),
        page_size_bytes=int(page) if page.isdigit() else 0,
        glibc=seen.said.get("glibc", "").removeprefix("glibc "),
        python=python.short if python else None,
        packages=_packages(device, python),
        props=props,
        # Drafts of two boards must not take the same name.
        called=device.address.partition("://")[2].rpartition("@")[2] or UNNAMED,
    )


def _python(device: Device) -> Python | None:
    """None is a fact for a profile, not a failure."""
    try:
        return find_python(device)
    except (DeviceError, TargetError):
        return None


def _packages(device: Device, python: Python | None) -> dict[str, str]:
    """Those of its Python, and the engine that `devices prepare` put there."""
    found = {name.replace("_", "-"): version for name, version in (python.packages if python else {}).items()}
    try:
        name, version = what_lies_there(device).engine.split()
    except (DeviceError, ValueError):
        return found
    return {**found, name: version}
