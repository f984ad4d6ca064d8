"""A device that is reached by a link: files pushed by hash, programs run to their real end, results pulled whole.

All that edge-sdk leaves on a device lies in one folder, its home::

    files/<sha256>    what was pushed, named by its content
    jobs/<token>/     one job's own folder: links to files, and its results; gone when the job is

What a session pushes, it removes again, unless it was there before or ``keep`` is set.
"""

from __future__ import annotations

import contextlib
import hashlib
import pkgutil
import re
import secrets
import shlex
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from edge_sdk.devices.identity import Identity, Space, free_space, identify
from edge_sdk.devices.link import Finished, Lines, Link
from edge_sdk.errors import DeviceError, DeviceLostError, EdgeSdkError, TargetError, nearest
from edge_sdk.files import replacing
from edge_sdk.folders import temporary_folder

CONNECTIONS: Final = {
    "local": "edge_sdk.devices.local:Local",
    "ssh": "edge_sdk.devices.ssh:Ssh",
    "adb": "edge_sdk.devices.adb:Adb",
}
"""Scheme to the class of its link; another kind of connection is a file and a line here."""
_TIMEOUT_S: Final = 120.0
_MARGIN_BYTES: Final = 1 << 20


def open_device(address: str) -> Device:
    """Connects.

    Args:
        address: ``local``, ``ssh://[user@]host[:port]``, or ``adb://[SERIAL]``.

    Raises:
        DeviceError: no such kind of address, or the device cannot be reached.
    """
    scheme, separator, name = address.partition("://")
    if scheme not in CONNECTIONS or not (separator or scheme == "local"):
        raise DeviceError(
            f"`{address}` is no address of a device{nearest(scheme, CONNECTIONS)}",
            address=address,
            hint="expected local, ssh://user@host:port or adb://SERIAL",
        )
    link: Link = pkgutil.resolve_name(CONNECTIONS[scheme])(name)
    return Device(link)


class Device:
    """What can be done on a device; a context manager that cleans up.

    Args:
        link: the way there.
        keep: leave what was pushed, so that the next session finds it by its hash.
    """

    def __init__(self, link: Link, *, keep: bool = False) -> None:
        self.link = link
        self.keep = keep
        self._pushed: list[str] = []
        self._jobs: list[str] = []

    @property
    def address(self) -> str:
        """As in :func:`open_device`, with what was left open filled in."""
        return self.link.address

    def identify(self) -> Identity:
        """What it says that it is."""
        return identify(self.link)

    @property
    def runs_apps_only(self) -> bool:
        """Whether it is Android behind adb, where the demo app runs models; a Linux board behind adb is a board."""
        return self.address.startswith("adb://") and self.identify().platform == "android"

    def space(self) -> Space:
        """Free memory and storage, bytes."""
        return free_space(self.link)

    def push(self, path: Path) -> str:
        """Puts a file there, unless one with its hash is there already.

        Returns:
            Its path there.

        Raises:
            TargetError: there is no room.
            DeviceLostError: the link ended, or what arrived is not what was sent.
        """
        digest = _sha256(path)
        target = f"{self.link.home}/files/{digest}"
        if self._hash_there(target, before=f"mkdir -p {_q(self.link.home)}/files") == digest:
            return target
        self._see_room(path)
        part = f"{target}.{secrets.token_hex(4)}.part"
        try:
            self._send(path, part, target, digest)
        except BaseException:
            self._forget(part)
            raise
        self._pushed.append(target)
        return target

    def pull(self, source: str, target: Path) -> None:
        """Fetches a file; it takes its name here only if it is whole.

        Raises:
            DeviceError: there is none of that name.
            DeviceLostError: the link ended in the middle.
        """
        expected = self._hash_there(source)
        if expected is None:
            raise DeviceError(f"{self.address}: there is no file {source}", address=self.address)
        with replacing(target) as temporary:
            self.link.fetch(source, temporary)
            if _sha256(temporary) != expected:
                raise self.link.lost(f"while {source} was pulled: {temporary.stat().st_size} bytes came")

    @contextlib.contextmanager
    def job(self) -> Iterator[Job]:
        """A folder there for one job, removed at the end whatever happens."""
        folder = f"{self.link.home}/jobs/{secrets.token_hex(8)}"
        self._jobs.append(folder)
        try:
            self.do(f"mkdir -p {_q(folder)}")
            yield Job(self, folder)
        finally:
            self._forget(folder)
            self._jobs.remove(folder)

    def do(self, script: str) -> None:
        """Runs a short script there that must succeed.

        Raises:
            DeviceError: it did not; the message has its last line.
        """
        done = self.link.shell(script, timeout_s=_TIMEOUT_S)
        if done.status:
            raise DeviceError(f"{self.address}: {done.last_line or script}", address=self.address)

    def clean_up(self) -> None:
        """Removes what this session pushed (unless ``keep``); jobs have removed themselves."""
        pushed, self._pushed = ([] if self.keep else self._pushed), []
        for path in pushed:
            self._forget(path)
        if pushed:
            # Only if they are empty by now.
            with contextlib.suppress(EdgeSdkError):
                home = _q(self.link.home)
                line = f"rmdir {home}/files {home}/jobs {home} 2>/dev/null"
                self.link.shell(line, timeout_s=_TIMEOUT_S, cleaning=True)

    def close(self) -> None:
        """Cleans up and ends the link."""
        try:
            self.clean_up()
        finally:
            self.link.close()

    def _send(self, path: Path, part: str, target: str, digest: str) -> None:
        try:
            self.link.send(path, part, undo=self._undo())
        except DeviceLostError:
            raise
        except DeviceError as error:
            if re.search("no space|disk quota|file too large", str(error), re.IGNORECASE):
                raise self._full(path, self.space().storage_bytes) from error
            raise
        # Only what is whole gets the name that says so.
        took = f"case $(sha256sum < {_q(part)}) in {digest}*) mv -f {_q(part)} {_q(target)};; *) exit 9;; esac"
        if self.link.shell(took).status:
            raise self.link.lost(f"while {path.name} was pushed: what arrived is not what was sent")

    def _undo(self) -> str:
        """Removes all that this session has there: for the device itself, if we are gone."""
        left = [*self._jobs, *([] if self.keep else self._pushed)]
        return f"rm -rf {shlex.join(left)}" if left else ":"

    def _see_room(self, path: Path) -> None:
        free = self.space().storage_bytes
        if path.stat().st_size + _MARGIN_BYTES > free:
            raise self._full(path, free)

    def _full(self, path: Path, free: int) -> TargetError:
        size = path.stat().st_size
        return TargetError(
            f"{self.address}: no room for {path.name}: {size / 2**20:.1f} MiB needed, {free / 2**20:.1f} MiB free "
            f"where {self.link.home} is",
            limit="storage",
            needed=size,
            available=free,
            hint="free space there",
        )

    def _hash_there(self, path: str, *, before: str = "true") -> str | None:
        """The device's own SHA-256 of a file; None if it is not there."""
        done = self.link.shell(f"{before} || exit 1; [ ! -f {_q(path)} ] || sha256sum < {_q(path)}")
        if done.status:
            needed = "edge-sdk compares files by their hash: install coreutils or BusyBox there"
            hint = needed if done.status == 127 else None
            raise DeviceError(f"{self.address}: {done.last_line}", address=self.address, hint=hint)
        return done.text.split()[0] if done.text.strip() else None

    def _forget(self, path: str) -> None:
        """Removes it if the device can still be reached; what failed before is the error to tell."""
        with contextlib.suppress(EdgeSdkError):
            self.link.shell(f"rm -rf {_q(path)}", timeout_s=_TIMEOUT_S, cleaning=True)

    def __enter__(self) -> Device:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Job:
    """A folder on a device, and programs that run in it."""

    def __init__(self, device: Device, folder: str) -> None:
        self.device = device
        self.folder = folder

    def place(self, path: Path, name: str | None = None) -> str:
        """Pushes a file and gives it its own name (or another) in the folder.

        A hard link where the file system has them: another session that pushed the same file may end first.
        """
        pushed = self.device.push(path)
        placed = f"{self.folder}/{name or path.name}"
        self.device.do(f"ln {_q(pushed)} {_q(placed)} 2>/dev/null || ln -s {_q(pushed)} {_q(placed)}")
        return placed

    def place_folder(self, folder: Path, name: str | None = None) -> str:
        """Pushes a folder's files as one archive and unpacks it under its own name."""
        with temporary_folder("device") as made:
            archive = Path(made, f"{name or folder.resolve().name}.tar")
            with tarfile.open(archive, "w", dereference=True) as tar:
                for path in sorted(folder.rglob("*")):
                    # The same bytes for the same files, whoever has them since when.
                    tar.add(path, str(path.relative_to(folder)), recursive=False, filter=_anonymous)
            packed = self.place(archive)
        placed = packed.removesuffix(".tar")
        self.device.do(f"mkdir {_q(placed)} && tar -xf {_q(packed)} -C {_q(placed)}")
        return placed

    def place_text(self, text: str, name: str) -> str:
        """A small file made on the way."""
        with temporary_folder("device") as folder:
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8")
            return self.place(path)

    def run(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        lines: Lines | None = None,
    ) -> Finished:
        """Runs a program in the folder. If the link ends first, program and folder are removed by the device itself.

        Returns:
            Its own exit status (128 and the number for a signal) and all output.

        Raises:
            DeviceLostError: the link ended before the program did.
        """
        given = " ".join(f"{name}={_q(value)}" for name, value in (environment or {}).items())
        script = f"cd {_q(self.folder)} && {given} exec {shlex.join(arguments)}"
        return self.device.link.shell(script, timeout_s=timeout_s, undo=self.device._undo(), lines=lines)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


_q = shlex.quote
