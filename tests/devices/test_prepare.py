"""Boards that cannot be prepared, and why: real shells over a real sshd, with Pythons made for the occasion."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from edge_sdk import __version__
from edge_sdk.cli import screen
from edge_sdk.devices import Device, open_device
from edge_sdk.devices.interpreter import find_python
from edge_sdk.devices.own_wheel import own_digest, own_wheel, wheel_digest
from edge_sdk.devices.prepare import prepare, prepared
from edge_sdk.errors import DeviceError, TargetError
from tests.devices.sshd import Server
from tests.devices.test_ssh import small_disk
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
    make_wheel(
        wheels, f"edge_sdk-{__version__}-py3-none-any.whl", requires=needs, files=members_of(own_wheel(tmp_path))
    )
    bare = script(tmp_path / "bare", f'exec {sys.executable} -I -S "$@"')
    with open_device(ADDRESS) as device:
        with pytest.raises(TargetError, match=r"no engine in .* fits Python .*: ai_edge_litert-2.2.0-.* is for cp39"):
            prepare(device, python=bare, wheels=wheels, offline=True, engine="ai-edge-litert")
        with pytest.raises(DeviceError, match=r"nofolder: there is no such folder"):
            prepare(device, python=sys.executable, wheels=tmp_path / "nofolder", offline=True)
        with pytest.raises(DeviceError, match=r"there is no engine `tflite`"):
            prepare(device, python=sys.executable, wheels=wheels, offline=True, engine="tflite")


def members_of(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def without_one_line(members: dict[str, bytes]) -> dict[str, bytes]:
    """What a checkout was before its last change."""
    name = "edge_sdk/cli/screen.py"
    return {**members, name: members[name].rpartition(b"\n\n")[0]}


def test_a_wheel_is_told_by_its_code_and_not_by_its_version_or_packing(tmp_path: Path) -> None:
    members = members_of(own_wheel(tmp_path))
    names = [name for name in members if not name.endswith(".md") and "android_demo" not in name]
    name = f"edge_sdk-{__version__}-py3-none-any.whl"
    for folder, files, same in (
        ("built", {one: members[one] for one in reversed(names)}, True),
        ("changed", without_one_line(members), False),
        ("renamed", {one.replace("screen", "scream"): content for one, content in members.items()}, False),
        ("data", {**members, "edge_sdk/device_profiles/new.toml": b""}, False),
    ):
        (tmp_path / folder).mkdir()
        assert (wheel_digest(make_wheel(tmp_path / folder, name, files=files)) == own_digest()) is same, folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with an engine; what else is needed is installed in this Python."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "ai_edge_litert-2.3.0-py3-none-any.whl")
    return folder


@pytest.fixture
def engine_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine takes seconds to start, and is not what is looked at."""
    monkeypatch.setattr("edge_sdk.devices.prepare._engine", lambda *_: "ai-edge-litert 2.3.0")


def test_changed_code_of_the_same_version_is_not_run_and_is_replaced(
    server: Server, tmp_path: Path, wheels: Path, engine_that_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout of yesterday lies on the board and in the folder of wheels; both carry today's version."""
    name = f"edge_sdk-{__version__}-py3-none-any.whl"
    stale = make_wheel(wheels, name, files=without_one_line(members_of(own_wheel(tmp_path))))
    with open_device(ADDRESS) as device:
        with monkeypatch.context() as yesterday:
            yesterday.setattr("edge_sdk.devices.prepare.own_digest", lambda: wheel_digest(stale))
            before = prepare(device, python=sys.executable, wheels=wheels, offline=True)
            assert prepared(device) == before
        with pytest.raises(
            DeviceError, match=rf"prepared with edge-sdk {__version__} .*, of other code than"
        ) as caught:
            prepared(device)
        assert caught.value.hint == "edge-sdk devices prepare ssh://board"
        after = prepare(device, python=sys.executable, wheels=wheels, offline=True)
        assert after.refused[0] == f"{name}: is not the code that runs here, of which a wheel was made"
        assert prepared(device) == after
        # The same again copies nothing: the folder is named by what is in it.
        assert prepare(device, python=sys.executable, wheels=wheels, offline=True) == after
    (folder,) = (server.home / "edge-sdk").glob("edge-sdk-*")
    assert str(folder) == after.folder != before.folder
    assert (folder / "edge_sdk/cli/screen.py").read_bytes() == Path(screen.__file__).read_bytes()


def test_wheels_that_were_cut_off_are_passed_over(
    server: Server, tmp_path: Path, wheels: Path, engine_that_runs: None
) -> None:
    """As an interrupted download leaves them."""
    cut = []
    for name in (
        own_wheel(tmp_path).name,
        "tflite_runtime-2.14.0-py3-none-any.whl",
        "ai_edge_litert-2.3.1-py3-none-any.whl",
    ):
        (wheels / name).write_bytes(own_wheel(tmp_path).read_bytes()[:5000])
        cut.append(name)
    with open_device(ADDRESS) as device:
        found = prepare(device, python=sys.executable, wheels=wheels, offline=True)
        assert found.refused == (
            f"{cut[0]}: is not the code that runs here, of which a wheel was made",
            f"{cut[2]}: is not a whole file",
        )
        with pytest.raises(TargetError, match=r"tflite_runtime-.*: is not a whole file"):
            prepare(device, python=sys.executable, wheels=wheels, offline=True, engine="tflite-runtime")


@pytest.mark.parametrize("broken", ["cp ", "mv -f "])
def test_a_record_that_cannot_be_written_is_told(
    server: Server, tmp_path: Path, engine_that_runs: None, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "ai_edge_litert-2.3.0-py3-none-any.whl")
    whole = Device.do

    def full(device: Device, line: str) -> None:
        whole(
            device, line.replace(broken, "echo No space left on device >&2; false ") if "whole.json" in line else line
        )

    monkeypatch.setattr(Device, "do", full)
    with open_device(ADDRESS) as device:
        with pytest.raises(DeviceError, match=r"ssh://board: No space left on device"):
            prepare(device, python=sys.executable, wheels=wheels, offline=True)
        with pytest.raises(DeviceError, match=r"is not prepared"):
            prepared(device)


@pytest.mark.parametrize(
    ("doctor", "message", "limit"),
    [
        ("kill -ILL $$", r"the engine does not run there: it died of SIGILL .* the CPU lists: ", "cpu"),
        ("""echo '{"engine": null, "engine_problem": "no such symbol"}'; exit""", "does not load there: no such", None),
        ("echo no room >&2; exit 1", "edge-sdk does not start there: no room", None),
    ],
    ids=["CPU lacks an instruction", "does not load", "does not start"],
)
def test_an_engine_that_does_not_run_there(
    server: Server, tmp_path: Path, wheels: Path, doctor: str, message: str, limit: str | None
) -> None:
    python = script(tmp_path / "python3", f'case "$*" in *doctor*) {doctor};; esac; exec {sys.executable} "$@"')
    with open_device(ADDRESS) as device:
        with pytest.raises((TargetError, DeviceError), match=message) as caught:
            prepare(device, python=python, wheels=wheels, offline=True)
        assert getattr(caught.value, "limit", None) == limit
        with pytest.raises(DeviceError, match=r"is not prepared"):
            prepared(device)


def test_a_disk_on_which_wheels_cannot_be_unpacked(
    server: Server, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The wheel goes there, and what is in it does not.
    size = own_wheel(wheels).stat().st_size + (2 << 20)
    with small_disk(server.home, str(size)), open_device(ADDRESS) as device:
        with pytest.raises(TargetError, match=r"no room for 2 wheels .* unpacked; \d.\d MiB free") as told:
            prepare(device, python=sys.executable, wheels=wheels, offline=True)
        assert (told.value.needed or 0) > (told.value.available or 0)
        # Where something else fills it meanwhile.
        monkeypatch.setattr("edge_sdk.devices.prepare._room", lambda *_: "")
        with pytest.raises(TargetError, match=r"no room to unpack the wheels: \d.\d MiB free") as caught:
            prepare(device, python=sys.executable, wheels=wheels, offline=True)
        assert caught.value.limit == "storage"
        device.close()
        assert not list(server.home.iterdir())


def record(device: Device, server: Server, **changes: object) -> None:
    data = {
        "program": "python3", "python": "Python 3.11", "folder": "/x", "engine": "ai-edge-litert 2.3.0",
        "wheels": [], "own": {}, "refused": [], "edge_sdk": __version__, "edge_sdk_sha256": own_digest(),
        **changes,
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
        record(device, server, edge_sdk="0.0.1", edge_sdk_sha256="beef" * 16)
        with pytest.raises(DeviceError, match=rf"edge-sdk 0.0.1 \(sha256 beefbeefbeef\), and this is {__version__}"):
            prepared(device)
        record(device, server, surprise=1)
        with pytest.raises(DeviceError, match=r"prepared.json is damaged"):
            prepared(device)
