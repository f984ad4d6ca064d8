"""edge-sdk's own wheel, made from what is running: a checkout or an installation, without a build tool.

Two wheels of one version may hold different code, a developer's above all: what a device has is told by its content.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from edge_sdk.version import PACKAGE, __version__

_TIME = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: edge-sdk\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

# A wheel that was built leaves some of these out, and a board runs none of them.
_ANDROID, _DOCUMENT = "edge_sdk/android_demo/", ".md"


def own_wheel(folder: Path) -> Path:
    """Writes it; the same bytes for the same files, so that a device that has it is told by its hash.

    Returns:
        ``folder/edge_sdk-<version>-py3-none-any.whl``.
    """
    path = folder / f"edge_sdk-{__version__}-py3-none-any.whl"
    info = f"edge_sdk-{__version__}.dist-info"
    members = {**dict(_package()), f"{info}/METADATA": _metadata().encode(), f"{info}/WHEEL": _WHEEL.encode()}
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
    return path


def own_digest() -> str:
    """SHA-256 of the code and data that run here, by name and content; documents and the Android project aside."""
    return _digest(_package())


def wheel_digest(path: Path) -> str:
    """The same of a wheel, whoever built it and however it is packed."""
    with zipfile.ZipFile(path) as archive:
        names = (name for name in archive.namelist() if name.startswith("edge_sdk/") and not name.endswith("/"))
        return _digest((name, archive.read(name)) for name in names)


def _digest(members: Iterable[tuple[str, bytes]]) -> str:
    found = hashlib.sha256()
    for name, content in sorted(members):
        if not (name.startswith(_ANDROID) or name.endswith(_DOCUMENT)):
            found.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return found.hexdigest()


def _package() -> Iterator[tuple[str, bytes]]:
    """Every file of the package; links to folders of the checkout are followed."""
    root = PACKAGE
    folders = [(root, "edge_sdk")]
    while folders:
        folder, name = folders.pop(0)
        for path in sorted(folder.iterdir()):
            inner = f"{name}/{path.name}"
            if path.is_dir():
                if path.name != "__pycache__":
                    folders.append((path, inner))
            elif path.suffix != ".pyc":
                yield inner, path.read_bytes()


def _metadata() -> str:
    found = metadata.distribution("edge-sdk")
    return found.read_text("METADATA") or found.read_text("PKG-INFO") or ""


def _record(members: dict[str, bytes], own: str) -> str:
    lines = []
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own},,"]) + "\n"
