"""Boards that cannot be prepared, and why: real shells over a real sshd, with Pythons made for the occasion."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edge_sdk import __version__
from edge_sdk.devices import Device, open_device
from edge_sdk.devices.interpreter import find_python
from edge_sdk.devices.prepare import prepare, prepared
from edge_sdk.errors import DeviceError, TargetError
from tests.devices.sshd import Server
from tests.devices.wheelhouse import make_wheel

ADDRESS = "ssh://board"


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo '{\"version\": [3, 9, 2]}'", "is Python 3.9.2, and edge-sdk needs 3.10 or later"),
        ("kill -ILL $$", "does not run: it died of SIGILL (an instruction that this CPU does not have)"),
        ("echo 'no such library' >&2; exit 1", "does not run: no such library"),
    ],
)
def test_a_python_that_will_not_do(server: Server, tmp_path: Path, text: str, message: str) -> None:
    program = script(tmp_path / "python3", text)
    with open_device(ADDRESS) as device, pytest.raises(TargetError) as caught:
        find_python(device, program)
    assert message in str(caught.value)
    assert "--python" in (caught.value.hint or "")


def test_no_python_there(server: Server) -> None:
    with (
        open_device(ADDRESS) as device,
        pytest.raises(DeviceError, match=r"there is no Python \(looked for nopython\)"),
    ):
        find_python(device, "nopython")


def test_a_python_that_will(server: Server) -> None:
    with open_device(ADDRESS) as device:
        found = find_python(device, sys.executable)
    assert found.version == sys.version_info[:3]
    assert found.libc is not None
    assert "numpy" in found.packages


def test_nothing_in_the_folder_fits(server: Server, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "ai_edge_litert-2.2.0-cp39-cp39-manylinux_2_27_x86_64.whl")
    needs = ('ai-edge-litert>=2.1; extra == "runtime"',)
    make_wheel(wheels, f"edge_sdk-{__version__}-py3-none-any.whl", requires=needs)
    bare = script(tmp_path / "bare", f'exec {sys.executable} -I -S "$@"')
    with open_device(ADDRESS) as device:
        with pytest.raises(TargetError, match=r"no engine in .* fits Python .*: ai_edge_litert-2.2.0-.* is for cp39"):
            prepare(device, python=bare, wheels=wheels, offline=True, engine="ai-edge-litert")
        with pytest.raises(DeviceError, match=r"nofolder: there is no such folder"):
            prepare(device, python=sys.executable, wheels=tmp_path / "nofolder", offline=True)
        with pytest.raises(DeviceError, match=r"there is no engine `tflite`"):
            prepare(device, python=sys.executable, wheels=wheels, offline=True, engine="tflite")


def record(device: Device, server: Server, **changes: object) -> None:
    data = {
        "program": "python3", "python": "Python 3.11", "folder": "/x", "engine": "ai-edge-litert 2.3.0",
        "wheels": [], "own": {}, "refused": [], "edge_sdk": __version__, **changes,
    }  # fmt: skip
    path = server.home / "edge-sdk/prepared.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data))


def test_what_lies_there(server: Server) -> None:
    with open_device(ADDRESS) as device:
        with pytest.raises(DeviceError, match=r"ssh://board is not prepared") as caught:
            prepared(device)
        assert caught.value.hint == "edge-sdk devices prepare ssh://board"
        record(device, server)
        assert prepared(device).command == ["python3", "/x"]
        record(device, server, edge_sdk="0.0.1")
        with pytest.raises(DeviceError, match=rf"was prepared with edge-sdk 0.0.1, and this is {__version__}"):
            prepared(device)
        record(device, server, surprise=1)
        with pytest.raises(DeviceError, match=r"prepared.json is damaged"):
            prepared(device)
