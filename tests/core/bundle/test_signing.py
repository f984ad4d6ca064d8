"""Ed25519: who signed it, which keys are trusted, and every way in which that can be wrong."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edge_sdk.bundle.manifest import MANIFEST, MANIFEST_HASH, SIGNATURES
from edge_sdk.bundle.reading import manifest_hash_line, open_bundle
from edge_sdk.bundle.signing import CONTEXT, load_private_key, load_public_key, make_keys, read_signatures
from edge_sdk.bundle.verifying import verify_bundle
from edge_sdk.errors import BundleError, BundleFormatError, BundleSignatureError
from tests.core.bundle.made import pack, unpack, write

pytestmark = pytest.mark.signing


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_keys(tmp_path / "maker.pem")
    return tmp_path / "maker.pem"


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Path:
    return write(tmp_path / "signed.edge", keys=[load_private_key(key)])


def public(key: Path) -> Path:
    return key.with_name(key.name + ".pub")


def test_a_trusted_key_verifies(signed: Path, key: Path) -> None:
    with open_bundle(signed, trusted_keys=[public(key)]) as bundle:
        assert bundle.trust == "verified"
        assert bundle.signed_by == read_signatures(bytes(unpack(signed.read_bytes())[SIGNATURES])).signatures[0].key_id
    raw = load_public_key(public(key)).public_bytes_raw()
    with open_bundle(signed, trusted_keys=[raw]) as bundle:
        assert bundle.trust == "verified"


def test_without_a_key_nothing_is_claimed(signed: Path) -> None:
    with open_bundle(signed) as bundle:
        assert (bundle.trust, bundle.signed_by) == ("signed, not checked", None)


def test_equal_inputs_make_equal_signatures(tmp_path: Path, signed: Path, key: Path) -> None:
    """Ed25519 draws no random number (RFC 8032)."""
    again = write(tmp_path / "again.edge", keys=[load_private_key(key)])
    assert again.read_bytes() == signed.read_bytes()


def test_another_key_is_refused(tmp_path: Path, signed: Path) -> None:
    make_keys(tmp_path / "other.pem")
    with pytest.raises(BundleSignatureError, match=r"signed by \w{16}, trusted are \w{16}"):
        open_bundle(signed, trusted_keys=[tmp_path / "other.pem.pub"])


def test_unsigned_is_refused_where_a_key_is_required(tmp_path: Path, key: Path) -> None:
    with pytest.raises(BundleSignatureError, match="unsigned"):
        open_bundle(write(tmp_path / "plain.edge"), trusted_keys=[public(key)])


def test_two_keys_for_the_time_between(tmp_path: Path, key: Path) -> None:
    make_keys(tmp_path / "next.pem")
    keys = [load_private_key(key), load_private_key(tmp_path / "next.pem")]
    path = write(tmp_path / "both.edge", keys=keys)
    for trusted in (public(key), tmp_path / "next.pem.pub"):
        with open_bundle(path, trusted_keys=[trusted]) as bundle:
            assert bundle.trust == "verified"


def test_a_changed_manifest_under_an_old_signature(signed: Path, key: Path) -> None:
    members = unpack(signed.read_bytes())
    raw = members[MANIFEST].replace(b'"digits"', b'"digitz"')
    signed.write_bytes(pack(members | {MANIFEST: raw, MANIFEST_HASH: manifest_hash_line(raw)}))
    open_bundle(signed).close()
    with pytest.raises(BundleSignatureError, match="changed after it was signed"):
        open_bundle(signed, trusted_keys=[public(key)])


def test_a_signature_for_something_else_does_not_count(signed: Path, key: Path) -> None:
    """The manifest's bytes alone, without the line that says what is signed."""
    members = unpack(signed.read_bytes())
    table = json.loads(members[SIGNATURES])
    bare = load_private_key(key).sign(members[MANIFEST])
    assert bare != load_private_key(key).sign(CONTEXT + members[MANIFEST])
    table["signatures"][0]["signature"] = base64.b64encode(bare).decode()
    signed.write_bytes(pack(members | {SIGNATURES: json.dumps(table).encode()}))
    with pytest.raises(BundleSignatureError):
        open_bundle(signed, trusted_keys=[public(key)])


def test_every_byte_of_a_signed_bundle_counts(tmp_path: Path, signed: Path, key: Path) -> None:
    """With a trusted key also those of the signature itself."""
    data = signed.read_bytes()
    begin = data.index(b'{\n "algorithm"')
    for place in range(begin, begin + len(unpack(data)[SIGNATURES])):
        changed = bytearray(data)
        changed[place] ^= 1
        (tmp_path / "x.edge").write_bytes(changed)
        with pytest.raises(BundleError):
            verify_bundle(tmp_path / "x.edge", trusted_keys=[public(key)])


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"{}",
        b'{"algorithm": "rsa", "signatures": []}',
        b'{"algorithm": "ed25519", "signatures": []}',
        json.dumps({"algorithm": "ed25519", "signatures": [{"key_id": "0", "signature": ""}] * 9}).encode(),
    ],
)
def test_signatures_that_are_none(signed: Path, key: Path, member: bytes) -> None:
    signed.write_bytes(pack(unpack(signed.read_bytes()) | {SIGNATURES: member}))
    with pytest.raises(BundleFormatError, match=SIGNATURES):
        open_bundle(signed, trusted_keys=[public(key)])


@pytest.mark.parametrize("signature", ["AAAA", "not base64", ""])
def test_signatures_of_another_size(signed: Path, key: Path, signature: str) -> None:
    members = unpack(signed.read_bytes())
    table = json.loads(members[SIGNATURES])
    table["signatures"][0]["signature"] = signature
    signed.write_bytes(pack(members | {SIGNATURES: json.dumps(table).encode()}))
    with pytest.raises(BundleFormatError, match=SIGNATURES):
        open_bundle(signed, trusted_keys=[public(key)])


def test_the_private_key_is_for_its_owner_alone(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(BundleError, match="never overwritten"):
        make_keys(key)


def test_an_encrypted_key(tmp_path: Path) -> None:
    make_keys(tmp_path / "k.pem", passphrase=b"open sesame")
    assert b"ENCRYPTED" in (tmp_path / "k.pem").read_bytes()
    assert load_private_key(tmp_path / "k.pem", passphrase=b"open sesame")
    for wrong in (None, b"sesame"):
        with pytest.raises(BundleError, match="not a readable private key"):
            load_private_key(tmp_path / "k.pem", passphrase=wrong)


def test_keys_that_are_none(tmp_path: Path, key: Path) -> None:
    with pytest.raises(BundleError, match="not a readable public key") as caught:
        load_public_key(key)
    assert "private key" in str(caught.value.hint)
    for path, data in ((tmp_path / "empty", b""), (tmp_path / "junk", b"-----BEGIN PUBLIC KEY-----\nxx\n")):
        path.write_bytes(data)
        with pytest.raises(BundleError):
            load_public_key(path)
        with pytest.raises(BundleError):
            load_private_key(path)
    with pytest.raises(BundleError, match="32 bytes, got 5"):
        load_public_key(b"short")
    with pytest.raises(BundleError, match="No such file"):
        load_public_key(tmp_path / "absent")


def test_keys_of_another_kind(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec

    other = ec.generate_private_key(ec.SECP256R1())
    private = other.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    (tmp_path / "ec.pem").write_bytes(private)
    public_bytes = other.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ec.pub").write_bytes(public_bytes)
    with pytest.raises(BundleError, match="expected an Ed25519 private key"):
        load_private_key(tmp_path / "ec.pem")
    with pytest.raises(BundleError, match="expected an Ed25519 public key"):
        load_public_key(tmp_path / "ec.pub")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the oracle")
def test_openssl_agrees(tmp_path: Path, signed: Path, key: Path) -> None:
    """Another implementation reads our keys and verifies our signature."""
    members = unpack(signed.read_bytes())
    (tmp_path / "message").write_bytes(CONTEXT + members[MANIFEST])
    encoded = json.loads(members[SIGNATURES])["signatures"][0]["signature"]
    (tmp_path / "signature").write_bytes(base64.b64decode(encoded))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public(key)), "-rawin"]
    done = subprocess.run(
        [*command, "-in", tmp_path / "message", "-sigfile", tmp_path / "signature"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_missing_library_names_the_extra(
    tmp_path: Path, signed: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from edge_sdk.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(MissingDependencyError, match="needs cryptography") as caught:
        open_bundle(signed, trusted_keys=[public(key)])
    assert caught.value.extra == "signing"
