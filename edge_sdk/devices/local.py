"""This machine, reached as any other device is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge_sdk.devices.link import Link
from edge_sdk.errors import DeviceError


class Local(Link):
    """A shell of this machine. Its home is ``$XDG_CACHE_HOME/edge-sdk``, or ``~/.cache/edge-sdk``."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        if name:
            raise DeviceError(f"local takes no name, and `{name}` was given", hint="write local")
        self.address = "local"
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        self.home = f"{cache.rstrip('/')}/edge-sdk"

    def command(self, script: str) -> list[str]:
        """``sh -c``."""
        return ["sh", "-c", script]

    def broken(self, status: int, stderr: str) -> DeviceError:  # noqa: ARG002
        """The shell was ended from outside."""
        return self.lost(f"(the shell ended with status {status})")

    def send(self, source: Path, target: str, *, undo: str = ":") -> None:  # noqa: ARG002
        """A plain copy."""
        _copy(str(source), target)

    def fetch(self, source: str, target: Path) -> None:
        """A plain copy."""
        _copy(source, str(target))


def _copy(source: str, target: str) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise DeviceError(f"{source}: cannot be copied to {target}: {error.strerror}", address="local") from error
