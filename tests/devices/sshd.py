"""A real sshd on the loopback, with keys, configuration and home of its own, and a relay that can be cut."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Server:
    """sshd, and the configuration of a client that may log in as ``ssh://board``."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self.folder = folder
        self.home = folder / "cache"
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        for key in ("host", "user", "stranger"):
            self.make_key(key)
        (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
        self.know(folder / "host.pub")
        self.configure(self.port)
        Path("/run/sshd").mkdir(exist_ok=True)
        more = " ".join(f"{name}={value}" for name, value in environment.items())
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
            f"PasswordAuthentication no\n"
            # A home of its own: what the user of this machine has in his .bashrc is no part of the board.
            f"SetEnv HOME={folder} XDG_CACHE_HOME={self.home} {more}\n"
        )
        command = [SSHD or "sshd", "-D", "-e", "-f", str(folder / "sshd_config")]
        self._log = (folder / "sshd.log").open("wb")
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        wait_for_port(self.port)

    def make_key(self, name: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)

    def know(self, *public: Path) -> None:
        """Makes these the host keys that the client knows, whatever the port."""
        lines = [f"board {' '.join(path.read_text().split()[:2])}\n" for path in public]
        (self.folder / "known_hosts").write_text("".join(lines))

    def configure(self, port: int, *, key: str = "user") -> None:
        """Writes the client's configuration."""
        (self.folder / "config").write_text(
            f"Host board board2\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.folder / key}\n  IdentitiesOnly yes\n  IdentityAgent none\n  HostKeyAlias board\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
            # The default one takes 80 ms more, for each of a hundred connections.
            "  StrictHostKeyChecking yes\n  KexAlgorithms curve25519-sha256\n"
        )

    @property
    def ssh(self) -> str:
        """For EDGE_SDK_SSH."""
        return f"ssh -F {self.folder}/config"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


class Relay:
    """A port that passes bytes on, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._left: int | None = None
        self._pause_s = 0.0
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut_after(self, sent: int) -> None:
        """Cuts all connections once so many bytes more have passed, either way."""
        self._left = sent

    def slow(self) -> None:
        """From now on some 3 MB in a second, each way."""
        self._pause_s = 0.005

    def cut(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for one in self._threads:
            one.join(timeout=10)
        for held in (self._listener, *self._sockets):
            held.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    self._start(self._pass_on, one, other)

    def _start(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        self._threads[-1].start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                time.sleep(self._pause_s)
                target.sendall(data)
                if self._left is not None:
                    self._left -= len(data)
                    if self._left <= 0:
                        self.cut()
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_port(port: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(folder: Path, *, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """A server, whose programs there get ``environment`` too."""
    server = Server(folder, environment)
    try:
        yield server
    finally:
        server.close()
