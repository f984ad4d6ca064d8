"""A bundle opened: mapped, its form and manifest checked, every member's hash checked before a byte of it is used."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal

from edge_sdk.bundle.container import Frame, Member, read_frame
from edge_sdk.bundle.manifest import (
    MANIFEST,
    MANIFEST_HASH,
    RESERVED,
    SIGNATURES,
    GoldenRecord,
    GoldenSequence,
    Limit,
    Manifest,
    MemberRecord,
    Port,
    Variant,
    VariantSignature,
)
from edge_sdk.bundle.parsing import parse_manifest
from edge_sdk.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleSignatureError,
    ModelError,
    SignatureError,
)

if TYPE_CHECKING:
    from edge_sdk.artifact.model import Artifact
    from edge_sdk.bundle.golden import GoldenCase, SequenceCases

Trust = Literal["unsigned", "signed, not checked", "verified"]
PublicKey = str | Path | bytes


class Bundle:
    """An open bundle. Made by :func:`open_bundle`; a context manager; threads may read it at the same time.

    Attributes:
        path: the file.
        manifest: what it says of itself.
        trust: ``verified`` if a trusted key signed it; ``signed, not checked`` if no key was given.
        signed_by: id of the key that it was verified with, None where it was not.
    """

    def __init__(self, path: Path, mapped: mmap.mmap, frame: Frame, manifest: Manifest, signer: str | None) -> None:
        if not isinstance(frame, Frame):
            raise TypeError("a bundle is opened by open_bundle(path)")
        self.path = path
        self.manifest = manifest
        self.signed_by = signer
        self._mapped: mmap.mmap | None = mapped
        self._members = {member.name: member for member in frame.members}
        self._records = {record.name: record for record in manifest.members}
        self._verified: set[str] = set()

    @property
    def trust(self) -> Trust:
        """What is known of who made it."""
        if self.signed_by is not None:
            return "verified"
        return "signed, not checked" if SIGNATURES in self._members else "unsigned"

    @property
    def member_names(self) -> tuple[str, ...]:
        """All members, in the order of the file."""
        return tuple(self._members)

    def variant(self, variant_id: str) -> Variant:
        """The variant of that id; errors as :meth:`Manifest.variant`."""
        return self.manifest.variant(variant_id)

    def member(self, name: str) -> memoryview:
        """A member's bytes, mapped read-only; its hash is checked at the first use.

        Raises:
            BundleIntegrityError: the bytes are not what the manifest says.
            BundleError: the manifest lists no such member, or the bundle is closed.
        """
        if name not in self._records:
            raise BundleError(f"{self.path}: the manifest lists no member `{name}`")
        view = _view(self._open(), self._members[name])
        if name not in self._verified:
            _check_member(self.path, view, self._records[name])
            self._verified.add(name)
        return view

    def model(self, variant_id: str) -> memoryview:
        """The .tflite file of a variant, mapped read-only at an address that is a multiple of the page size.

        It stays valid after :meth:`close`, as long as it is referred to. Errors as :meth:`member` and :meth:`variant`.
        """
        return self.member(self.variant(variant_id).model)

    def model_offset(self, variant_id: str) -> int:
        """Where the model begins in the file: for whoever maps it there. Verify it first with :meth:`model`."""
        return self._members[self.variant(variant_id).model].offset

    def artifact(self, variant_id: str) -> Artifact:
        """The model parsed and checked, its constants views of the map.

        Raises:
            BundleFormatError: it is not a TFLite file, or not the one that the manifest describes.
        """
        from edge_sdk.artifact.model import parse_artifact

        variant = self.variant(variant_id)
        path = Path(f"{self.path}:{variant.model}")
        try:
            artifact = parse_artifact(self.model(variant_id), path=path, sha256=variant.sha256)
        except ModelError as error:
            raise BundleFormatError(str(error), hint="the bundle was not made by edge-sdk: make it again") from error
        _check_signature(path, artifact, variant)
        return artifact

    def golden(self, variant_id: str) -> tuple[GoldenCase, ...]:
        """The self-test's runs; empty where the bundle holds none.

        Raises:
            BundleFormatError: an array has another size than its shape says.
            BundleIntegrityError: as :meth:`member`.
        """
        variant = self.variant(variant_id)
        return self._cases(variant.golden, variant.signature, variant.tolerance)

    def golden_sequences(self, variant_id: str) -> tuple[SequenceCases, ...]:
        """The self-test's runs of several calls; empty where the bundle holds none. Errors as :meth:`golden`."""
        from edge_sdk.bundle.golden import SequenceCases

        return tuple(
            SequenceCases(one.calls, self._cases(one.golden, one, one.tolerance))
            for one in self.variant(variant_id).sequences
        )

    def labels(self, output: str) -> tuple[str, ...]:
        """Names of an output's indices; empty where it has none.

        Raises:
            BundleFormatError: not text in UTF-8.
        """
        member = self.manifest.labels.get(output)
        if member is None:
            return ()
        try:
            text = str(self.member(member), "utf-8")
        except UnicodeDecodeError as error:
            raise BundleFormatError(f"{self.path}: {member} is not UTF-8: {error}") from error
        return tuple(text.removesuffix("\n").split("\n"))

    def verify_all(self) -> None:
        """Checks every member's hash and checksum now.

        Raises:
            BundleIntegrityError: the first that is not what the manifest says.
        """
        import zlib

        for name, record in self._records.items():
            if zlib.crc32(self.member(name)) != record.crc32:
                raise BundleIntegrityError(f"{self.path}: `{name}` has another CRC-32 than the manifest says")

    def close(self) -> None:
        """Gives the map back; views that were handed out stay valid until they are dropped. Twice is harmless."""
        mapped, self._mapped = self._mapped, None
        if mapped is not None:
            try:
                mapped.close()
            except BufferError:  # views are out: the last one to go takes the map with it
                return

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> mmap.mmap:
        if self._mapped is None:
            raise BundleError(f"{self.path}: the bundle is closed")
        return self._mapped

    def _cases(
        self,
        runs: Sequence[GoldenRecord],
        signature: VariantSignature | GoldenSequence,
        tolerance: Mapping[str, tuple[Limit, ...]],
    ) -> tuple[GoldenCase, ...]:
        from edge_sdk.bundle.golden import GoldenCase

        inputs = {port.name: port for port in signature.inputs}
        outputs = {port.name: port for port in signature.outputs}
        return tuple(
            GoldenCase(
                inputs=self._arrays(record.inputs, inputs),
                outputs=self._arrays(record.outputs, outputs),
                tolerance=tolerance,
                ports=MappingProxyType(outputs),
            )
            for record in runs
        )

    def _arrays(self, members: Mapping[str, str], ports: Mapping[str, Port]) -> Mapping[str, Any]:
        return MappingProxyType({name: self._array(ports[name], member) for name, member in members.items()})

    def _array(self, port: Port, member: str) -> Any:
        import numpy as np

        from edge_sdk.artifact.dtypes import DTYPES

        if port.dtype not in DTYPES:
            raise BundleFormatError(f"{self.path}: `{port.name}` is {port.dtype}, which has no golden values")
        data, dtype = self.member(member), np.dtype(DTYPES[port.dtype]).newbyteorder("<")
        expected = dtype.itemsize
        for extent in port.shape:
            expected *= extent
        if len(data) != expected:
            raise BundleFormatError(
                f"{self.path}: {member} has {len(data)} bytes, {port.dtype}{list(port.shape)} needs {expected}"
            )
        return np.frombuffer(data, dtype).reshape(port.shape)


def open_bundle(path: str | Path, *, trusted_keys: Sequence[PublicKey] = ()) -> Bundle:
    """Opens a bundle: maps the file, checks its form, its manifest, and who signed it.

    Members are checked when they are first used, so that a device pays for the variant it runs and no other;
    :meth:`Bundle.verify_all` checks the rest.

    Args:
        path: the .edge file. Do not write into it while it is open; replace it by a rename.
        trusted_keys: Ed25519 public keys, each a path to a PEM file or 32 raw bytes. If there are any, one of them
            must have signed the bundle.

    Raises:
        BundleFormatError: not a bundle, or not in its one form.
        BundleVersionError: made by a newer edge-sdk.
        BundleIntegrityError: the manifest is not what its hash says, or a member is of another size.
        BundleSignatureError: a key was given, and none of those given has signed it.
        MissingDependencyError: a key was given, and the extra `signing` is not installed.
    """
    path = Path(path)
    mapped = _map(path)
    try:
        return _opened(path, mapped, trusted_keys)
    except BundleError as error:
        raise type(error)(f"{path}: {error}", hint=error.hint) from error


def _opened(path: Path, mapped: mmap.mmap, trusted_keys: Sequence[PublicKey]) -> Bundle:
    frame = read_frame(memoryview(mapped))
    members = {member.name: member for member in frame.members}
    for name in (MANIFEST, MANIFEST_HASH):
        if name not in members:
            raise BundleFormatError(f"it has no {name}", hint="a bundle is made by `edge-sdk bundle create`")
    raw = _view(mapped, members[MANIFEST])
    _check_manifest_hash(raw, bytes(_view(mapped, members[MANIFEST_HASH])))
    signer = _signer(raw, mapped, members.get(SIGNATURES), trusted_keys)
    manifest = parse_manifest(raw)
    _check_members(frame, manifest)
    return Bundle(path, mapped, frame, manifest, signer)


def _map(path: Path) -> mmap.mmap:
    try:
        # A pipe must not make the caller wait for a writer; on a file it means nothing.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise BundleFormatError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BundleFormatError(f"{str(path)!r} is no path: {error}") from error
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise BundleFormatError(f"{path}: cannot be mapped: {error}", hint="it is empty, or not a file") from error
    finally:
        os.close(descriptor)


def _view(mapped: mmap.mmap, member: Member) -> memoryview:
    return memoryview(mapped)[member.offset : member.offset + member.size_bytes]


def _check_manifest_hash(manifest: memoryview, line: bytes) -> None:
    """``manifest.sha256`` is what the tool ``sha256sum`` writes, so that it can check it too."""
    if line != manifest_hash_line(manifest):
        raise BundleIntegrityError(f"{MANIFEST} has another SHA-256 than {MANIFEST_HASH} says", hint=_COPY)


def manifest_hash_line(manifest: bytes | memoryview) -> bytes:
    """The content of ``manifest.sha256``."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()


def _signer(
    manifest: memoryview, mapped: mmap.mmap, member: Member | None, trusted_keys: Sequence[PublicKey]
) -> str | None:
    if not trusted_keys:
        return None
    if member is None:
        raise BundleSignatureError(
            "it is unsigned, and a signature by a trusted key is required",
            hint="sign it with `edge-sdk bundle create --sign KEY`, or open it without keys",
        )
    from edge_sdk.bundle.signing import verify_signatures

    return verify_signatures(bytes(manifest), bytes(_view(mapped, member)), trusted_keys)


def _check_members(frame: Frame, manifest: Manifest) -> None:
    """The archive holds what the manifest lists, in its order, and nothing else."""
    first = [name for name in RESERVED if name in {member.name for member in frame.members}]
    expected = [*first, *(record.name for record in manifest.members)]
    found = [member.name for member in frame.members]
    if found != expected:
        odd = sorted(set(found) ^ set(expected))
        words = f"`{odd[0]}` is in one of them only" if odd else "they are in another order"
        raise BundleIntegrityError(f"the archive and the manifest list other members: {words}", hint=_COPY)
    records = {record.name: record for record in manifest.members}
    for member in frame.members[len(first) :]:
        record = records[member.name]
        if (member.size_bytes, member.crc32) != (record.size_bytes, record.crc32):
            raise BundleIntegrityError(
                f"`{member.name}` has {member.size_bytes} bytes and CRC-32 {member.crc32:08x} in the archive, "
                f"{record.size_bytes} and {record.crc32:08x} in the manifest",
                hint=_COPY,
            )


def _check_member(path: Path, view: memoryview, record: MemberRecord) -> None:
    found = hashlib.sha256(view).hexdigest()
    if found != record.sha256:
        raise BundleIntegrityError(
            f"{path}: `{record.name}` has SHA-256 {found[:16]}..., the manifest says {record.sha256[:16]}...",
            hint=_COPY,
        )


def _check_signature(path: Path, artifact: Artifact, variant: Variant) -> None:
    from edge_sdk.bundle.describe import describe_calls, describe_signature

    if describe_signature(artifact) != variant.signature:
        raise BundleFormatError(f"{path}: has other inputs or outputs than the manifest says")
    for one in variant.sequences:
        words = f"{path}: has other inputs or outputs in {' then '.join(one.calls)[:80]} than the manifest says"
        try:
            described = describe_calls(artifact, one.calls)
        except SignatureError as error:
            raise BundleFormatError(words) from error
        if described != (one.inputs, one.outputs):
            raise BundleFormatError(words)


_COPY = "the file was damaged or changed: copy it again from where it was made"
