"""What all tests of bundles share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of bundles are written here; none must survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
