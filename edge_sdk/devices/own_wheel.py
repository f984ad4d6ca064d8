"""edge-sdk's own wheel, made from what is running: a checkout or an installation, without a build tool."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import edge_sdk

_TIME = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: edge-sdk\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def own_wheel(folder: Path) -> Path:
    """Writes it; the same bytes for the same files, so that a device that has it is told by its hash.

    Returns:
        ``folder/edge_sdk-<version>-py3-none-any.whl``.
    """
    path = folder / f"edge_sdk-{edge_sdk.__version__}-py3-none-any.whl"
    info = f"edge_sdk-{edge_sdk.__version__}.dist-info"
    members = {**dict(_package()), f"{info}/METADATA": _metadata().encode(), f"{info}/WHEEL": _WHEEL.encode()}
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
    return path


def _package() -> Iterator[tuple[str, bytes]]:
    """Every file of the package; links to folders of the checkout are followed."""
    root = Path(edge_sdk.__file__).parent
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
