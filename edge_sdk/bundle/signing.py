"""Ed25519 signatures over the manifest, which holds the hash of everything else.

A signature says who made a bundle and that nothing changed since. It hides nothing: a bundle is not encrypted.
Keys are the standard PEM files (PKCS #8, SubjectPublicKeyInfo) that ``openssl`` makes and reads as well.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.bundle import strict
from edge_sdk.bundle.manifest import SIGNATURES
from edge_sdk.bundle.signatures import SignatureRecord, Signatures
from edge_sdk.errors import BundleError, BundleFormatError, BundleSignatureError, MissingDependencyError
from edge_sdk.files import check_writable, replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

CONTEXT = b"edge-sdk bundle manifest, version 1\n"
"""Comes before the manifest's bytes in what is signed, so that a signature made for anything else does not count."""
MAX_SIGNATURES = 8
_PUBLIC_BYTES, _SIGNATURE_BYTES = 32, 64
_PRIVATE_MODE = 0o600


def key_id(public: bytes) -> str:
    """The name of a key: the first 16 hex digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def id_of(key: Ed25519PublicKey) -> str:
    """The name of a loaded key."""
    return key_id(_raw(key))


def sign(manifest: bytes, keys: Sequence[Ed25519PrivateKey]) -> bytes:
    """The member ``manifest.sig``: a signature by each key, in the order of their ids."""
    records = []
    for key in keys:
        signature = base64.b64encode(key.sign(CONTEXT + manifest)).decode()
        records.append(SignatureRecord(id_of(key.public_key()), signature))
    unique = {record.key_id: record for record in records}
    return strict.dump(Signatures("ed25519", tuple(unique[name] for name in sorted(unique))))


def verify_signatures(manifest: bytes, member: bytes, trusted_keys: Sequence[str | Path | bytes]) -> str:
    """The id of the first trusted key that signed the manifest.

    Raises:
        BundleSignatureError: none of them did, or a signature under a trusted key's id is wrong.
        BundleFormatError: the member is not what FORMAT.md says.
        MissingDependencyError: the extra `signing` is not installed.
    """
    found = {record.key_id: record.signature for record in read_signatures(member).signatures}
    trusted = {id_of(key): key for key in map(load_public_key, trusted_keys)}
    known = [name for name in trusted if name in found]
    if not known:
        raise BundleSignatureError(
            f"signed by {', '.join(found) or 'nobody'}, trusted are {', '.join(trusted)}",
            hint="give the public key of whoever made it, or ask for a bundle signed by a trusted one",
        )
    _verify(trusted[known[0]], found[known[0]], manifest, known[0])
    return known[0]


def read_signatures(member: bytes) -> Signatures:
    """The member ``manifest.sig``.

    Raises:
        BundleFormatError: not in the form of FORMAT.md.
    """
    try:
        made = strict.read(Signatures, strict.load(member))
    except strict.StrictError as error:
        raise BundleFormatError(f"{SIGNATURES}: {error}") from error
    if not 0 < len(made.signatures) <= MAX_SIGNATURES:
        raise BundleFormatError(f"{SIGNATURES}: {len(made.signatures)} signatures, expected 1 to {MAX_SIGNATURES}")
    return made


def make_keys(path: Path, *, passphrase: bytes | None = None) -> tuple[Path, str]:
    """Makes a key pair: the private key at ``path`` (mode 0600), the public one beside it with the suffix ``.pub``.

    Args:
        path: a file that does not exist.
        passphrase: encrypts the private key; None leaves it readable to whoever can read the file.

    Returns:
        The path of the public key, and the key's id.

    Raises:
        BundleError: one of the files exists.
        OutputError: the folder cannot be written.
        MissingDependencyError: the extra `signing` is not installed.
    """
    public_path = path.parent / f"{path.name}.pub"
    for file in (path, public_path):
        if file.exists():
            raise BundleError(f"{file}: exists, and a key is never overwritten", hint="choose another name")
        check_writable(file)
    serialization, ed25519, _ = _library()
    key = ed25519.Ed25519PrivateKey.generate()
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(path, private, _PRIVATE_MODE)
    _write(public_path, public, None)
    return public_path, id_of(key.public_key())


def read_passphrase(path: Path | None) -> bytes | None:
    """The first line of a file, without its end; None for no file.

    Raises:
        BundleError: it cannot be read, or the line is empty.
    """
    if path is None:
        return None
    line = _read(path, "passphrase").split(b"\n")[0].rstrip(b"\r")
    if not line:
        raise BundleError(f"{path}: the first line is empty, expected a passphrase")
    return line


def load_private_key(path: str | Path, *, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """A private key from a PEM file.

    Raises:
        BundleError: absent, not an Ed25519 private key, or the passphrase is missing or wrong.
        MissingDependencyError: the extra `signing` is not installed.
    """
    serialization, ed25519, unsupported = _library()
    data = _read(path, "private key")
    try:
        key = serialization.load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, unsupported) as error:
        raise BundleError(
            f"{path}: not a readable private key: {_one_line(error)}",
            hint="`edge-sdk bundle keygen` makes one; an encrypted key needs --passphrase-file",
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BundleError(f"{path}: is a {type(key).__name__}, expected an Ed25519 private key")
    return key


def load_public_key(key: str | Path | bytes) -> Ed25519PublicKey:
    """A public key from a PEM file, or from its 32 raw bytes; errors as :func:`load_private_key`."""
    serialization, ed25519, unsupported = _library()
    if isinstance(key, bytes):
        if len(key) != _PUBLIC_BYTES:
            raise BundleError(f"a raw public key has {_PUBLIC_BYTES} bytes, got {len(key)}")
        raw: Ed25519PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(key)
        return raw
    data = _read(key, "public key")
    try:
        loaded = serialization.load_pem_public_key(data)
    except (ValueError, unsupported) as error:
        hint = "this is a private key: give the .pub file" if b"PRIVATE KEY" in data else "expected a PEM file"
        raise BundleError(f"{key}: not a readable public key", hint=hint) from error
    if not isinstance(loaded, ed25519.Ed25519PublicKey):
        raise BundleError(f"{key}: is a {type(loaded).__name__}, expected an Ed25519 public key")
    return loaded


def _verify(key: Ed25519PublicKey, signature: str, manifest: bytes, name: str) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        raw = base64.b64decode(signature, validate=True)
        if len(raw) != _SIGNATURE_BYTES:
            raise BundleFormatError(f"{SIGNATURES}: a signature has {_SIGNATURE_BYTES} bytes, got {len(raw)}")
        key.verify(raw, CONTEXT + manifest)
    except binascii.Error as error:
        raise BundleFormatError(f"{SIGNATURES}: not base64: {error}") from error
    except InvalidSignature as error:
        raise BundleSignatureError(
            f"the signature under key {name} is wrong: the manifest was changed after it was signed",
            hint="do not use this file; ask whoever made it for another",
        ) from error


def _raw(key: Ed25519PublicKey) -> bytes:
    raw: bytes = key.public_bytes_raw()
    return raw


def _read(path: str | Path, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: the {what} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes, mode: int | None) -> None:
    with replacing(path, mode=mode) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _library() -> tuple[Any, Any, Any]:
    """The modules for keys and their files, and what they raise for a kind of key that they do not know."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingDependencyError("cryptography", extra="signing", why="signing or verifying a bundle") from error
    return serialization, ed25519, UnsupportedAlgorithm


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
