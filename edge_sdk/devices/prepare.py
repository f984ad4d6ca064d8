"""A board made ready: edge-sdk, an engine that fits it and what both need, in one folder, without pip or network there.

The device's Python only unpacks wheels that were chosen here. Nothing of its system is touched; the folder is removed
by ``edge-sdk devices prepare --remove``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from edge_sdk.devices.device import Device
from edge_sdk.devices.download import fetch
from edge_sdk.devices.interpreter import Python, death, find_python
from edge_sdk.devices.link import Finished
from edge_sdk.devices.own_wheel import own_digest, own_wheel, wheel_digest
from edge_sdk.devices.wheels import Chosen, Unfit, Wheel, choose, read_wheels
from edge_sdk.errors import DeviceError, TargetError
from edge_sdk.folders import temporary_folder
from edge_sdk.progress import Progress, Silent
from edge_sdk.version import __version__

ENGINES: Final = {"ai-edge-litert": "runtime", "tflite-runtime": "tflite-runtime"}
"""Engine to the extra of edge-sdk that brings it, the better one first."""
_TRIES: Final = 40
_UNPACK: Final = """
import os, shutil, sys, zipfile
target, wheels = sys.argv[1], sys.argv[2:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
for name in os.listdir(target):
    if name.endswith(".data"):
        for kind in ("purelib", "platlib"):
            folder = os.path.join(target, name, kind)
            if os.path.isdir(folder):
                shutil.copytree(folder, target, dirs_exist_ok=True)
        shutil.rmtree(os.path.join(target, name))
with open(os.path.join(target, "__main__.py"), "w") as file:
    file.write("from edge_sdk.cli import main\\n\\nmain()\\n")
"""


@dataclass(frozen=True)
class Prepared:
    """What lies ready on a device.

    Attributes:
        program: the Python that runs it.
        folder: given to that Python as its program, it is ``edge-sdk``.
        engine: name and version, as the engine said there.
        wheels: file names.
        own: packages of the device itself that are used, with their versions.
        refused: wheels that did not fit, with the reason.
        edge_sdk: version.
        edge_sdk_sha256: of its code, see :func:`~edge_sdk.devices.own_wheel.own_digest`.
    """

    program: str
    python: str
    folder: str
    engine: str
    wheels: tuple[str, ...]
    own: dict[str, str]
    refused: tuple[str, ...]
    edge_sdk: str
    edge_sdk_sha256: str

    @property
    def command(self) -> list[str]:
        """``edge-sdk`` there."""
        return [self.program, self.folder]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def prepare(
    device: Device,
    *,
    python: str | None = None,
    engine: str | None = None,
    wheels: Path | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Puts edge-sdk and an engine on a device, and starts both there.

    Args:
        device: where.
        python: program there; default: the first that is new enough.
        engine: name from :data:`ENGINES`; default: the first that fits.
        wheels: folder to look in first, and where pip puts what it fetches; default: ``~/.cache/edge-sdk/wheels``.
        offline: only that folder.
        progress: hears of stages.

    Raises:
        DeviceError: no Python there, or no pip here.
        TargetError: Python, C library or CPU there fit no engine; the message has the reason for each wheel.
    """
    told = progress or Silent()
    see_board(device)
    told.stage(f"{device.address}: looking at its Python")
    there = find_python(device, python)
    folder = wheels or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "edge-sdk", "wheels")
    if offline and not folder.is_dir():
        raise DeviceError(f"{folder}: there is no such folder", hint="--wheels names a folder of .whl files")
    with temporary_folder("wheel") as made:
        ours, others = _ours(folder, Path(made))
        told.stage(f"{device.address}: choosing wheels for {there}")
        wheels_here = _Wheels(ours, folder, offline, told)
        chosen = _choose(device, there, wheels_here, _engines(engine))
        return _install(device, there, replace(chosen, refused=(*others, *chosen.refused)), told)


def see_board(device: Device) -> None:
    """Sees that Python is what runs there.

    Raises:
        DeviceError: it is Android.
    """
    if device.runs_apps_only:
        raise DeviceError(
            f"{device.address}: on Android the demo app is what runs, not Python",
            address=device.address,
            hint=f"`edge-sdk android install` puts it there; then `edge-sdk benchmark MODEL --on {device.address}`",
        )


def prepared(device: Device) -> Prepared:
    """What :func:`prepare` left there, if it is the code that runs here.

    Raises:
        DeviceError: nothing, or another edge-sdk: of another version, or a checkout that was changed since.
    """
    found = what_lies_there(device)
    here = own_digest()
    if found.edge_sdk_sha256 != here:
        which = "and this is" if found.edge_sdk != __version__ else "of other code than this"
        raise DeviceError(
            f"{device.address} was prepared with edge-sdk {found.edge_sdk} (sha256 {found.edge_sdk_sha256[:12]}), "
            f"{which} {__version__} ({here[:12]})",
            address=device.address,
            hint=f"edge-sdk devices prepare {device.address}",
        )
    return found


def what_lies_there(device: Device) -> Prepared:
    """What :func:`prepare` left there, whichever edge-sdk it is.

    Raises:
        DeviceError: nothing, or its record cannot be read.
    """
    done = device.link.shell(f"cat {shlex.quote(_record(device))}", timeout_s=60)
    hint = f"edge-sdk devices prepare {device.address}"
    if done.status:
        raise DeviceError(f"{device.address} is not prepared", address=device.address, hint=hint)
    try:
        found = json.loads(done.text)
        return Prepared(**{**found, "wheels": tuple(found["wheels"]), "refused": tuple(found["refused"])})
    except (ValueError, TypeError, KeyError) as error:
        raise DeviceError(
            f"{device.address}: {_record(device)} is damaged", address=device.address, hint=hint
        ) from error


def remove(device: Device) -> None:
    """Removes all that edge-sdk has on a device."""
    done = device.link.shell(f"rm -rf {shlex.quote(device.link.home)}", timeout_s=300)
    if done.status:
        raise DeviceError(f"{device.address}: {done.last_line}", address=device.address)


def _ours(folder: Path, made: Path) -> tuple[Wheel, list[str]]:
    """The wheel of the code that runs here, from a folder or made; and why others there are not taken."""
    others: list[str] = []
    here = own_digest()
    for wheel in (one for one in read_wheels(folder) if one.name == "edge-sdk"):
        if zipfile.is_zipfile(wheel.path) and wheel_digest(wheel.path) == here:
            return wheel, others
        others.append(f"{wheel.path.name}: is not the code that runs here, of which a wheel was made")
    own_wheel(made)
    (ours,) = read_wheels(made)
    return ours, others


def _engines(name: str | None) -> tuple[str, ...]:
    if name is None:
        return tuple(ENGINES)
    if name not in ENGINES:
        raise DeviceError(f"there is no engine `{name}`", hint=f"expected {' or '.join(ENGINES)}")
    return (name,)


@dataclass(frozen=True)
class _Wheels:
    """Where wheels come from: ours, and those of a folder, to which pip adds unless ``offline``."""

    ours: Wheel
    folder: Path
    offline: bool
    told: Progress


def _choose(device: Device, there: Python, wheels: _Wheels, engines: Sequence[str]) -> Chosen:
    reasons: list[str] = []
    for engine in engines:
        try:
            found = _closed(there, wheels, engine)
        except Unfit as unfit:
            reasons += unfit.reasons or [f"there is no wheel of {unfit.name}{unfit.specifier}"]
            continue
        return Chosen(found.wheels, found.own, (*reasons, *found.refused))
    where = f"in {wheels.folder}" if wheels.offline else "to be had"
    raise TargetError(
        f"{device.address}: no engine {where} fits {there}: {'; '.join(dict.fromkeys(reasons))}",
        limit="engine",
        hint="another Python there may fit (--python), or gather wheels in a folder: --wheels FOLDER",
    )


def _closed(there: Python, wheels: _Wheels, engine: str) -> Chosen:
    """Wheels for edge-sdk with an engine; what is missing is fetched, and where it does not fit, the one before it."""
    ours, folder = wheels.ours, wheels.folder
    needs = [*ours.requires, *_extra(ours, ENGINES[engine])]
    below: dict[str, SpecifierSet] = {}
    for _ in range(_TRIES):
        known = [ours, *(one for one in read_wheels(folder) if one.name != "edge-sdk")]
        try:
            return choose([Requirement("edge-sdk"), *needs], known, there)
        except Unfit as unfit:
            if wheels.offline:
                raise
            wheels.told.stage(f"fetching {unfit.name} by pip into {folder}, once")
            asked = unfit.specifier & below.get(unfit.name, SpecifierSet())
            refusal = fetch(unfit.name, asked, there, folder)
            if refusal is not None:
                raise Unfit(unfit.name, unfit.specifier, [*unfit.reasons, f"pip: {refusal}"]) from None
            newest = [one for one in read_wheels(folder) if one.name == unfit.name and asked.contains(one.version)]
            # If it does not fit for a reason that pip cannot see, the one before it may.
            below[unfit.name] = SpecifierSet(f"<{newest[0].version}") if newest else SpecifierSet()
    raise Unfit(engine, SpecifierSet(), [f"no set of wheels was found within {_TRIES} tries"])


def _extra(ours: Wheel, extra: str) -> list[Requirement]:
    """Requirements of one extra, without the marker that names it."""
    found = []
    for one in ours.requires:
        if one.marker is not None and not one.marker.evaluate({"extra": ""}) and one.marker.evaluate({"extra": extra}):
            plain = Requirement(str(one))
            plain.marker = None
            found.append(plain)
    return found


def _install(device: Device, there: Python, chosen: Chosen, told: Progress) -> Prepared:
    digest = hashlib.sha256(there.program.encode())
    for wheel in chosen.wheels:
        digest.update(hashlib.sha256(wheel.path.read_bytes()).digest())
    folder = f"{device.link.home}/edge-sdk-{digest.hexdigest()[:16]}"
    if device.link.shell(f"[ -d {shlex.quote(folder)} ]", timeout_s=60).status:
        _unpack(device, there, chosen.wheels, folder, told)
    told.stage(f"{device.address}: starting edge-sdk and the engine there")
    found = Prepared(
        program=there.program,
        python=str(there),
        folder=folder,
        engine=_engine(device, there, folder),
        wheels=tuple(wheel.path.name for wheel in chosen.wheels),
        own=dict(chosen.own),
        refused=chosen.refused,
        edge_sdk=__version__,
        edge_sdk_sha256=own_digest(),
    )
    with device.job() as job:
        record = shlex.quote(job.place_text(json.dumps(found.as_json(), indent=1), "prepared.json"))
        whole = shlex.quote(f"{job.folder}/whole.json")
        device.do(f"cp {record} {whole} && mv -f {whole} {shlex.quote(_record(device))}")
        others = f"{shlex.quote(device.link.home)}/edge-sdk-*"
        device.do(f'for d in {others}; do [ "$d" = {shlex.quote(folder)} ] || rm -rf "$d"; done')
    return found


def _unpack(device: Device, there: Python, wheels: Sequence[Wheel], folder: str, told: Progress) -> None:
    told.stage(f"{device.address}: copying {len(wheels)} wheels, {_room(device, wheels)}")
    with device.job() as job:
        placed = []
        for done, wheel in enumerate(wheels):
            told.count(done, len(wheels))
            placed.append(job.place(wheel.path))
        part = f"{job.folder}/unpacked"
        result = job.run([there.program, "-c", _UNPACK, part, *placed])
        if result.status:
            if "No space left" in result.stderr:
                free = device.space().storage_bytes
                raise TargetError(
                    f"{device.address}: no room to unpack the wheels: {free / 2**20:.1f} MiB free",
                    limit="storage",
                    available=free,
                    hint="free space there",
                )
            raise DeviceError(
                f"{device.address}: the wheels cannot be unpacked: {_why(result)}", address=device.address
            )
        device.do(f"mv {shlex.quote(part)} {shlex.quote(folder)}")


def _room(device: Device, wheels: Sequence[Wheel]) -> str:
    """How much they are and become, and how much is free there; both lie there at once while they are unpacked.

    Raises:
        TargetError: that is more than is free.
    """
    packed = sum(wheel.path.stat().st_size for wheel in wheels)
    whole = sum(_unpacked_bytes(wheel.path) for wheel in wheels)
    free = device.space().storage_bytes
    told = f"{packed / 2**20:.1f} MiB, {whole / 2**20:.1f} MiB unpacked; {free / 2**20:.1f} MiB free"
    if packed + whole > free:
        raise TargetError(
            f"{device.address}: no room for {len(wheels)} wheels where {device.link.home} is: {told}",
            limit="storage",
            needed=packed + whole,
            available=free,
            hint="free space there",
        )
    return told


def _unpacked_bytes(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(one.file_size for one in archive.infolist())


def _engine(device: Device, there: Python, folder: str) -> str:
    """Starts what was installed; a CPU that lacks an instruction shows here."""
    command = shlex.join([there.program, folder, "doctor", "--json"])
    done = device.link.shell(command, timeout_s=600)
    if death(done):
        features = " ".join(device.identify().cpu_features)
        raise TargetError(
            f"{device.address}: the engine does not run there: {death(done)}; the CPU lists: {features}",
            limit="cpu",
            hint="another engine may: --engine tflite-runtime",
        )
    try:
        diagnosis = json.loads(done.text)
    except ValueError:
        raise DeviceError(
            f"{device.address}: edge-sdk does not start there: {_why(done)}", address=device.address
        ) from None
    if diagnosis["engine"] is None:
        raise TargetError(f"{device.address}: the engine does not load there: {diagnosis['engine_problem']}")
    engine: str = diagnosis["engine"]
    return engine


def _why(done: Finished) -> str:
    return death(done) or done.last_line or f"status {done.status}"


def _record(device: Device) -> str:
    return f"{device.link.home}/prepared.json"
