"""Models and delegates for sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_sdk.engines.delegates import DELEGATES
from tests.graphs import requantizing_model


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``fake(gpu="wrong", npu="absent")`` puts delegates of ``fakes.py`` in the place of real ones."""
    from tests.runtime import fakes

    def put(**names: str) -> None:
        for delegate, name in names.items():
            monkeypatch.setitem(DELEGATES, delegate, f"tests.runtime.fakes:{name}")

    yield put
    left = len(fakes.OPEN)
    fakes.OPEN.clear()
    assert left == 0, "a delegate was opened and never closed"


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    path = tmp_path / "q.tflite"
    path.write_bytes(requantizing_model())
    return path
