"""This machine, reached as any other device is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.devices import open_device
from edge_sdk.errors import DeviceError
from tests.devices.contract import check_device


def test_this_machine_does_what_every_device_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    with open_device("local") as device:
        check_device(device, tmp_path)
    assert not list((tmp_path / "cache").iterdir())


def test_it_has_no_name() -> None:
    with pytest.raises(DeviceError, match=r"local takes no name, and `there` was given"):
        open_device("local://there")
