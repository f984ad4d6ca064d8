"""Delegates that are put in the place of real ones."""

from tests.runtime.conftest import fake

__all__ = ["fake"]
