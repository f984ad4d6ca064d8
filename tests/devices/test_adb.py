"""adb's words for devices that are not ready, told by a script in its place: no real phone can be made to say them all.

A real daemon is in ``tests/boards/test_adbd.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sdk.devices import open_device
from edge_sdk.devices.adb import Adb, listed
from edge_sdk.errors import DeviceError, DeviceLostError

Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """An ``adb`` that lists these devices; other commands run ``then``."""

    def make(*devices: str, then: str = "exit 1") -> Path:
        path = tmp_path / "bin" / "adb"
        path.parent.mkdir(exist_ok=True)
        lines = "\n".join(devices)
        path.write_text(
            '#!/bin/sh\nif [ "$1" = devices ]; then /bin/cat <<END\n'
            f"List of devices attached\n{lines}\n\nEND\nexit\nfi\n{then}\n"
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
        return path

    for variable in ("ANDROID_SERIAL", "ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    return make


READY = "R58N30ABCDE            device usb:1-1 product:x model:SM_A525F device:a52q transport_id:3"


def test_the_only_device_needs_no_serial(fake: Fake) -> None:
    found = listed(str(fake(READY)))
    assert (found[0].serial, found[0].state, found[0].about["model"]) == ("R58N30ABCDE", "device", "SM_A525F")
    assert Adb().address == "adb://R58N30ABCDE"


def test_two_devices_and_no_serial(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(READY, "emulator-5554          offline transport_id:4")
    with pytest.raises(DeviceError, match=r"adb lists 2 devices: R58N30ABCDE \(device\), emulator-5554") as caught:
        open_device("adb://")
    assert "adb://R58N30ABCDE" in (caught.value.hint or "")
    monkeypatch.setenv("ANDROID_SERIAL", "R58N30ABCDE")
    assert Adb().serial == "R58N30ABCDE"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("S1  unauthorized usb:1-1 transport_id:1", "adb://S1 has not authorised this computer", "allow USB debugging"),
        ("S1  offline transport_id:1", "adb://S1 is offline", "adb reconnect"),
        ("S1  no permissions (user not in plugdev group); see [http://x] usb:1-1", "may not be opened", "udev rules"),
        ("S1  bootloader usb:1-1", "is in its bootloader", "fastboot reboot"),
        ("S1  strange", "is in state `strange`", "adb devices -l"),
    ],
)
def test_devices_that_are_not_ready(fake: Fake, line: str, message: str, hint: str) -> None:
    fake(line)
    with pytest.raises(DeviceError) as caught:
        open_device("adb://S1")
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_no_device(fake: Fake) -> None:
    fake()
    with pytest.raises(DeviceError, match=r"adb lists no device"):
        open_device("adb://")


def test_no_adb(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"adb is not there") as caught:
        open_device("adb://")
    assert "platform-tools" in (caught.value.hint or "")


def test_adb_of_an_sdk(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake(READY)
    (tmp_path / "sdk").mkdir()
    made.parent.rename(tmp_path / "sdk/platform-tools")
    monkeypatch.setenv("PATH", "/usr/bin-of-nobody")
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    assert Adb().serial == "R58N30ABCDE"


def test_a_shell_that_ends_without_its_last_line_is_lost(fake: Fake) -> None:
    fake(READY, then="echo half a result; exit 0")
    with Adb() as link, pytest.raises(DeviceLostError, match=r"adb ended with status 0, the device said no end"):
        link.shell("echo half a result; sleep 1")


def test_words_in_the_middle(fake: Fake) -> None:
    fake(READY, then="echo 'error: device offline' >&2; exit 1")
    with Adb() as link:
        with pytest.raises(DeviceError, match=r"adb://R58N30ABCDE is offline"):
            link.shell("true")
        with pytest.raises(DeviceError, match=r"is offline"):
            link.run_adb("install", "x.apk")


def test_adb_that_cannot_start_its_server(fake: Fake) -> None:
    path = fake()
    path.write_text(
        "#!/bin/sh\necho '* failed to start daemon' >&2\necho 'error: cannot connect to daemon' >&2\nexit 1\n"
    )
    with pytest.raises(DeviceError, match=r"adb devices failed: error: cannot connect to daemon"):
        open_device("adb://")
