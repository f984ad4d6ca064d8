"""What all tests of bundles share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_sdk.bundle.verifying import verify_bundle
from edge_sdk.errors import BundleError, EdgeSdkError
from tests.core.bundle.made import write


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of bundles are written here; none must survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    return write(tmp_path / "whole.edge").read_bytes()


def refused(path: Path, data: bytes, error: type[EdgeSdkError] = BundleError) -> str:
    """Verifies bytes, and gives the message of the error that must come."""
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        verify_bundle(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)
