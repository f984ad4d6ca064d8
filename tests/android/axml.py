"""The smallest binary manifest, as aapt2 would write it: for APKs that are pushed about and never run.

Layout: ``ResourceTypes.h`` of Android's androidfw.
"""

from __future__ import annotations

import struct
from pathlib import Path

from edge_sdk.android.archive import Entry, write_archive

_POOL, _XML, _START, _END, _MAP = 0x0001, 0x0003, 0x0102, 0x0103, 0x0180
_NONE = 0xFFFFFFFF
_STRING, _UTF8 = 0x03, 1 << 8


def write_apk(path: Path, package: str, *, size_bytes: int = 0) -> Path:
    """An APK with a manifest and, stored, so many zeros."""
    write_archive(path, [Entry("AndroidManifest.xml", manifest(package)), Entry("zeros.so", bytes(size_bytes))])
    return path


def manifest(package: str) -> bytes:
    """``<manifest package="..."/>``."""
    pool = _pool("manifest", "package", package)
    attribute = struct.pack("<IIIHBBI", _NONE, 1, 2, 8, 0, _STRING, 2)
    start = struct.pack("<IIIIHHHHHH", 1, _NONE, _NONE, 0, 20, 20, 1, 0, 0, 0) + attribute
    end = struct.pack("<IIII", 1, _NONE, _NONE, 0)
    tree = _chunk(_START, start[:8], start[8:]) + _chunk(_END, end[:8], end[8:])
    return _chunk(_XML, b"", pool + _chunk(_MAP, b"", b"") + tree)


def _chunk(kind: int, header: bytes, body: bytes) -> bytes:
    return struct.pack("<HHI", kind, 8 + len(header), 8 + len(header) + len(body)) + header + body


def _pool(*texts: str) -> bytes:
    data, offsets = b"", []
    for text in texts:
        offsets.append(len(data))
        data += struct.pack("<BB", len(text), len(text.encode())) + text.encode() + b"\0"
    data += bytes(-len(data) % 4)
    header = struct.pack("<IIIII", len(texts), 0, _UTF8, 28 + 4 * len(texts), 0)
    return _chunk(_POOL, header, struct.pack(f"<{len(offsets)}I", *offsets) + data)
