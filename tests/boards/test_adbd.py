"""Android's real adb daemon: what a phone does, and what happens when it goes away in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge_sdk.devices import open_device
from edge_sdk.errors import DeviceError, DeviceLostError, TargetError
from tests.boards.adbd import SERIAL, Phone, adbd_is_made
from tests.devices.contract import check_device
from tests.devices.test_ssh import eventually, runs, small_disk

pytestmark = [
    pytest.mark.boards,
    pytest.mark.skipif(
        not (find_spec("openvino") and adbd_is_made() and os.geteuid() == 0),
        reason="make test-boards sets up adbd, and needs root for namespaces",
    ),
]
ADDRESS = f"adb://{SERIAL}"


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    found = Phone(tmp_path / "phone")
    monkeypatch.setenv("PATH", f"{found.bin}:{os.environ['PATH']}")
    yield found
    found.close()


def files(phone: Phone) -> list[Path]:
    return [path for path in phone.data.rglob("*") if path.is_file() or path.is_symlink()]


def soon(act: Callable[[], object], when: Callable[[], bool]) -> None:
    """Acts once a condition holds, in a thread."""

    def wait() -> None:
        while not when():
            time.sleep(0.005)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_a_phone_does_what_every_device_does(phone: Phone, tmp_path: Path) -> None:
    with open_device("adb://") as device:
        assert device.address == ADDRESS
        identity = device.identify()
        assert (identity.platform, identity.model, identity.system) == (
            "android",
            "Google Pixel 8",
            "Android 14 (API 34)",
        )
        check_device(device, tmp_path)
    assert files(phone) == []


def test_a_serial_that_adb_does_not_know(phone: Phone) -> None:
    with pytest.raises(DeviceError, match=rf"adb knows no device `nope`; it lists: {SERIAL} \(device\)"):
        open_device("adb://nope")


def test_a_daemon_that_dies_while_running_is_not_a_short_result(phone: Phone) -> None:
    """adb itself exits with 0 then: this is what the last line is for."""
    with open_device(ADDRESS) as device:
        soon(phone.die, lambda: runs("^sleep 300.5$"))
        with pytest.raises(DeviceLostError, match=r"the link was lost"), device.job() as job:
            job.run(["sh", "-c", "echo half a result; sleep 300.5"])


def test_adb_itself_says_that_all_is_well(phone: Phone) -> None:
    """What is guarded against is real."""
    command = [str(phone.bin / "adb"), "-s", SERIAL, "shell", "-T", "echo half; sleep 300.75"]
    # Not adb's own command line, in which these words stand, too.
    soon(phone.die, lambda: runs("^sleep 300.75$"))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (0, b"half\n")


def test_a_daemon_that_dies_while_pulling_leaves_nothing(phone: Phone, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(150 << 20))
    target = tmp_path / "back" / "back.bin"
    target.parent.mkdir()
    with open_device(ADDRESS) as device:
        pushed = device.push(tmp_path / "large.bin")
        soon(phone.die, lambda: any(one.stat().st_size > 1 << 20 for one in target.parent.iterdir()))
        with pytest.raises(DeviceLostError, match=r"the link was lost"):
            device.pull(pushed, target)
    assert list(target.parent.iterdir()) == []


def test_a_daemon_that_dies_while_pushing(phone: Phone, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(150 << 20))
    with open_device(ADDRESS) as device:
        soon(phone.die, lambda: any(one.suffix == ".part" for one in files(phone)))
        with pytest.raises(DeviceLostError, match=r"the link was lost while large.bin was pushed"):
            device.push(tmp_path / "large.bin")


def test_time_that_is_over_is_over_there_too(phone: Phone) -> None:
    with open_device(ADDRESS) as device, device.job() as job:
        with pytest.raises(DeviceError, match=r"no answer within 0.5 s"):
            job.run(["sleep", "301.25"], timeout_s=0.5)
        assert eventually(lambda: not runs("sleep 301.25"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_an_end_of_ours_is_the_end_there(phone: Phone, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "data").write_text("x")
    script = (
        "from pathlib import Path; from edge_sdk.devices import open_device\n"
        f"with open_device({ADDRESS!r}) as device, device.job() as job:\n"
        f"    job.place(Path({str(tmp_path / 'data')!r}))\n"
        "    job.run(['sleep', '301.5'])\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, start_new_session=True)
    assert eventually(lambda: runs("^sleep 301.5$"))
    assert files(phone)
    os.killpg(child.pid, number)
    child.communicate(timeout=30)
    assert eventually(lambda: not files(phone)), files(phone)
    assert eventually(lambda: not runs("^sleep 301.5$"))


def test_a_disk_that_fills_meanwhile(phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(2 << 20))
    monkeypatch.setattr("edge_sdk.devices.device.Device._see_room", lambda *_: None)
    phone.die()
    with small_disk(phone.data, "1m"):
        (phone.data / "local/tmp").mkdir(parents=True)
        phone.start()
        with open_device(ADDRESS) as device, pytest.raises(TargetError, match=r"no room for large.bin: 2.0 MiB needed"):
            device.push(path)
        phone.die()
