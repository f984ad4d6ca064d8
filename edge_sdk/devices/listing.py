"""Several devices looked at, one after the other; a failure of one is told beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_sdk.devices.adb import find_adb, listed
from edge_sdk.devices.device import open_device
from edge_sdk.devices.identity import Identity, Space
from edge_sdk.devices.prepare import prepared
from edge_sdk.errors import DeviceError, EdgeSdkError


@dataclass(frozen=True)
class Looked:
    """One device: what it is, or why that cannot be told.

    Attributes:
        ready: the engine that `devices prepare` put there, or None.
        not_ready: why it cannot run anything yet.
    """

    address: str
    identity: Identity | None = None
    space: Space | None = None
    ready: str | None = None
    not_ready: EdgeSdkError | None = None
    error: EdgeSdkError | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "address": self.address,
            "identity": self.identity.as_json() if self.identity else None,
            "space": asdict(self.space) if self.space else None,
            "ready": self.ready,
            "not_ready": self.not_ready.as_json() if self.not_ready else None,
            "error": self.error.as_json() if self.error else None,
        }


def look_at_all(addresses: Sequence[str]) -> tuple[Looked, ...]:
    """Looks at each; at none named, at this machine and all that adb lists."""
    return tuple(map(look_at, addresses or _found()))


def look_at(address: str) -> Looked:
    """Looks at one; never raises for what a device does."""
    try:
        with open_device(address) as device:
            identity, space = device.identify(), device.space()
            if address == "local" or identity.platform == "android":
                return Looked(device.address, identity, space)
            try:
                return Looked(device.address, identity, space, ready=prepared(device).engine)
            except DeviceError as error:
                return Looked(device.address, identity, space, not_ready=error)
    except EdgeSdkError as error:
        return Looked(address, error=error)


def _found() -> Iterator[str]:
    yield "local"
    try:
        found = listed(find_adb())
    except DeviceError:
        # Nobody asked for adb.
        return
    yield from (f"adb://{one.serial}" for one in found)
