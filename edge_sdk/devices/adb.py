"""Android devices, and Linux boards that have adb's daemon, through the user's own ``adb`` and its server.

``adb`` is the one on PATH, or of the SDK that ``ANDROID_HOME`` names. Its own variables hold, such as
``ANDROID_ADB_SERVER_PORT`` and ``ANDROID_SERIAL``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from edge_sdk.devices.link import Finished, Link
from edge_sdk.errors import DeviceError

# On Android the shell user may write there, and nowhere else that lasts; a Linux board has no such folder.
_HOME: Final = 'd=/data/local/tmp; [ -d $d ] || d="${XDG_CACHE_HOME:-${HOME%/}/.cache}"; printf "%s/edge-sdk" "$d"'
_STATES: Final = {
    "unauthorized": ("has not authorised this computer", "unlock it, and allow USB debugging in the dialog it shows"),
    "authorizing": ("is still authorising this computer", "unlock it, and allow USB debugging in the dialog it shows"),
    "offline": ("is offline", "unplug it and plug it in again, or `adb reconnect offline`"),
    "no permissions": (
        "may not be opened by this user",
        "add udev rules for it (Debian: android-sdk-platform-tools-common), then plug it in again",
    ),
    "bootloader": ("is in its bootloader", "start Android on it: `fastboot reboot`"),
    "recovery": ("is in recovery mode", "start Android on it: `adb reboot`"),
    "sideload": ("waits for a sideload", "start Android on it: `adb reboot`"),
}
# What adb prints, and the state that it means.
_WORDS: Final = {
    "device unauthorized": "unauthorized",
    "device still authorizing": "authorizing",
    "device offline": "offline",
    "no permissions": "no permissions",
    "insufficient permissions": "no permissions",
}
_WAITS: Final = "- waiting for device -"
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class Listed:
    """A line of ``adb devices -l``: state is ``device`` where all is well; about has product, model and the like."""

    serial: str
    state: str
    about: Mapping[str, str]


class Adb(Link):
    """One device that adb lists.

    Args:
        serial: as ``adb devices`` lists it, or nothing where there is one device (or ``ANDROID_SERIAL`` names it).

    Raises:
        DeviceError: no adb, no device, several and no serial, or a device that is not ready; the hint says what to do.
    """

    def __init__(self, serial: str = "") -> None:
        super().__init__()
        self._adb = find_adb()
        self.serial = _chosen(serial or os.environ.get("ANDROID_SERIAL", ""), listed(self._adb)).serial
        self.address = f"adb://{self.serial}"

    @cached_property
    def home(self) -> str:  # type: ignore[override] # asked for when it is used
        """See :class:`Link`."""
        return self.as_home(self.shell(_HOME, timeout_s=_TIMEOUT_S).text)

    def command(self, script: str) -> list[str]:
        """``adb shell`` without a terminal, so that bytes stay bytes."""
        return [self._adb, "-s", self.serial, "shell", "-T", script]

    def broken(self, status: int, stderr: str) -> DeviceError:
        """Adb's own words, or, where it says nothing, a link that was lost: then its exit status is 0."""
        return _explained(self.serial, stderr) or self.lost(f"(adb ended with status {status}, the device said no end)")

    def send(self, source: Path, target: str, *, undo: str = ":") -> None:  # noqa: ARG002
        """``adb push``. The daemon removes a file that did not come whole, and does no more than that."""
        self.run_adb("push", str(source), target, doing=f"while {source.name} was pushed")

    def fetch(self, source: str, target: Path) -> None:
        """``adb pull``."""
        self.run_adb("pull", source, str(target), doing=f"while {source} was pulled")

    def run_adb(self, *arguments: str, doing: str = "") -> Finished:
        """Any other command of adb's for this device, such as ``install``, to its end.

        Success is adb's exit status, which is also 0 where the daemon died during ``adb shell``: use :meth:`shell`.

        Args:
            arguments: after ``adb -s SERIAL``.
            doing: for the message of a link that is lost, such as ``while the app was installed``.

        Raises:
            DeviceLostError: the device went away.
            DeviceError: adb failed; the message has its words.
        """
        lost = self.lost(doing or f"during adb {arguments[0]}")

        def hear(line: str) -> None:
            # After `adb install` has lost its device it wants to tidy up there, and waits for as long as it takes.
            if _WAITS in line:
                raise lost

        done = Finished(*self._talk([self._adb, "-s", self.serial, *arguments], None, hear, cleaning=False))
        if done.status == 0:
            return done
        said = f"{done.stderr}\n{done.text}"
        state = {one.serial: one.state for one in listed(self._adb)}.get(self.serial)
        if state != "device":
            raise lost
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it says nothing")
        raise _explained(self.serial, said) or DeviceError(
            f"{self.address}: adb {arguments[0]} failed: {why.removeprefix('adb: ')}", address=self.address
        )


def find_adb() -> str:
    """The user's adb.

    Raises:
        DeviceError: there is none.
    """
    found = shutil.which("adb")
    for variable in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        beside = Path(os.environ.get(variable) or "/nonexistent", "platform-tools", "adb")
        found = found or (str(beside) if beside.is_file() else None)
    if found is None:
        raise DeviceError(
            "adb is not there", hint="install Android's platform-tools (Debian: apt install adb), or set ANDROID_HOME"
        )
    return found


def listed(adb: str) -> tuple[Listed, ...]:
    """What ``adb devices -l`` lists, in whatever state.

    Raises:
        DeviceError: adb has no server, and cannot start one.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the user's own adb
            [adb, "devices", "-l"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"adb devices gave no answer within {_TIMEOUT_S:g} s", hint="try adb kill-server") from error
    except OSError as error:
        raise DeviceError(f"{adb} does not start: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise DeviceError(f"adb devices failed: {last}", hint="try adb kill-server, then adb devices")
    _, _, table = done.stdout.partition("List of devices attached")
    return tuple(_listed(line) for line in table.splitlines() if line.strip())


def _listed(line: str) -> Listed:
    """``SERIAL  STATE [product:P model:M ...]``; the state `no permissions` has a space and a remark."""
    serial, _, rest = line.strip().partition("\t" if "\t" in line else " ")
    words = rest.split()
    state = "no permissions" if rest.strip().startswith("no permissions") else (words or ["unknown"])[0]
    return Listed(serial, state, dict(word.split(":", 1) for word in words[1:] if ":" in word))


def _chosen(serial: str, found: tuple[Listed, ...]) -> Listed:
    known = ", ".join(f"{one.serial} ({one.state})" for one in found) or "none"
    if serial:
        chosen = next((one for one in found if one.serial == serial), None)
        if chosen is None:
            raise DeviceError(
                f"adb knows no device `{serial}`; it lists: {known}",
                address=f"adb://{serial}",
                hint="plug it in, or `adb connect HOST:PORT`; see adb devices -l",
            )
        return _ready(chosen)
    if not found:
        raise DeviceError("adb lists no device", hint="plug one in and switch on USB debugging; see adb devices -l")
    if len(found) > 1:
        raise DeviceError(f"adb lists {len(found)} devices: {known}", hint=f"name one, such as adb://{found[0].serial}")
    return _ready(found[0])


def _ready(device: Listed) -> Listed:
    if device.state != "device":
        raise _not_ready(device.serial, device.state)
    return device


def _not_ready(serial: str, state: str) -> DeviceError:
    what, hint = _STATES.get(state, (f"is in state `{state}`", "see adb devices -l"))
    return DeviceError(f"adb://{serial} {what}", address=f"adb://{serial}", hint=hint)


def _explained(serial: str, stderr: str) -> DeviceError | None:
    """The error that adb's words mean; None if they mean none of these."""
    for words, state in _WORDS.items():
        if words in stderr:
            return _not_ready(serial, state)
    if "cannot connect to daemon" in stderr or "failed to start daemon" in stderr:
        return DeviceError("adb's server cannot be reached or started", hint="try adb kill-server, then adb devices")
    return None
