"""Wheels for a device's Python, fetched by this machine's pip from wherever its user lets it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from packaging.specifiers import SpecifierSet

from edge_sdk.devices.interpreter import Python
from edge_sdk.devices.wheels import abi, platforms
from edge_sdk.errors import DeviceError

_HINT = "gather the wheels yourself and give their folder: --wheels FOLDER --offline"


def fetch(name: str, specifier: SpecifierSet, python: Python, folder: Path) -> str | None:
    """Puts the newest wheel that pip thinks fits into a folder; pip's own cache is used.

    Returns:
        None, or pip's last line where there is none.

    Raises:
        DeviceError: there is no pip here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = [word for platform in platforms(python) for word in ("--platform", platform)]
    abis = [word for one in (abi(python), "abi3", "none") for word in ("--abi", one)]
    done = subprocess.run(  # noqa: S603 - pip, with names from our own metadata
        [
            *_pip(), "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
            "--only-binary=:all:", "--dest", str(folder), "--implementation", "cp",
            "--python-version", python.short, *places, *abis, f"{name}{specifier}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return (lines or done.stderr.splitlines() or ["pip failed"])[-1].removeprefix("ERROR: ")


def _pip() -> list[str]:
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise DeviceError("wheels are fetched by pip, and there is none on this machine", hint=_HINT)
    return [found]
