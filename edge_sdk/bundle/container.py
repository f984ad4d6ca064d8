"""The archive: a ZIP of stored members in one canonical form, so that there is one file for given members.

The reader takes names, sizes and checksums from the directory, builds every other byte anew, and compares: what is
hidden, doubled, overlapping, prepended or flipped outside of the members is a difference. The ZIP format is PKWARE's
APPNOTE.TXT 6.3; FORMAT.md says which part of it is used.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_sdk.errors import BundleFormatError

ALIGNMENT = 64
"""Bytes that each member's data is aligned to: a cache line, and what kernels expect of tensors in memory."""
MODEL_ALIGNMENT = 16384
"""Of models: the largest page of Android and of the usual arm64 kernels, so that a model can be mapped by itself."""
MODEL_SUFFIX = ".tflite"
MAX_MEMBERS = 4096
MAX_BYTES = (1 << 32) - 1
"""Beyond it a ZIP needs 64-bit fields, which this form does not have."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
_MAX_NAME = 200
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_ZIP64_LOCATOR, _ZIP64_SIZE = b"PK\x06\x07", 20
# 2.0 is the version that stored files in folders need; 3 in the upper byte is Unix, for the permissions.
_NEEDED, _MADE_BY = 20, 3 << 8 | 20
# 1980-01-01 00:00:00, the earliest that the format can say.
_TIME, _DATE = 0, 1 << 5 | 1
_REGULAR_FILE = 0o100644 << 16
# Android's zipalign pads with this extra field: its id, its length, the alignment, zeros.
_PADDING_ID = 0xD935
_PADDING = struct.Struct("<3H")


@dataclass(frozen=True)
class Member:
    """One member of the archive; ``offset`` is where its data begins in the file."""

    name: str
    size_bytes: int
    crc32: int
    offset: int = 0

    @property
    def alignment(self) -> int:
        """Bytes that its data is aligned to."""
        return MODEL_ALIGNMENT if self.name.endswith(MODEL_SUFFIX) else ALIGNMENT


@dataclass(frozen=True)
class Frame:
    """Everything in the file but the members' data: members with offsets, a header for each, and the directory."""

    members: tuple[Member, ...]
    headers: tuple[bytes, ...]
    directory: bytes
    directory_offset: int

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""
        return self.directory_offset + len(self.directory)


def frame(members: Iterable[Member]) -> Frame:
    """The one form of an archive with these members, in this order."""
    placed: list[Member] = []
    headers: list[bytes] = []
    records: list[bytes] = []
    position = 0
    for member in members:
        header = _local_header(member, position)
        records.append(_central_record(member, position))
        position += len(header)
        placed.append(Member(member.name, member.size_bytes, member.crc32, position))
        headers.append(header)
        position += member.size_bytes
    records.append(_end_record(len(placed), sum(map(len, records)), position))
    return Frame(tuple(placed), tuple(headers), b"".join(records), position)


def check_name(name: str) -> None:
    """Raises unless the name is one that a member may have.

    Raises:
        BundleFormatError: upper case, blanks, control characters, climbing or absolute paths, hidden files.
    """
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise BundleFormatError(
            f"member name {name[:_MAX_NAME]!r} is not allowed",
            hint="names are of a-z, 0-9, `.`, `_`, `-`, in folders split by `/`; none begins with a dot",
        )


def read_frame(data: memoryview) -> Frame:
    """The frame of a whole file, checked byte by byte.

    Raises:
        BundleFormatError: not a ZIP, or not in the canonical form; says which rule is broken.
    """
    count, size, offset = _read_end(data)
    members = _read_directory(data[offset : offset + size], count)
    if sum(member.size_bytes for member in members) > offset:
        raise _not_canonical("its members overlap, or reach beyond its end")
    built = frame(members)
    if built.size_bytes != len(data) or built.directory_offset != offset:
        raise _not_canonical(f"its members fill {built.size_bytes} bytes, the file has {len(data)}")
    _compare(data, built.directory, offset, "the directory")
    for header, member in zip(built.headers, built.members, strict=True):
        _compare(data, header, member.offset - len(header), f"the header of `{member.name}`")
    return built


def _local_header(member: Member, position: int) -> bytes:
    name = member.name.encode("ascii")
    unpadded = position + _LOCAL.size + len(name) + _PADDING.size
    padding = -unpadded % member.alignment
    extra = _PADDING.pack(_PADDING_ID, 2 + padding, member.alignment) + bytes(padding)
    return _LOCAL.pack(_LOCAL_MAGIC, _NEEDED, 0, 0, _TIME, _DATE, *_sums(member), len(name), len(extra)) + name + extra


def _central_record(member: Member, position: int) -> bytes:
    name = member.name.encode("ascii")
    made = (_CENTRAL_MAGIC, _MADE_BY, _NEEDED, 0, 0, _TIME, _DATE, *_sums(member))
    fixed = _CENTRAL.pack(*made, len(name), 0, 0, 0, 0, _REGULAR_FILE, position)
    return fixed + name


def _end_record(count: int, size: int, offset: int) -> bytes:
    return _END.pack(_END_MAGIC, 0, 0, count, count, size, offset, 0)


def _sums(member: Member) -> tuple[int, int, int]:
    return member.crc32, member.size_bytes, member.size_bytes


def _read_end(data: memoryview) -> tuple[int, int, int]:
    """Number of members, size and offset of the directory."""
    if len(data) > MAX_BYTES:
        raise _not_canonical(f"it has {len(data)} bytes, at most {MAX_BYTES} are allowed")
    if len(data) < _END.size or bytes(data[:4]) != _LOCAL_MAGIC:
        raise BundleFormatError(
            f"not a bundle: expected {_LOCAL_MAGIC!r} at the start of {len(data)} bytes, got {bytes(data[:4])!r}",
            hint="a bundle is made by `edge-sdk bundle create`",
        )
    magic, disk, first_disk, count, total, size, offset, comment = _END.unpack_from(data, len(data) - _END.size)
    if magic != _END_MAGIC or comment:
        raise _not_canonical("it does not end with a directory: cut off, or followed by other data")
    before = len(data) - _END.size - _ZIP64_SIZE
    if before >= 0 and bytes(data[before : before + 4]) == _ZIP64_LOCATOR:
        raise _not_canonical("it is a ZIP64 archive")
    if disk or first_disk or count != total:
        raise _not_canonical("it is split over several files")
    if not 0 < count <= MAX_MEMBERS:
        raise _not_canonical(f"it has {count} members, at most {MAX_MEMBERS} are allowed")
    if offset + size + _END.size != len(data):
        raise _not_canonical(f"its directory ends at byte {offset + size} of {len(data) - _END.size}")
    return count, size, offset


def _read_directory(data: memoryview, count: int) -> list[Member]:
    members: dict[str, Member] = {}
    position = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(data):
            raise _not_canonical(f"its directory ends within member {len(members)} of {count}")
        record = _CENTRAL.unpack_from(data, position)
        name_bytes = record[10]
        position += _CENTRAL.size
        name = bytes(data[position : position + name_bytes]).decode("latin-1")
        check_name(name)
        _check_record(name, record)
        if name in members:
            raise _not_canonical(f"it has two members `{name}`")
        members[name] = Member(name, record[9], record[7])
        position += name_bytes
    return list(members.values())


def _check_record(name: str, record: Sequence[int]) -> None:
    """The usual ways to be another ZIP, in words; all others are found by the comparison."""
    flags, method, packed, size, attributes = record[3], record[4], record[8], record[9], record[15]
    if flags & 1:
        raise _not_canonical(f"`{name}` is encrypted")
    if flags & 8:
        raise _not_canonical(f"`{name}` has a data descriptor")
    if method:
        raise _not_canonical(f"`{name}` is compressed (method {method})")
    if 0xFFFFFFFF in (packed, size):
        raise _not_canonical(f"`{name}` has ZIP64 sizes")
    if packed != size:
        raise _not_canonical(f"`{name}` has {packed} bytes stored and {size} bytes said")
    if attributes >> 28 != 0o10:
        raise _not_canonical(f"`{name}` is not a regular file")


def _compare(data: memoryview, expected: bytes, offset: int, what: str) -> None:
    # A copy: bytes are compared as a block, memoryviews item by item.
    found = bytes(data[offset : offset + len(expected)])
    if found == expected:
        return
    pairs = zip(found, expected, strict=False)
    at = next((place for place, (got, wanted) in enumerate(pairs) if got != wanted), min(len(found), len(expected)))
    raise _not_canonical(f"{what} differs at byte {offset + at} from what its members make")


def _not_canonical(what: str) -> BundleFormatError:
    return BundleFormatError(
        f"not a bundle in its one form: {what}",
        hint="copy the file again, or make it again with `edge-sdk bundle create`; other ZIP tools write another form",
    )
