"""Linux boards over the user's own OpenSSH: their configuration, keys, agent, known hosts and jump hosts.

One connection is opened, in which the user may be asked for a passphrase, and all else goes through it (ssh's
``ControlMaster``). ``EDGE_SDK_SSH`` names another program or adds options: ``EDGE_SDK_SSH="ssh -F board.conf"``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge_sdk.devices.link import Finished, Link
from edge_sdk.errors import DeviceError
from edge_sdk.folders import make_folder

# With these a silent link is given up after 30 s.
_ALIVE: Final = ("-oConnectTimeout=20", "-oServerAliveInterval=10", "-oServerAliveCountMax=3")
_HOME: Final = "edge-sdk-home="
# Exit status of a copy that ended early.
_CUT: Final = 9
# OpenSSH's own words, and what to do. The first that is found counts: a changed key is followed by a general line.
_CAUSES: Final = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host key is not the one that is known",
        "someone may be listening, or the board was set up anew: compare its key, then `ssh-keygen -R {host}`",
    ),
    ("Host key verification failed", "its host key is not known yet", "connect once with `ssh {host}` and compare it"),
    ("Could not resolve hostname", "there is no host of this name", "see the address, or give its IP address"),
    ("Connection refused", "nothing listens on that port", "see that sshd runs there, and the port: ssh://{host}:PORT"),
    ("Permission denied", "it accepts none of your keys", "try `ssh {host}`; `ssh-copy-id {host}` installs your key"),
    ("Too many authentication failures", "it refused your keys", "name one in ~/.ssh/config: IdentityFile"),
    ("timed out", "it does not answer", "see that it is on and in this network"),
    ("No route to host", "it does not answer", "see that it is on and in this network"),
    ("Network is unreachable", "there is no network to it", "see this machine's network"),
    ("Bad configuration option", "ssh cannot read its configuration", "mend ~/.ssh/config"),
)


class Ssh(Link):
    """One board.

    Args:
        name: ``[user@]host[:port]``; a host may be an alias of the user's configuration.

    Raises:
        DeviceError: it cannot be reached or does not let us in; the hint says what to do.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.address = f"ssh://{name}"
        self._host, port = _parts(name)
        self._ssh = shlex.split(os.environ.get("EDGE_SDK_SSH", "ssh"))
        self._port = [f"-p{port}"] if port else []
        # Sockets have short names: no TMPDIR deep in some tree.
        self._folder = make_folder("ssh", parent=Path("/tmp"))  # noqa: S108 - a folder of its own there
        self._socket = f"{self._folder}/s"
        try:
            self._master = self._connected()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            self.home = self._home()
        except BaseException:
            self.close()
            raise

    def _home(self) -> str:
        """Where our files go there."""
        script = f'printf "%s%s" {_HOME} "${{XDG_CACHE_HOME:-$HOME/.cache}}/edge-sdk"'
        before, _, home = self.shell(script, timeout_s=60).text.partition(_HOME)
        if before:
            raise DeviceError(
                f"{self.address}: its shell prints before each command: {before.strip().splitlines()[:1]}",
                address=self.address,
                hint="let what starts with the shell there (~/.bashrc) print only for a terminal: [ -t 1 ] && ...",
            )
        return self.as_home(home)

    def command(self, script: str) -> list[str]:
        """``ssh HOST sh -c``; whatever shell the user has there only starts ``sh``."""
        return [*self._client(), f"exec sh -c {shlex.quote(script)}"]

    def broken(self, status: int, stderr: str) -> DeviceError:
        """What ssh says; a connection that had worked was lost."""
        if self._master.poll() is None and status != 255:
            last = (stderr.strip() or "it says nothing").splitlines()[-1]
            return DeviceError(
                f"{self.address}: its shell ended with status {status}: {last}",
                address=self.address,
                hint="edge-sdk needs a POSIX sh there",
            )
        return self.lost(f"({_last(stderr)})" if stderr.strip() else "in the middle")

    def send(self, source: Path, target: str, *, undo: str = ":") -> None:
        """Through ``cat``: boards with dropbear have no sftp. A file that ends early is a link that ended."""
        there, size = shlex.quote(target), source.stat().st_size
        script = (
            f"cat > {there} || {{ rm -f {there}; exit 1; }}; "
            f"[ $(wc -c < {there}) -eq {size} ] || {{ rm -f {there}; {undo}; exit {_CUT}; }}"
        )
        with source.open("rb") as file:
            done = self.transfer(self.command(script), stdin=file, stdout=subprocess.PIPE)
        self._see(done, f"while {source.name} was sent")

    def fetch(self, source: str, target: Path) -> None:
        """Through ``cat``."""
        with target.open("wb") as file:
            done = self.transfer(self.command(f"cat < {shlex.quote(source)}"), stdin=subprocess.DEVNULL, stdout=file)
        self._see(done, f"while {source} was fetched")

    def close(self) -> None:
        """Ends the connection."""
        _end(self._master)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _see(self, done: Finished, doing: str) -> None:
        if done.status in (255, _CUT) or self._master.poll() is not None or done.status < 0:
            raise self.lost(doing)
        if done.status:
            raise DeviceError(f"{self.address}: {done.last_line}", address=self.address)

    def _client(self) -> list[str]:
        return [*self._ssh, *self._port, "-T", "-S", self._socket, "-oBatchMode=yes", *_ALIVE, "--", self._host]

    def _connected(self) -> subprocess.Popen[bytes]:
        """The one connection, once it stands. Its ``cat`` ends with our end of the pipe, however we end."""
        asked = [] if sys.stdin.isatty() else ["-oBatchMode=yes"]
        command = [*self._ssh, *self._port, "-M", "-T", "-S", self._socket, *asked, *_ALIVE]
        command += ["-oControlPersist=no", "-oForwardX11=no", "--", self._host, "cat"]
        try:
            with (self._folder / "log").open("wb") as log:
                master = subprocess.Popen(  # noqa: S603 - the user's own ssh
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    preexec_fn=_ignore_ctrl_c,  # noqa: PLW1509 - it takes no lock
                )
            self._wait(master)
        except OSError as error:
            raise DeviceError(
                f"{command[0]} does not start: {error.strerror}",
                address=self.address,
                hint="install OpenSSH's client (Debian: apt install openssh-client), or set EDGE_SDK_SSH",
            ) from error
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return master

    def _wait(self, master: subprocess.Popen[bytes]) -> None:
        """As long as ssh itself: a user may be typing a passphrase."""
        try:
            while master.poll() is None:
                if Path(self._socket).exists():
                    return
                time.sleep(0.02)
        except BaseException:
            _end(master)
            raise
        _end(master)
        raise self._refused((self._folder / "log").read_text("utf-8", "replace"))

    def _refused(self, log: str) -> DeviceError:
        for words, what, hint in _CAUSES:
            if words in log:
                message = f"{self.address}: {what} (ssh: {_last(log, words)})"
                return DeviceError(message, address=self.address, hint=hint.format(host=self._host))
        return DeviceError(
            f"{self.address}: ssh could not connect: {_last(log)}",
            address=self.address,
            hint=f"see what `ssh -v {self._host}` says",
        )


def _ignore_ctrl_c() -> None:
    """A terminal sends it to ssh too, which must stay until the board is clean. No new session: ssh may ask there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(master: subprocess.Popen[bytes]) -> None:
    if master.stdin:
        master.stdin.close()
    master.terminate()
    master.wait()


def _parts(name: str) -> tuple[str, str]:
    """``user@host`` and the port, or an empty string for ssh's own."""
    try:
        split = urlsplit(f"ssh://{name}")
        port = str(split.port or "")
    except ValueError as error:
        raise DeviceError(f"ssh://{name}: {error}", hint="write ssh://user@host:port") from error
    host = split.netloc.rpartition("@")[2]
    host = split.netloc[: -len(port) - 1] if port and host.endswith(f":{port}") else split.netloc
    if split.path.strip("/") or split.query or split.fragment or not re.fullmatch(r"[^\s/:-][^\s/]*", host):
        raise DeviceError(f"ssh://{name}: expected ssh://user@host:port", hint="such as ssh://pi@raspberrypi.local")
    return host.replace("[", "").replace("]", ""), port


def _last(log: str, words: str = "") -> str:
    """The last line that says something, or the last that has these words."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and words in line]
    return lines[-1].strip("@ ").removeprefix("ssh: ") if lines else "it says nothing"
