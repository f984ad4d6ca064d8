"""Wheels made in place: only names, tags, metadata and the symbol versions of libraries in them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path


def make_wheel(
    folder: Path, filename: str, *, requires: tuple[str, ...] = (), files: Mapping[str, bytes] | None = None
) -> Path:
    name, version = filename.split("-")[:2]
    path = folder / filename
    info = f"{name}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        for entry, content in (files or {}).items():
            archive.writestr(entry, content)
    return path
