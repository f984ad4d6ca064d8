"""Android's own adb daemon, as Debian builds it, in namespaces of its own.

It listens on all interfaces and asks nobody for a key: so it gets a network namespace that holds a loopback and nothing
else, and a mount namespace with a /data. adb, run inside that network, reaches it; nothing else can.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from tests.boards.board import BACKPORTS, HOME
from tests.boards.debian import unpack

_FOLDER = HOME / "adbd"
_LIBRARIES = ("android-libbase", "android-libboringssl", "android-libcutils", "android-liblog")
# This machine's own: a process has one C library.
_OWN = ("libc6", "libgcc-s1", "libstdc++6", "gcc-12-base")
_PORT = 15555
SERIAL = f"127.0.0.1:{_PORT}"
_PROPERTIES = {
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Pixel 8",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.soc.manufacturer": "Google",
    "ro.soc.model": "Tensor G3",
}


def make_adbd() -> Path:
    """Fetches adbd into ``.boards/adbd``, once."""
    if adbd_is_made():
        return _FOLDER
    shutil.rmtree(_FOLDER, ignore_errors=True)
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    packages = [f"{name}/{BACKPORTS}" for name in ("adbd", *_LIBRARIES)]
    unpack(_FOLDER / "root", (*packages, "libprotobuf32"), arch=arch, suites=("bookworm", BACKPORTS), without=_OWN)
    (_FOLDER / "made").touch()
    return _FOLDER


def adbd_is_made() -> bool:
    """Whether ``python -m tests.boards adbd`` was run."""
    return (_FOLDER / "made").exists()


class Phone:
    """A daemon, and an ``adb`` that reaches it.

    Args:
        folder: gets ``data/local/tmp`` (the daemon sees ``data`` as ``/data``, its ``media`` as ``/sdcard``), and
            programs: ``bin/adb``, and the phone's, such as ``getprop``.
    """

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        (self.data / "local/tmp").mkdir(parents=True)
        self.bin = folder / "bin"
        self._there = folder / "there"
        for made in (self.bin, self._there, folder / "home"):
            made.mkdir()
        lines = "".join(f"[{name}]: [{value}]\n" for name, value in _PROPERTIES.items())
        self.program("getprop", f"cat <<'END'\n{lines}END")
        self._folder = folder
        # Holds the network, so that it outlives the daemon.
        self._network = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
        # Until then it is in this machine's network, where the daemon must never listen.
        ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{self._network.pid}/ns/net")
        while theirs.readlink() == ours.readlink():
            time.sleep(0.01)
        inside = f"exec nsenter --target {self._network.pid} --net --"
        # Debian's daemon announces abb_exec, by which adb would stream an APK, and has no such service.
        pushes = 'for word; do shift; set -- "$@" "$word"; [ "$word" != install ] || set -- "$@" --no-streaming; done'
        _script(self.bin / "adb", f'export HOME={folder}/home\n{pushes}\n{inside} {shutil.which("adb")} "$@"')
        self.start()

    def start(self) -> None:
        libraries = _FOLDER / f"root/usr/lib/{platform.machine()}-linux-gnu"
        daemon = _FOLDER / "root/usr/lib/android-sdk/platform-tools/adbd"
        mounts = f"mount --bind {self.data} /data; mkdir -p /data/media; mount --bind /data/media /sdcard"
        inner = f"ip link set lo up 2>/dev/null || true; {mounts}; exec {daemon}"
        environment = {
            **os.environ,
            "ADBD_PORT": str(_PORT),
            "LD_LIBRARY_PATH": f"{libraries}:{libraries}/android",
            "PATH": f"{self._there}:{os.environ['PATH']}",
        }
        for place in ("/data", "/sdcard"):
            Path(place).mkdir(exist_ok=True)
        with (self._folder / "adbd.log").open("ab") as log:
            self._daemon = self._started(inner, environment, log)
        self._connect()

    def _started(self, inner: str, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["nsenter", "--target", str(self._network.pid), "--net", "--", "unshare", "--mount", "sh", "-c", inner],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def program(self, name: str, text: str) -> None:
        """A shell script among the phone's programs."""
        _script(self._there / name, text)

    def adb(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.bin / "adb"), *arguments], capture_output=True, text=True, check=False, timeout=30
        )
        return done.stdout + done.stderr

    def die(self) -> None:
        """The daemon and all that it runs end, as when a battery does; adb's server stays."""
        # What stands still starts nothing: no process is born between the list and the kill.
        stopped: set[int] = set()
        while new := self._processes() - stopped:
            _send(signal.SIGSTOP, new)
            stopped |= new
        _send(signal.SIGKILL, stopped)
        self._daemon.wait()

    def _processes(self) -> set[int]:
        command = ["pgrep", "--ns", str(self._daemon.pid), "--nslist", "mnt"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return set(map(int, found.stdout.split()))

    def close(self) -> None:
        """All of it ends."""
        self.adb("kill-server")
        if self._daemon.poll() is None:
            self.die()
        self._network.kill()
        self._network.wait()

    def _connect(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            self.adb("connect", SERIAL)
            if f"{SERIAL}\tdevice" in self.adb("devices"):
                return
            time.sleep(0.2)
        raise AssertionError(f"adbd did not come: {(self._folder / 'adbd.log').read_text()}")


def _send(sent: signal.Signals, processes: set[int]) -> None:
    for process in processes:
        # Some of them end by themselves meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, sent)


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
