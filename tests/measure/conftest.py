"""Delegates that are put in the place of real ones."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.runtime.conftest import fake

__all__ = ["fake"]


@pytest.fixture(autouse=True, scope="package")
def _little_to_collect() -> Iterator[None]:
    """Each measurement collects garbage first: of its own, and not among the millions of objects of a test process."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
