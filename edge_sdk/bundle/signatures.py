"""The member ``manifest.sig`` as values."""

# Annotations are read by edge_sdk.bundle.strict and so are not postponed.
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SignatureRecord:
    """One signature, in base64, and the id of the key that made it."""

    key_id: str
    signature: str


@dataclass(frozen=True)
class Signatures:
    """All signatures of one manifest."""

    algorithm: Literal["ed25519"]
    signatures: tuple[SignatureRecord, ...]
