"""Writing the archive: members and manifest in their one form, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.bundle import strict
from edge_sdk.bundle.container import MAX_BYTES, MAX_MEMBERS, Frame, Member, check_name, frame
from edge_sdk.bundle.manifest import (
    MANIFEST,
    MANIFEST_HASH,
    SIGNATURES,
    Manifest,
    MemberRecord,
)
from edge_sdk.bundle.parsing import MAX_MANIFEST_BYTES, parse_manifest
from edge_sdk.bundle.reading import manifest_hash_line
from edge_sdk.errors import BundleError
from edge_sdk.files import replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def write_bundle(
    path: Path, manifest: Manifest, contents: Mapping[str, bytes], *, keys: Sequence[Ed25519PrivateKey] = ()
) -> Manifest:
    """Writes a bundle; the same manifest and contents make the same bytes.

    Args:
        path: the file to write.
        manifest: complete but for ``members``, which are made here.
        contents: member name to bytes, in the order of the file.
        keys: each signs the manifest.

    Returns:
        The manifest with its members.

    Raises:
        BundleError: more than the form can hold.
        BundleFormatError: the manifest contradicts its own rules.
        OutputError: the file cannot be written.
    """
    for name in contents:
        check_name(name)
    records = tuple(_record(name, content) for name, content in contents.items())
    complete = replace(manifest, members=records)
    raw = strict.dump(complete)
    parse_manifest(raw)
    first = {MANIFEST: raw, MANIFEST_HASH: manifest_hash_line(raw)}
    if keys:
        from edge_sdk.bundle.signing import sign

        first[SIGNATURES] = sign(raw, keys)
    members = {**first, **contents}
    _check_size(members)
    _write(path, frame(Member(n, len(c), zlib.crc32(c)) for n, c in members.items()), members)
    return complete


def _record(name: str, content: bytes) -> MemberRecord:
    return MemberRecord(name, len(content), hashlib.sha256(content).hexdigest(), zlib.crc32(content))


def _check_size(members: Mapping[str, bytes]) -> None:
    size, count = sum(map(len, members.values())), len(members)
    room = MAX_BYTES - count * (1 << 15)
    if size > room or count > MAX_MEMBERS or len(members[MANIFEST]) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{count} members of {size} bytes with a manifest of {len(members[MANIFEST])}; a bundle holds at most "
            f"{MAX_MEMBERS} members of {room} bytes with a manifest of {MAX_MANIFEST_BYTES}",
            hint="make several bundles, or fewer golden samples",
        )


def _write(path: Path, made: Frame, members: Mapping[str, bytes]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        for header, content in zip(made.headers, members.values(), strict=True):
            file.write(header)
            file.write(content)
        file.write(made.directory)
        file.flush()
        os.fsync(file.fileno())
