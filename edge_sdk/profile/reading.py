"""Profiles from TOML: every fault of a file at once, each with its path in the file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edge_sdk.errors import ProfileError, UnknownDeviceError, nearest
from edge_sdk.profile.checks import device_faults, soc_faults
from edge_sdk.profile.records import Device, DeviceProfile, Soc
from edge_sdk.records import RecordError, read_record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from importlib.abc import Traversable

T = TypeVar("T", Device, Soc)
_SOCS = "socs"


def profile_names() -> tuple[str, ...]:
    """Ids of the built-in profiles, sorted; reads no file."""
    return tuple(sorted(_stems(_built_in_folder())))


@cache
def profile_aliases() -> Mapping[str, str]:
    """Other names of the built-in profiles, to their ids: ``pi4`` to ``raspberry-pi-4``. Reads all files."""
    known = profile_names()
    read = {name: tomllib.loads((_built_in_folder() / f"{name}.toml").read_text(encoding="utf-8")) for name in known}
    return {alias: name for name, content in read.items() for alias in content.get("aliases", ())}


@cache
def find_profile(name: str | Path) -> DeviceProfile:
    """A built-in profile by id or alias, or a user's own ``.toml`` file; its chip is built in, or in ``socs/`` there.

    Raises:
        UnknownDeviceError: no such id; names the nearest.
        ProfileError: the file has faults; lists them all.
    """
    if str(name).endswith(".toml"):
        path = Path(name)
        profile, faults = read_profile(path, _socs_of(path.parent))
    elif str(name) in profile_names():
        path = Path(f"{name}.toml")
        profile, faults = read_profile(_built_in_folder() / path.name, _built_in_socs())
    elif str(name) in profile_aliases():
        return find_profile(profile_aliases()[str(name)])
    else:
        raise UnknownDeviceError(
            f"unknown device `{name}`{nearest(str(name), (*profile_names(), *profile_aliases()))}",
            hint="`edge-sdk profiles list` shows all; a .toml file of your own will do too",
        )
    if profile is None:
        raise ProfileError(f"{path}: {'; '.join(faults)}", hint="`edge-sdk profiles validate` lists one fault a line")
    return profile


def read_profile(file: Traversable, socs: Mapping[str, Traversable]) -> tuple[DeviceProfile | None, tuple[str, ...]]:
    """One device file with its chip, and its faults; the profile is None where there are any.

    Args:
        file: the TOML file.
        socs: chip id to its file.
    """
    device, faults = _read(file, Device)
    if device is None:
        return None, tuple(faults)
    faults += device_faults(device)
    if device.soc not in socs:
        return None, (*faults, f"soc: no chip `{device.soc}`{nearest(device.soc, socs)}")
    soc, soc_problems = _read(socs[device.soc], Soc)
    faults += [f"socs/{device.soc}.toml: {fault}" for fault in soc_problems]
    if soc is not None:
        faults += [f"socs/{device.soc}.toml: {fault}" for fault in soc_faults(soc)]
        faults += [] if _runs(device.os.abi, soc.arch) else [f"os.abi: {device.os.abi} does not run on {soc.arch}"]
    if soc is None or faults:
        return None, tuple(faults)
    return DeviceProfile(file.name.removesuffix(".toml"), device, soc), ()


def validate(paths: Iterable[Path]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each device file under the paths (none: the built-in ones) with its faults.

    Raises:
        ProfileError: a path does not exist, or holds no profile.
    """
    given = list(paths)
    files: list[tuple[Traversable, Mapping[str, Traversable]]] = []
    for path in given:
        if not path.exists():
            raise ProfileError(f"{path}: no such file or folder")
        found = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not found:
            raise ProfileError(f"{path}: holds no .toml file")
        files += [(file, _socs_of(file.parent)) for file in found]
    if not given:
        folder = _built_in_folder()
        files = [(folder / f"{name}.toml", _built_in_socs()) for name in profile_names()]
    for file, socs in files:
        yield str(file) if given else file.name, read_profile(file, socs)[1]


def _read(file: Traversable, kind: type[T]) -> tuple[T | None, list[str]]:
    try:
        return read_record(kind, tomllib.loads(file.read_text(encoding="utf-8"))), []
    except tomllib.TOMLDecodeError as error:
        return None, [f"not TOML: {error}"]
    except UnicodeDecodeError:
        return None, ["not UTF-8"]
    except OSError as error:
        return None, [f"cannot be read: {error.strerror}"]
    except RecordError as error:
        return None, list(error.problems)


def _runs(abi: str, arch: str) -> bool:
    return arch in {"arm64-v8a": ("aarch64",), "armeabi-v7a": ("aarch64", "armv7l"), "x86_64": ("x86_64",)}[abi]


def _built_in_folder() -> Traversable:
    return resources.files("edge_sdk.device_profiles")


@cache
def _built_in_socs() -> Mapping[str, Traversable]:
    folder = _built_in_folder() / _SOCS
    return {name: folder / f"{name}.toml" for name in _stems(folder)}


def _socs_of(folder: Path) -> Mapping[str, Traversable]:
    """A user's own chips, over the built-in ones."""
    own = {path.stem: path for path in (folder / _SOCS).glob("*.toml")}
    return {**_built_in_socs(), **own}


def _stems(folder: Traversable) -> list[str]:
    return [file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")]
