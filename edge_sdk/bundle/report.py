"""What was put into a bundle, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sdk.bundle.manifest import Manifest
from edge_sdk.findings import Finding


@dataclass(frozen=True)
class BundleReport:
    """A bundle that was written.

    Attributes:
        path: the file.
        size_bytes: of the file.
        manifest: what it says of itself.
        signed_by: ids of the keys that signed it; empty for an unsigned one.
        findings: what a user should know.
    """

    path: Path
    size_bytes: int
    manifest: Manifest
    signed_by: tuple[str, ...]
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "bundle": str(self.path),
            "size_bytes": self.size_bytes,
            "signed_by": list(self.signed_by),
            "findings": [finding.as_json() for finding in self.findings],
            "manifest": self.manifest.as_json(),
        }


def bundle_report(path: Path, manifest: Manifest, keys: Sequence[Any], findings: Sequence[Finding]) -> BundleReport:
    """The report of a bundle that was just written with these private keys."""
    signed_by: tuple[str, ...] = ()
    if keys:
        from edge_sdk.bundle.signing import id_of

        signed_by = tuple(sorted({id_of(key.public_key()) for key in keys}))
    return BundleReport(path, path.stat().st_size, manifest, signed_by, tuple(dict.fromkeys(findings)))
