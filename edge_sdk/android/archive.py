"""APKs as ZIP files: written so that all that is mapped lies where the system wants it, the same bytes each time."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PAGE = 16384
"""Bytes that mapped entries are aligned to: the largest page of Android devices, and a multiple of all others."""

_MAPPED = (".so", ".edge", ".tflite")
_STORED = (*_MAPPED, ".arsc")
_DATE = (1980, 1, 1, 0, 0, 0)
# As zipalign and apksigner pad: an extra field that holds the alignment, then zeros.
_ALIGNMENT_FIELD = 0xD935
_LOCAL_HEADER = 30


@dataclass(frozen=True)
class Entry:
    """One file of the archive: its name, and its bytes or where they are."""

    name: str
    content: bytes | Path


def write_archive(path: Path, entries: Iterable[Entry]) -> None:
    """Writes entries in the order of their names. Native libraries and models are stored, not deflated.

    Raises:
        OSError: the disk is full.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for entry in sorted(entries, key=lambda one: one.name):
            content = entry.content if isinstance(entry.content, bytes) else entry.content.read_bytes()
            info = zipfile.ZipInfo(entry.name, _DATE)
            info.external_attr = 0o644 << 16
            is_stored = entry.name.endswith(_STORED)
            info.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
            if is_stored:
                info.extra = _padding(archive, info)
            archive.writestr(info, content)


def _padding(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The extra field after which the content begins at a multiple of its alignment."""
    alignment = PAGE if info.filename.endswith(_MAPPED) else 4
    begin = archive.start_dir + _LOCAL_HEADER + len(info.filename.encode()) + 6
    zeros = -begin % alignment
    return struct.pack("<HHH", _ALIGNMENT_FIELD, 2 + zeros, alignment) + bytes(zeros)
