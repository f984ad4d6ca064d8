"""Damaged and hostile bundles: every one is an error of ours, none is a crash, and none is opened in silence."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_sdk.bundle.container import Member, frame
from edge_sdk.bundle.manifest import MANIFEST, MANIFEST_HASH
from edge_sdk.bundle.verifying import verify_bundle
from edge_sdk.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    EdgeSdkError,
)
from tests.core.bundle.conftest import refused
from tests.core.bundle.made import INPUT, LABELS, MODEL, contents, forged, pack, unpack, write

Change = Callable[[dict[str, Any], dict[str, bytes]], None]


def test_the_whole_one_is_accepted(tmp_path: Path) -> None:
    """Without this, all that follows could be refused for one wrong reason."""
    verified = verify_bundle(write(tmp_path / "a.edge"))
    assert (verified.members, verified.variants, verified.golden_runs) == (4, ("float32",), 2)
    assert forged(tmp_path / "b.edge", lambda table, members: None)
    verify_bundle(tmp_path / "b.edge")


def test_every_bit_flip_is_found(tmp_path: Path, whole: bytes) -> None:
    """One bit in each byte of the file, members and all between them: each is an error, whole bundles apart."""
    path = tmp_path / "flipped.edge"
    step = 7  # a byte in seven, the phase covered by the next test; the frame byte by byte
    framed = [i for i in range(len(whole)) if i % step == 0 or not _in_member(whole, i)]
    for place in framed:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises(BundleError):
            verify_bundle(path)


def _in_member(whole: bytes, place: int) -> bool:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        infos = archive.infolist()
    padded = max(infos, key=lambda info: info.header_offset)
    padding = range(padded.header_offset + 30 + len(padded.filename) + 6, _begin(whole, padded))
    return place in padding or any(_begin(whole, i) <= place < _begin(whole, i) + i.file_size for i in infos)


def _begin(whole: bytes, info: zipfile.ZipInfo) -> int:
    name, extra = struct.unpack_from("<2H", whole, info.header_offset + 26)
    return info.header_offset + 30 + int(name) + int(extra)


@pytest.mark.parametrize("region", ["padding", "manifest", "hash", "labels", "golden", "model"])
def test_a_flip_in_each_region_says_where(tmp_path: Path, whole: bytes, region: str) -> None:
    marks = {
        "padding": (whole.rindex(MODEL.encode(), 0, 16384) + len(MODEL) + 600, "header of `variants/float32"),
        "manifest": (whole.index(b'"digits"'), MANIFEST),
        "hash": (whole.index(b"  manifest.json\n") - 3, MANIFEST),
        "labels": (whole.index(b"a\nb\nc"), LABELS),
        "golden": (_begin_of(whole, INPUT) + 5, INPUT),
        "model": (_begin_of(whole, MODEL) + 900, MODEL),
    }
    place, named = marks[region]
    flipped = bytearray(whole)
    flipped[place] ^= 0x10
    assert named in refused(tmp_path / "x.edge", bytes(flipped))


def _begin_of(whole: bytes, name: str) -> int:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return _begin(whole, archive.getinfo(name))


def test_every_truncation_is_found(tmp_path: Path, whole: bytes) -> None:
    for length in {0, 1, 3, 4, 21, 22, *range(30, len(whole), 509), len(whole) - 1}:
        refused(tmp_path / "cut.edge", whole[:length])


@pytest.mark.parametrize("name", sorted(contents()))
def test_each_member_truncated_or_longer_or_empty(tmp_path: Path, whole: bytes, name: str) -> None:
    """Packed again in the one form, so that only the manifest can tell."""
    members = unpack(whole)
    for data in (b"", members[name][:-1], members[name] + b"\0"):
        refused(tmp_path / "x.edge", pack(members | {name: data}), BundleIntegrityError)


def test_swapped_members(tmp_path: Path, whole: bytes) -> None:
    members = unpack(whole)
    swapped = members | {LABELS: members[MODEL], MODEL: members[LABELS]}
    assert "in the manifest" in refused(tmp_path / "a.edge", pack(swapped), BundleIntegrityError)
    order = dict(reversed(members.items()))
    refused(tmp_path / "b.edge", pack(order), BundleIntegrityError)


def test_a_forged_checksum_does_not_hide_a_wrong_hash(tmp_path: Path, whole: bytes) -> None:
    """Same size, same CRC-32 (four bytes of a linear code make it fit), another SHA-256."""
    members = unpack(whole)
    data = bytearray(members[INPUT])
    # x^32 + ... + 1, the generator of CRC-32 as a bit pattern: adding a multiple of it leaves the remainder.
    for byte, bits in enumerate((0x41, 0x06, 0x71, 0xDB, 0x01)):
        data[100 + byte] ^= bits
    import zlib

    assert zlib.crc32(data) == zlib.crc32(members[INPUT])
    refused(tmp_path / "x.edge", pack(members | {INPUT: bytes(data)}), BundleIntegrityError)


def _archive(change: Callable[[zipfile.ZipFile, zipfile.ZipInfo, bytes], None], members: dict[str, bytes]) -> bytes:
    """The members as Python's zipfile packs them, with a change to how each is."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            change(archive, zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return made.getvalue()


def _store(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes) -> None:
    info.external_attr = 0o100644 << 16
    archive.writestr(info, data)


def _deflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes) -> None:
    info.external_attr = 0o100644 << 16
    archive.writestr(info, data, zipfile.ZIP_DEFLATED)


def _zip64(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes) -> None:
    with archive.open(info, "w", force_zip64=True) as member:
        member.write(data)


def _symlink(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes) -> None:
    info.external_attr = 0o120777 << 16
    archive.writestr(info, b"/etc/passwd")


class _Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_deflate, "compressed (method 8)"),
        (_symlink, "not a regular file"),
        (_store, "in its one form"),
        (_zip64, "form"),
    ],
)
def test_other_kinds_of_zip(tmp_path: Path, whole: bytes, change: Any, words: str) -> None:
    assert words in refused(tmp_path / "x.edge", _archive(change, unpack(whole)), BundleFormatError)


def test_data_descriptors(tmp_path: Path, whole: bytes) -> None:
    stream = _Unseekable()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in unpack(whole).items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    assert "data descriptor" in refused(tmp_path / "x.edge", stream.getvalue(), BundleFormatError)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, whole: bytes) -> None:
    """4 GB of zeros in 4 MB: nothing is ever decompressed."""
    members = unpack(whole) | {MODEL: bytes(64 << 20)}
    assert "compressed" in refused(tmp_path / "x.edge", _archive(_deflate, members), BundleFormatError)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (8, 0x0001, "encrypted"),
        (8, 0x0008, "data descriptor"),
        (8, 0x0800, "differs at byte"),
        (10, 8, "compressed"),
        (10, 99, "compressed"),
        (6, 45, "differs at byte"),
        (12, 1, "differs at byte"),
        (32, 1, "directory"),
        (36, 1, "differs at byte"),
    ],
)
def test_flags_in_the_directory(tmp_path: Path, whole: bytes, at: int, value: int, words: str) -> None:
    changed = bytearray(whole)
    place = changed.rindex(b"PK\x01\x02")
    struct.pack_into("<H", changed, place + at, value)
    assert words in refused(tmp_path / "x.edge", bytes(changed), BundleFormatError)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "a//b",
        "./a",
        ".hidden",
        "a/.b",
        "a\\b",
        "C:x",
        "A",
        "a\0b",
        "a b",
        "a\n",
        "caf\xe9",
        "",
        "a/",
        "x" * 201,
    ],
)
def test_names_that_no_member_may_have(tmp_path: Path, whole: bytes, name: str) -> None:
    """Renamed in the archive, and in the manifest alone."""
    members = unpack(whole)
    raw = _pack_any([(("latin-1", name) if key == LABELS else ("ascii", key), data) for key, data in members.items()])
    assert "is not allowed" in refused(tmp_path / "a.edge", raw, BundleFormatError)

    def change(table: dict[str, Any], _: dict[str, bytes]) -> None:
        next(m for m in table["members"] if m["name"] == LABELS)["name"] = name

    with pytest.raises(BundleError):
        verify_bundle(forged(tmp_path / "b.edge", change))


def _pack_any(members: list[tuple[tuple[str, str], bytes]]) -> bytes:
    """The one form but for the names: what the name check must catch by itself."""
    import zlib

    parts, records, position = [], [], 0
    for (encoding, name), data in members:
        raw = name.encode(encoding)
        sums = (zlib.crc32(data), len(data), len(data), len(raw))
        head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, *sums, 0)
        made = (b"PK\1\2", 788, 20, 0, 0, 0, 33, *sums, 0, 0, 0, 0, 0o100644 << 16, position)
        fixed = struct.pack("<4s6H3I5H2I", *made)
        parts += [head, raw, data]
        records += [fixed, raw]
        position += len(head) + len(raw) + len(data)
    directory = b"".join(records)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), position, 0)
    return b"".join(parts) + directory + end


def test_two_members_of_one_name(tmp_path: Path, whole: bytes) -> None:
    twice = [(("ascii", key), data) for key, data in unpack(whole).items()]
    assert "two members" in refused(tmp_path / "a.edge", _pack_any([*twice, twice[-1]]), BundleFormatError)


def test_case_folded_duplicate(tmp_path: Path, whole: bytes) -> None:
    """On a file system that folds case it would overwrite the other; capitals are not allowed at all."""
    twice = [(("ascii", key), data) for key, data in unpack(whole).items()]
    upper = (("ascii", MODEL.upper()), b"x")
    assert "is not allowed" in refused(tmp_path / "a.edge", _pack_any([*twice, upper]), BundleFormatError)


def test_overlapping_members(tmp_path: Path, whole: bytes) -> None:
    """Two records for one local header, as in Fifield's bomb (WOOT 2019)."""
    members = unpack(whole)
    made = frame(Member(n, len(d), 0) for n, d in members.items())
    directory = bytearray(made.directory)
    struct.pack_into("<I", directory, 42, 10)  # the first member's header inside of itself
    body = whole[: made.directory_offset]
    assert "differs" in refused(tmp_path / "x.edge", body + bytes(directory), BundleFormatError)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"#!/bin/sh\n", b"", "expected b'PK"),
        (b"", b"trailing", "cut off, or followed by other data"),
        (b"", b"\0", "followed by other data"),
    ],
)
def test_data_around_the_archive(tmp_path: Path, whole: bytes, before: bytes, after: bytes, words: str) -> None:
    assert words in refused(tmp_path / "x.edge", before + whole + after, BundleFormatError)


def test_a_comment_and_a_hidden_member(tmp_path: Path, whole: bytes) -> None:
    commented = whole[:-2] + struct.pack("<H", 3) + b"hey"
    refused(tmp_path / "a.edge", commented, BundleFormatError)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        begin = archive.start_dir
    hidden = whole[:begin] + b"PK\3\4 hidden data" + whole[begin:]
    refused(tmp_path / "b.edge", hidden, BundleFormatError)
    end = bytearray(hidden)
    struct.pack_into("<I", end, len(end) - 6, begin + 16)
    assert "members fill" in refused(tmp_path / "c.edge", bytes(end), BundleFormatError)


def test_zip64_locator(tmp_path: Path, whole: bytes) -> None:
    locator = b"PK\6\7" + bytes(16)
    assert "ZIP64" in refused(tmp_path / "x.edge", whole[:-22] + locator + whole[-22:], BundleFormatError)


@pytest.mark.parametrize("missing", [MANIFEST, MANIFEST_HASH, LABELS, MODEL])
def test_a_missing_member(tmp_path: Path, whole: bytes, missing: str) -> None:
    members = {name: data for name, data in unpack(whole).items() if name != missing}
    assert missing in refused(tmp_path / "x.edge", pack(members))


def test_a_member_too_many(tmp_path: Path, whole: bytes) -> None:
    extra = pack({**unpack(whole), "extra.bin": b"x"})
    assert "extra.bin" in refused(tmp_path / "a.edge", extra, BundleIntegrityError)
    listed = forged(tmp_path / "b.edge", _list_extra)
    with pytest.raises(BundleFormatError, match="belongs to nothing"):
        verify_bundle(listed)


def _list_extra(table: dict[str, Any], members: dict[str, bytes]) -> None:
    members["extra.bin"] = b"x"
    table["members"].append({"name": "extra.bin"})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_an_error_of_ours(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    """Slices of the file overwritten, removed, doubled or moved."""
    at = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 400))
    other = data.draw(st.binary(max_size=400))
    changed = whole[:at] + other + whole[at + length :]
    path = tmp_path / "fuzzed.edge"
    path.write_bytes(changed)
    if changed == whole:
        verify_bundle(path)
        return
    with pytest.raises(EdgeSdkError):
        verify_bundle(path)
