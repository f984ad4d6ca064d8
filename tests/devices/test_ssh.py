"""Boards over ssh: a real sshd on the loopback, and all that goes wrong with one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_sdk.devices import open_device
from edge_sdk.devices.ssh import _parts
from edge_sdk.errors import DeviceError, DeviceLostError, TargetError
from tests.devices.contract import check_device
from tests.devices.sshd import Relay, Server, free_port

ADDRESS = "ssh://board"


def left(server: Server) -> list[Path]:
    return [path for path in server.home.rglob("*") if path.is_file() or path.is_symlink()]


def runs(words: str) -> bool:
    return subprocess.run(["pgrep", "-f", words], check=False, capture_output=True).returncode == 0


def eventually(true_of: object, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not true_of():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def test_a_board_does_what_every_device_does(server: Server, tmp_path: Path) -> None:
    with open_device(ADDRESS) as device:
        assert device.link.home == f"{server.home}/edge-sdk"
        check_device(device, tmp_path)
    assert left(server) == []


def test_what_was_there_before_stays(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"weights")
    with open_device(ADDRESS) as device:
        device.keep = True
        device.push(path)
    with open_device(ADDRESS) as device:
        device.push(path)
    assert [one.read_bytes() for one in left(server)] == [b"weights"]


def test_what_another_session_takes_away_is_still_there(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"weights")
    with open_device(ADDRESS) as second, open_device(ADDRESS) as first, second.job() as job:
        first.push(path)
        placed = job.place(path)
        first.close()
        assert not (server.home / "edge-sdk/files").exists() or not list((server.home / "edge-sdk/files").iterdir())
        assert job.run(["cat", placed]).stdout == b"weights"
    assert left(server) == []


@pytest.mark.parametrize("home", ["", "cache/edge-sdk", "/edge-sdk", "/root", "/root\n/edge-sdk"])
def test_a_home_that_is_none(home: str) -> None:
    """Files are removed below it."""
    with pytest.raises(DeviceError, match=r"local: its HOME is no absolute path"):
        open_device("local").link.as_home(home)


@pytest.mark.parametrize(
    ("address", "message", "hint"),
    [
        ("ssh://no-such-host.invalid", "there is no host of this name", "IP address"),
        ("ssh://-oProxyCommand=touch", "expected ssh://user@host:port", "pi@"),
        ("ssh://", "expected ssh://user@host:port", "pi@"),
        ("ssh://board/folder", "expected ssh://user@host:port", "pi@"),
        ("ssh://board:99999", "Port out of range", "ssh://user@host:port"),
        ("sssh://board", "did you mean `ssh`?", "adb://SERIAL"),
        ("board", "is no address of a device", "adb://SERIAL"),
    ],
)
def test_unreachable_addresses(server: Server, address: str, message: str, hint: str) -> None:
    with pytest.raises(DeviceError) as caught:
        open_device(address)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("pi@host:2222", ("pi@host", "2222")),
        ("host", ("host", "")),
        ("pi@[fe80::1%25eth0]:22", ("pi@fe80::1%25eth0", "22")),
        ("Alias_2", ("Alias_2", "")),
    ],
)
def test_addresses(address: str, parts: tuple[str, str]) -> None:
    assert _parts(address) == parts


def test_a_port_where_nothing_listens(server: Server) -> None:
    with pytest.raises(DeviceError, match=r"nothing listens on that port .*Connection refused"):
        open_device(f"{ADDRESS}:{free_port()}")


def test_a_key_that_is_not_accepted(server: Server) -> None:
    server.configure(server.port, key="stranger")
    with pytest.raises(DeviceError, match=r"it accepts none of your keys .*Permission denied \(publickey") as caught:
        open_device(ADDRESS)
    assert "ssh-copy-id board" in (caught.value.hint or "")


def test_a_host_key_that_changed(server: Server) -> None:
    server.know(server.folder / "stranger.pub")
    with pytest.raises(DeviceError, match=r"the host key is not the one that is known") as caught:
        open_device(ADDRESS)
    assert "ssh-keygen -R board" in (caught.value.hint or "")


def test_a_host_key_that_is_not_known(server: Server) -> None:
    server.know()
    with pytest.raises(DeviceError, match=r"its host key is not known yet") as caught:
        open_device(ADDRESS)
    assert "ssh board" in (caught.value.hint or "")


def test_no_ssh_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SDK_SSH", "no-such-ssh")
    with pytest.raises(DeviceError, match=r"no-such-ssh does not start: No such file") as caught:
        open_device(ADDRESS)
    assert "EDGE_SDK_SSH" in (caught.value.hint or "")


def test_a_link_cut_while_pushing(server: Server, relay: Relay, tmp_path: Path) -> None:
    """The device itself removes what came, and what came before it."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(8 << 20))
    (tmp_path / "data").write_text("x")
    with open_device(ADDRESS) as device, device.job() as job:
        job.place(tmp_path / "data")
        relay.cut_after(3 << 20)
        with pytest.raises(DeviceLostError, match=r"the link was lost while large.bin was sent"):
            job.place(path)
    assert eventually(lambda: not left(server)), left(server)
    assert eventually(lambda: not list((server.home / "edge-sdk/jobs").iterdir()))


def test_a_link_cut_while_pulling_leaves_nothing(server: Server, relay: Relay, tmp_path: Path) -> None:
    path, target = tmp_path / "large.bin", tmp_path / "back.bin"
    path.write_bytes(os.urandom(8 << 20))
    target.write_text("as before")
    with open_device(ADDRESS) as device:
        pushed = device.push(path)
        relay.cut_after(3 << 20)
        with pytest.raises(DeviceLostError, match=r"the link was lost while .* was fetched"):
            device.pull(pushed, target)
    assert target.read_text() == "as before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["back.bin", "large.bin", "sshd"]


def test_a_link_cut_while_running_ends_the_program_there(server: Server, relay: Relay, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with open_device(ADDRESS) as device, device.job() as job:
        job.place(tmp_path / "data")
        with pytest.raises(DeviceLostError, match=r"the link was lost"):
            job.run(["sh", "-c", "echo half a result; echo >&2; sleep 300.0625"], lines=lambda _: relay.cut())
    assert eventually(lambda: not left(server)), left(server)
    assert eventually(lambda: not runs("sleep 300.0625"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_an_end_of_ours_is_the_end_there(server: Server, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "data").write_text("x")
    script = (
        "import sys; from pathlib import Path; from edge_sdk.devices import open_device\n"
        f"with open_device({ADDRESS!r}) as device, device.job() as job:\n"
        f"    job.place(Path({str(tmp_path / 'data')!r}))\n"
        "    job.run(['sh', '-c', 'echo started >&2; sleep 300.125'], lines=lambda line: print(line, flush=True))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"started\n"
    assert left(server)
    child.send_signal(number)
    child.communicate(timeout=30)
    assert eventually(lambda: not left(server)), left(server)
    assert eventually(lambda: not runs("sleep 300.125"))
    assert eventually(lambda: not runs(f"ssh -F {server.folder}")), "a connection was left open"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_an_end_of_ours_in_the_middle_of_a_push(
    server: Server, relay: Relay, tmp_path: Path, number: signal.Signals
) -> None:
    """Sent to the whole group, as a terminal sends Ctrl-C: ssh gets it, too."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(8 << 20))
    (tmp_path / "data").write_text("x")
    script = (
        "from pathlib import Path; from edge_sdk.devices import open_device\n"
        f"with open_device({ADDRESS!r}) as device, device.job() as job:\n"
        f"    job.place(Path({str(tmp_path / 'data')!r})); print(flush=True); input()\n"
        f"    job.place(Path({str(path)!r}))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    relay.slow()
    child.stdin.write(b"\n")
    child.stdin.flush()
    assert eventually(lambda: any(one.suffix == ".part" and one.stat().st_size > 1 << 19 for one in left(server)))
    os.killpg(child.pid, number)
    child.communicate(timeout=30)
    # On Ctrl-C all is clean before the command ends; else the device sees to it.
    assert eventually(lambda: not left(server), 0 if number == signal.SIGINT else 15), left(server)
    assert eventually(lambda: not runs(f"ssh -F {server.folder}")), "a connection was left open"


def test_a_shell_that_prints_is_told(server: Server) -> None:
    """What it printed would be taken for the start of every answer."""
    for name in (".bashrc", ".zshenv"):
        (server.folder / name).write_text("echo Welcome to the lab; echo 'be kind'\n")
    with pytest.raises(DeviceError, match=r"its shell prints before each command: \['Welcome to the lab'\]") as caught:
        open_device(ADDRESS)
    assert ".bashrc" in (caught.value.hint or "")


def test_time_that_is_over(server: Server) -> None:
    with open_device(ADDRESS) as device, device.job() as job:
        with pytest.raises(DeviceError, match=r"no answer within 0.5 s"):
            job.run(["sleep", "300.25"], timeout_s=0.5)
        assert eventually(lambda: not left(server))
    assert eventually(lambda: not runs("sleep 300.25"))


def test_a_file_that_is_not_there(server: Server, tmp_path: Path) -> None:
    with open_device(ADDRESS) as device, pytest.raises(DeviceError, match=r"there is no file /nonesuch"):
        device.pull("/nonesuch", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_disk_that_is_too_small(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(2 << 20))
    with small_disk(server.home, "1m"), open_device(ADDRESS) as device:
        with pytest.raises(TargetError, match=r"no room for large.bin: 2.0 MiB needed, 1.0 MiB free") as caught:
            device.push(path)
        assert caught.value.limit == "storage"
        assert left(server) == []


def test_a_disk_that_fills_meanwhile(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(2 << 20))
    monkeypatch.setattr("edge_sdk.devices.device.Device._see_room", lambda *_: None)
    with small_disk(server.home, "1m"), open_device(ADDRESS) as device:
        with pytest.raises(TargetError, match=r"no room for large.bin"):
            device.push(path)
        assert left(server) == []


class small_disk:  # noqa: N801 - reads as a statement
    def __init__(self, folder: Path, size: str) -> None:
        self._folder, self._size = folder, size

    def __enter__(self) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self._folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting a small disk needs root")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)
