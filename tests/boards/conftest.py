"""What all boards need once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boards.board import make_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """edge-sdk's, of this checkout."""
    return make_wheel(tmp_path_factory.mktemp("wheel"))
