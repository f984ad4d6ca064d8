"""A shared library read as a file, so that a broken one is never handed to the loader.

The loader maps a library before it believes it: a truncated one kills the process with SIGBUS, and one of another
architecture is reported as missing. Layout: the ELF specification (gABI 4.1) and, for the hash tables that tell how
many symbols there are, `DT_HASH` there and `DT_GNU_HASH` of binutils.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass
from pathlib import Path

# e_machine of the processors that the engines have builds for.
_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "armv7l", "armv6l": "armv7l", "i386": "i686"}
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _HASH, _STRTAB, _SYMTAB, _GNU_HASH = 1, 4, 5, 6, 0x6FFFFEF5
_SHARED_OBJECT = 3


class BrokenLibraryError(Exception):
    """The file is not a whole shared library; the message says what is wrong."""


@dataclass(frozen=True)
class Library:
    """What a shared library says of itself.

    Attributes:
        machine: in ``platform.machine()``'s words, or ``machine N`` where the number is not known here.
        bits: 32 or 64.
        needed: file names of the libraries it asks the loader for.
        exported: names that others can link to.
        page_bytes: what its loaded segments are aligned to: the largest page of a system that can map it.
    """

    machine: str
    bits: int
    needed: tuple[str, ...]
    exported: frozenset[str]
    page_bytes: int = 0


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    stored: int
    alignment: int


class _Reader:
    """Numbers and tables of one file, each read within its bounds."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.is64 = content[4] == 2
        self.order = "<" if content[5] == 1 else ">"

    def numbers(self, layout: str, offset: int) -> tuple[int, ...]:
        """Unpacks at an offset; ``P`` stands for a word of the file's own size."""
        form = self.order + layout.replace("P", "Q" if self.is64 else "I")
        try:
            return struct.unpack_from(form, self.content, offset)
        except (struct.error, OverflowError) as error:
            raise BrokenLibraryError(f"truncated: a table at byte {offset} ends beyond the file") from error

    def text(self, offset: int) -> str:
        end = self.content.find(b"\0", offset)
        if not 0 <= offset <= end:
            raise BrokenLibraryError(f"truncated: a name at byte {offset} has no end")
        return self.content[offset:end].decode("utf-8", "replace")


def read_library(path: Path) -> Library:
    """Reads a library's header, needs and exported names; checks that every loaded byte is in the file.

    Raises:
        BrokenLibraryError: it is not an ELF shared library, or a part of it is missing.
        OSError: it cannot be read.
    """
    return parse_library(path.read_bytes())


def parse_library(content: bytes) -> Library:
    """As :func:`read_library`, of bytes."""
    if content[:4] != b"\x7fELF":
        raise BrokenLibraryError("not a shared library: it does not begin with an ELF header")
    if len(content) < 52 or content[4] not in (1, 2) or content[5] not in (1, 2):
        raise BrokenLibraryError(f"truncated: {len(content)} bytes hold no whole ELF header")
    reader = _Reader(content)
    kind, machine = reader.numbers("HH", 16)
    if kind != _SHARED_OBJECT:
        raise BrokenLibraryError(f"not a shared library: its ELF type is {kind}, not {_SHARED_OBJECT}")
    segments = _segments(reader)
    dynamic = _dynamic(reader, segments)
    names = _offset(dynamic.get(_STRTAB, [0])[0], segments)
    needed = tuple(reader.text(names + entry) for entry in dynamic.get(_NEEDED, []))
    label = _MACHINES.get(machine, f"machine {machine}")
    page_bytes = min((one.alignment for one in segments if one.kind == _LOAD), default=0)
    return Library(label, 64 if reader.is64 else 32, needed, _exported(reader, dynamic, segments), page_bytes)


def this_machine() -> tuple[str, int]:
    """Architecture and word size (bits) of this very process: a 32-bit Python may run on a 64-bit kernel."""
    bits = struct.calcsize("P") * 8
    name = platform.machine().lower()
    name = _ALIASES.get(name, name)
    if bits == 32:
        name = {"aarch64": "armv7l", "x86_64": "i686"}.get(name, name)
    return name, bits


def _segments(reader: _Reader) -> list[_Segment]:
    table, size, count = (
        (*reader.numbers("Q", 32), *reader.numbers("HH", 54))
        if reader.is64
        else (*reader.numbers("I", 28), *reader.numbers("HH", 42))
    )
    segments = []
    for index in range(count):
        at = table + index * size
        if reader.is64:
            kind, _, offset, address, _, stored, _, alignment = reader.numbers("IIQQQQQQ", at)
        else:
            kind, offset, address, _, stored, _, _, alignment = reader.numbers("IIIIIIII", at)
        segments.append(_Segment(kind, offset, address, stored, alignment))
        if kind == _LOAD and offset + stored > len(reader.content):
            missing = offset + stored - len(reader.content)
            raise BrokenLibraryError(f"truncated: {missing} bytes that it would load are not in the file")
    return segments


def _dynamic(reader: _Reader, segments: list[_Segment]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for segment in segments:
        if segment.kind != _DYNAMIC:
            continue
        step = 16 if reader.is64 else 8
        for at in range(segment.offset, segment.offset + segment.stored, step):
            tag, value = reader.numbers("PP", at)
            if tag == 0:
                break
            found.setdefault(tag, []).append(value)
    if not found:
        raise BrokenLibraryError("not a shared library: it has no dynamic section")
    return found


def _offset(address: int, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.stored:
            return address - segment.address + segment.offset
    raise BrokenLibraryError(f"damaged: no loaded segment holds address {address:#x}")


def _exported(reader: _Reader, dynamic: dict[int, list[int]], segments: list[_Segment]) -> frozenset[str]:
    if _SYMTAB not in dynamic or _STRTAB not in dynamic:
        return frozenset()
    symbols, names = (_offset(dynamic[tag][0], segments) for tag in (_SYMTAB, _STRTAB))
    size = 24 if reader.is64 else 16
    found = set()
    for index in range(1, _count_symbols(reader, dynamic, segments)):
        at = symbols + index * size
        name, section = reader.numbers("I2xH" if reader.is64 else "I10xH", at)
        if section:
            found.add(reader.text(names + name))
    return frozenset(found)


def _count_symbols(reader: _Reader, dynamic: dict[int, list[int]], segments: list[_Segment]) -> int:
    if _HASH in dynamic:
        return reader.numbers("II", _offset(dynamic[_HASH][0], segments))[1]
    if _GNU_HASH not in dynamic:
        return 0
    table = _offset(dynamic[_GNU_HASH][0], segments)
    buckets, first, blooms = reader.numbers("III", table)
    chains = table + 16 + blooms * (8 if reader.is64 else 4)
    last = max(reader.numbers(f"{buckets}I", chains), default=0)
    if last < first:
        return first
    chains += buckets * 4
    # The last chain ends at the value whose lowest bit is set.
    while not reader.numbers("I", chains + (last - first) * 4)[0] & 1:
        last += 1
    return last + 1
