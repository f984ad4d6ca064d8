"""A board on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.progress import Silent
from tests.devices.phone import Phone, ready_phone
from tests.devices.sshd import SSHD, Relay, Server, running
from tests.graphs import conv_model
from tests.measure.simulated import Model, Simulation


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


@pytest.fixture
def home(server: Server) -> Path:
    """edge-sdk's folder on the board."""
    return server.home / "edge-sdk"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "a model.tflite"
    path.write_bytes(conv_model())
    return path


@pytest.fixture
def measured(tmp_path: Path) -> Benchmark:
    """What a board may have measured."""
    simulation = Simulation(tmp_path / "machine")
    plan = Plan("custom", 100, 0.5)
    return measure([Model(simulation, 5.0).subject()], plan, machine=simulation.machine(), progress=Silent())


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    return ready_phone(tmp_path / "phone", monkeypatch)
