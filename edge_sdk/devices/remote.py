"""``edge-sdk`` commands run on a device: files pushed by hash, the command's own JSON brought back, nothing left."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from edge_sdk.devices.device import Device, Job, open_device
from edge_sdk.devices.interpreter import death
from edge_sdk.devices.link import Finished, Lines
from edge_sdk.devices.prepare import prepared, see_board
from edge_sdk.errors import DeviceError, EdgeSdkError, TargetError, error_from_json
from edge_sdk.version import PACKAGE

_FAILED: Final = 1
_WITH_RESULT: Final = (0, 3)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Task:
    """One command.

    Attributes:
        command: such as ``run``.
        files: what is pushed, and in what order stands first on the command line.
        options: the rest of the command line. ``{n}`` of a :class:`Pushed` is filled in there.
        results: file names that the command writes there, to where they go here.
    """

    command: str
    files: tuple[Path, ...]
    options: tuple[str | Pushed, ...] = ()
    results: Mapping[str, Path] | None = None


@dataclass(frozen=True)
class Pushed:
    """A file that an option names."""

    path: Path


@dataclass(frozen=True)
class Outcome(Generic[_T]):
    """What one of several devices gave: a result or an error."""

    address: str
    result: _T | None = None
    error: EdgeSdkError | None = None


def run_there(device: Device, task: Task, *, lines: Lines | None = None) -> dict[str, Any]:
    """Runs a command to its end on a device that is prepared, or on this machine.

    Returns:
        The JSON object that the command printed.

    Raises:
        EdgeSdkError: what the command failed with there, its message led by the address.
        DeviceLostError: the link ended in the middle; the device removes what was there by itself.
        TargetError: it was killed there.
    """
    program, environment = _program(device)
    with device.job() as job:
        names: dict[Path, str] = {}
        first = [_placed(job, path, names) for path in task.files]
        rest = [_placed(job, one.path, names) if isinstance(one, Pushed) else one for one in task.options]
        done = job.run([*program, task.command, *first, *rest, "--json"], environment=environment, lines=lines)
        found = _result(device, task.command, done)
        for name, target in (task.results or {}).items():
            device.pull(f"{job.folder}/{name}", target)
    return found


def on_each(addresses: Sequence[str], act: Callable[[Device], _T]) -> tuple[Outcome[_T], ...]:
    """Does a thing on several devices at once; a failure of one does not stop the others.

    They are connected to one after the other, because each may ask its user something.
    """
    devices: dict[str, Device | EdgeSdkError] = {}
    try:
        for address in addresses:
            try:
                devices[address] = open_device(address)
            except EdgeSdkError as error:
                devices[address] = error
        return _all_at_once(devices, act)
    finally:
        for one in devices.values():
            if isinstance(one, Device):
                one.close()


def _all_at_once(devices: Mapping[str, Device | EdgeSdkError], act: Callable[[Device], _T]) -> tuple[Outcome[_T], ...]:
    with ThreadPoolExecutor(max(len(devices), 1)) as pool:
        started = [pool.submit(_outcome, address, one, act) for address, one in devices.items()]
        try:
            return tuple(one.result() for one in started)
        except BaseException:
            for one in devices.values():
                if isinstance(one, Device):
                    one.link.cancel()
            raise


def _outcome(address: str, device: Device | EdgeSdkError, act: Callable[[Device], _T]) -> Outcome[_T]:
    if isinstance(device, EdgeSdkError):
        return Outcome(address, error=device)
    try:
        return Outcome(device.address, result=act(device))
    except EdgeSdkError as error:
        return Outcome(device.address, error=error)


def _program(device: Device) -> tuple[list[str], dict[str, str]]:
    """``edge-sdk`` there, and its environment."""
    if device.address == "local":
        root = str(PACKAGE.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        return [sys.executable, "-m", "edge_sdk"], {"PYTHONPATH": os.pathsep.join(paths)}
    see_board(device)
    return prepared(device).command, {}


def _placed(job: Job, path: Path, names: dict[Path, str]) -> str:
    """By its own name, in the folder where the command runs, so that messages there read as here."""
    if not path.exists():
        raise DeviceError(f"{path}: there is no such file")
    whole = path.resolve()
    if whole not in names:
        taken = {Path(name).name for name in names.values()}
        name = path.name if path.name not in taken else f"{len(names)}-{path.name}"
        if path.is_dir():
            job.place_folder(path, name)
        else:
            job.place(path, name)
        names[whole] = f"./{name}" if name.startswith("-") else name
    return names[whole]


def _result(device: Device, command: str, done: Finished) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(done.text)
    except ValueError:
        raise _broken(device, command, done) from None
    if done.status in _WITH_RESULT:
        return found
    if done.status == _FAILED and "error" in found:
        error = error_from_json({**found, "message": f"{device.address}: {found.get('message')}"})
        raise error
    raise _broken(device, command, done)


def _broken(device: Device, command: str, done: Finished) -> EdgeSdkError:
    how = death(done)
    if how is None:
        said = done.last_line or f"status {done.status}"
        return DeviceError(f"{device.address}: edge-sdk {command} failed there: {said}", address=device.address)
    killed = "SIGKILL" in how
    return TargetError(
        f"{device.address}: edge-sdk {command} ended there: {how}",
        limit="memory" if killed else "cpu" if "SIGILL" in how else None,
        hint="not enough memory is the usual cause of SIGKILL" if killed else None,
    )
