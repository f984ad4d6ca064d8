"""A link: the few things that differ between a shell here, over ssh and over adb.

Whatever runs there prints a line of its own at the very end, with its exit status. Only that line says that it ended:
a link that breaks may report success (``adb shell`` exits with 0 when its daemon dies) and output that is cut short.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from typing_extensions import Self

from edge_sdk.errors import DeviceError, DeviceLostError

if TYPE_CHECKING:
    from typing_extensions import Self

Lines = Callable[[str], None]


@dataclass(frozen=True)
class Finished:
    """A program that ended there: its own exit status, and all that it printed."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def last_line(self) -> str:
        """The last line on standard error, which is where programs say why."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else ""


class Link(ABC):
    """One way to reach a device. A kind of its own is one file with a subclass, and a line in ``CONNECTIONS``."""

    address: str
    """As the user wrote it, made whole: ``local``, ``ssh://pi``, ``adb://emulator-5554``."""
    home: str
    """Folder there that holds all files of edge-sdk; absolute, without a slash at the end."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._cancelled = False

    @abstractmethod
    def command(self, script: str) -> list[str]:
        """The program here, and its arguments, that hands a script to the device's ``sh``.

        There, the shell must lead a process group of its own, and see the end of its standard input when the link ends.
        """

    @abstractmethod
    def broken(self, status: int, stderr: str) -> DeviceError:
        """Why that program ended before the device had answered."""

    @abstractmethod
    def send(self, source: Path, target: str, *, undo: str = ":") -> None:
        """Copies a file there. What arrives is compared by the caller.

        Args:
            source: here.
            target: there.
            undo: runs there if the link ends first, where the way of copying lets the device notice.

        Raises:
            DeviceError: it could not be written; the message has the device's own words.
        """

    @abstractmethod
    def fetch(self, source: str, target: Path) -> None:
        """Copies a file from there; otherwise as :meth:`send`."""

    def close(self) -> None:  # noqa: B027 - most links hold nothing open
        """Ends the link."""

    def shell(
        self,
        script: str,
        *,
        timeout_s: float | None = None,
        undo: str = ":",
        lines: Lines | None = None,
        cleaning: bool = False,
    ) -> Finished:
        """Runs a script in the device's ``sh`` to its end.

        Args:
            script: POSIX shell; its standard input is empty.
            timeout_s: after which it is ended, there too.
            undo: runs there if the link ends before the script did, after the script's processes were ended.
            lines: hears each line of standard error as it comes.
            cleaning: runs after :meth:`cancel` too, and is not ended by it.

        Raises:
            DeviceLostError: the link ended first.
            DeviceError: the device cannot be reached, or the time is over.
        """
        token = f"edge-sdk-end-{secrets.token_hex(8)}"
        command = self.command(guarded(script, token, undo))
        status, stdout, stderr = self._talk(command, timeout_s, lines, cleaning=cleaning)
        end = re.search(rb"\n" + token.encode() + rb" (\d+)\r?\n\Z", stdout)
        if end is None:
            raise self.broken(status, stderr)
        return Finished(int(end[1]), stdout[: end.start()], stderr)

    def cancel(self) -> None:
        """Ends what runs, from another thread, with :class:`DeviceLostError`; only cleaning is started then."""
        self._cancelled = True
        for child in tuple(self._running):
            with contextlib.suppress(ProcessLookupError):
                child.kill()

    def transfer(self, command: Sequence[str], *, stdin: IO[bytes] | int, stdout: IO[bytes] | int) -> Finished:
        """A program here that copies; its standard input or output may be a file."""
        with self._started(command, stdin=stdin, stdout=stdout) as child:
            out, err = child.communicate()
        return Finished(child.returncode, out or b"", err.decode("utf-8", "replace"))

    def as_home(self, text: str) -> str:
        """What a device said that its home is, if it can be one: files are removed below it."""
        if not re.fullmatch(r"/[^\n]+/edge-sdk", text):
            raise DeviceError(f"{self.address}: its HOME is no absolute path: {text!r}", address=self.address)
        return text

    def lost(self, doing: str) -> DeviceLostError:
        """The error of a link that ended."""
        return DeviceLostError(
            f"{self.address}: the link was lost {doing}",
            address=self.address,
            hint="see that the device is on and stays connected, then try again; nothing of what came is used",
        )

    def _talk(
        self, command: Sequence[str], timeout_s: float | None, lines: Lines | None, *, cleaning: bool
    ) -> tuple[int, bytes, str]:
        heard: list[str] = []
        late = threading.Event()
        # Standard input stays open while the program runs: its end tells the device that we are gone.
        with (
            tempfile.TemporaryFile() as output,
            self._started(command, subprocess.PIPE, output, cleaning=cleaning) as child,
        ):
            timer = threading.Timer(timeout_s or 0, _kill_late, (child, late))
            if timeout_s is not None:
                timer.start()
            try:
                for raw in child.stderr or ():
                    heard.append(raw.decode("utf-8", "replace"))
                    if lines:
                        lines(heard[-1].rstrip())
                child.wait()
            finally:
                timer.cancel()
            output.seek(0)
            stdout = output.read()
        if late.is_set():
            raise DeviceError(f"{self.address}: no answer within {timeout_s:g} s", address=self.address)
        return child.returncode, stdout, "".join(heard)

    @contextlib.contextmanager
    def _started(
        self, command: Sequence[str], stdin: IO[bytes] | int, stdout: IO[bytes] | int, *, cleaning: bool = False
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A process that does not outlive the block. A session of its own: Ctrl-C is ours to handle."""
        if self._cancelled and not cleaning:
            raise self.lost("because it was given up")
        try:
            child = subprocess.Popen(  # noqa: S603 - sh, ssh or adb
                command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise DeviceError(f"{command[0]} does not start: {error.strerror}", address=self.address) from error
        if not cleaning:
            self._running.add(child)
        try:
            with child:
                try:
                    yield child
                finally:
                    if child.poll() is None:
                        child.kill()
        finally:
            self._running.discard(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _kill_late(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def guarded(script: str, token: str, undo: str) -> str:
    """A script that ends with a line of its own, and is ended when standard input is: nobody is left to hear it.

    In all shells (dash, bash, mksh, BusyBox) a background job's standard input is empty unless it is redirected. The
    guard reads by itself: a ``cat`` would outlive it, and adb waits for whoever holds the standard input.
    """
    return (
        f"exec 3<&0 </dev/null; (eval {shlex.quote(script)}) 3<&- & job=$!; "
        f"(trap '' TERM HUP; read -r end <&3; kill -TERM -$$ || kill -TERM $job; sleep 1; {undo}; "
        "kill -KILL -$$ || kill -KILL $job) >/dev/null 2>&1 & guard=$!; "
        "exec 3<&-; wait $job; status=$?; exec 2>/dev/null; kill -KILL $guard; "
        f"printf '\\n{token} %d\\n' $status"
    )
