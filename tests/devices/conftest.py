"""A board on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.sshd import SSHD, Relay, Server, running


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """``ssh://board``."""
    if SSHD is None:
        pytest.skip("apt install openssh-server")
    with running(tmp_path / "sshd") as found:
        monkeypatch.setenv("EDGE_SDK_SSH", found.ssh)
        yield found


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """Stands between ``ssh://board`` and us, and can be cut."""
    found = Relay(server.port)
    server.configure(found.port)
    yield found
    found.close()
