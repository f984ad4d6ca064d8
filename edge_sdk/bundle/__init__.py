"""Bundles: one file that holds a model's variants and all a device needs to verify and use them. FORMAT.md has it."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase as GoldenCase
    from edge_sdk.bundle.manifest import Manifest as Manifest
    from edge_sdk.bundle.manifest import Variant as Variant
    from edge_sdk.bundle.reading import Bundle as Bundle
    from edge_sdk.bundle.reading import open_bundle as open_bundle

_PUBLIC = {
    "Bundle": "edge_sdk.bundle.reading:Bundle",
    "GoldenCase": "edge_sdk.bundle.golden:GoldenCase",
    "Manifest": "edge_sdk.bundle.manifest:Manifest",
    "Variant": "edge_sdk.bundle.manifest:Variant",
    "open_bundle": "edge_sdk.bundle.reading:open_bundle",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - names of strings


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module `edge_sdk.bundle` has no attribute `{name}`")
    return pkgutil.resolve_name(_PUBLIC[name])
