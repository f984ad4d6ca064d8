"""Which wheels a device's Python can use: chosen here, from a folder, each refusal with its reason.

A wheel's tags are not the whole truth: LiteRT's for aarch64 from 2.1.2 on say ``manylinux_2_27`` and need glibc 2.34.
So the symbol versions that its libraries ask for are read, too.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from edge_sdk.devices.interpreter import Python

_LEGACY: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST_GLIBC: Final = {"x86_64": 5, "i686": 5}
_NEWEST_MUSL: Final = 1


@dataclass(frozen=True)
class Wheel:
    """A wheel file."""

    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]

    @cached_property
    def requires(self) -> tuple[Requirement, ...]:
        """Its ``Requires-Dist``."""
        with zipfile.ZipFile(self.path) as archive:
            (entry,) = (n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
            metadata = HeaderParser().parsestr(archive.read(entry).decode("utf-8", "replace"))
        return tuple(map(Requirement, metadata.get_all("Requires-Dist") or ()))

    @cached_property
    def symbols(self) -> tuple[int, int]:
        """``N`` and ``M`` of the newest ``GLIBC_2.N`` and ``GLIBCXX_3.4.M`` that its libraries name; 0 for none."""
        glibc, glibcxx = [0], [0]
        with zipfile.ZipFile(self.path) as archive:
            for entry in archive.namelist():
                if ".so" in Path(entry).name and "libstdc++" not in entry:
                    content = archive.read(entry)
                    glibc += map(int, re.findall(rb"GLIBC_2\.(\d+)", content))
                    glibcxx += map(int, re.findall(rb"GLIBCXX_3\.4\.(\d+)", content))
        return max(glibc), max(glibcxx)


@dataclass(frozen=True)
class Chosen:
    """Wheels to install, what is used of the device's own, and why others were not taken."""

    wheels: tuple[Wheel, ...]
    own: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


class Unfit(Exception):  # noqa: N818 - it never reaches a user
    """No wheel of a distribution fits; :attr:`reasons` has one for each that was looked at."""

    def __init__(self, name: str, specifier: SpecifierSet, reasons: Iterable[str]) -> None:
        super().__init__(name)
        self.name, self.specifier, self.reasons = name, specifier, tuple(reasons)


def read_wheels(folder: Path) -> tuple[Wheel, ...]:
    """All wheels in a folder, newest version first."""
    found = []
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        found.append(Wheel(path, name, version, tags))
    return tuple(sorted(found, key=lambda one: one.version, reverse=True))


def platforms(python: Python) -> tuple[str, ...]:
    """Platform tags that its C library can load, best first (PEP 600 and PEP 656)."""
    found = []
    if python.libc and python.libc.name == "glibc":
        oldest = _OLDEST_GLIBC.get(python.arch, 17)
        for minor in range(python.libc.version[1], oldest - 1, -1):
            found.append(f"manylinux_2_{minor}_{python.arch}")
            if minor in _LEGACY:
                found.append(f"{_LEGACY[minor]}_{python.arch}")
    elif python.libc:
        minors = range(python.libc.version[1], _NEWEST_MUSL - 2, -1)
        found += [f"musllinux_{python.libc.version[0]}_{minor}_{python.arch}" for minor in minors]
    return (*found, f"linux_{python.arch}")


def abi(python: Python) -> str:
    """Such as ``cp311``, or ``cp313t`` of a build without the global lock."""
    return f"cp{python.version[0]}{python.version[1]}{'t' if python.free_threaded else ''}"


def supported_tags(python: Python) -> tuple[Tag, ...]:
    """All tags that it can use, best first."""
    places, name = platforms(python), f"cp{python.version[0]}{python.version[1]}"
    version = python.version[:2]
    return (
        *cpython_tags(version, [abi(python)], places),
        *compatible_tags(version, name, places),
    )


def choose(requirements: Iterable[Requirement], wheels: Iterable[Wheel], python: Python) -> Chosen:
    """Wheels for requirements and all that they require in turn, each the newest that fits.

    Raises:
        Unfit: none of a distribution does, and none is installed there that would.
    """
    known = tuple(wheels)
    wanted = _merged(requirements, python)
    refused: dict[str, None] = {}
    while True:
        chosen: dict[str, Wheel] = {}
        own: dict[str, str] = {}
        for name, specifier in wanted.items():
            found = _best(name, specifier, known, python, refused)
            if isinstance(found, Wheel):
                chosen[name] = found
            else:
                own[name] = found
        more = _merged(
            [Requirement(f"{name}{spec}") for name, spec in wanted.items()]
            + [requirement for wheel in chosen.values() for requirement in wheel.requires],
            python,
        )
        if more == wanted:
            return Chosen(tuple(chosen.values()), own, tuple(refused))
        wanted = more


def _merged(requirements: Iterable[Requirement], python: Python) -> dict[str, SpecifierSet]:
    found: dict[str, SpecifierSet] = {}
    for one in requirements:
        if one.marker is None or one.marker.evaluate(python.marker_environment):
            name = canonicalize_name(one.name)
            found[name] = found.get(name, SpecifierSet()) & one.specifier
    return found


def _best(
    name: str, specifier: SpecifierSet, wheels: Iterable[Wheel], python: Python, refused: dict[str, None]
) -> Wheel | str:
    """The newest wheel that fits, or else the version that is installed there."""
    reasons: list[str] = []
    for wheel in (one for one in wheels if one.name == name):
        why = next(_against(wheel, specifier, python), None)
        if why is None:
            refused.update(dict.fromkeys(reasons))
            return wheel
        reasons.append(f"{wheel.path.name}: {why}")
    installed = next((version for key, version in python.packages.items() if canonicalize_name(key) == name), None)
    if installed is not None and specifier.contains(installed, prereleases=True):
        refused.update(dict.fromkeys(reasons))
        return installed
    raise Unfit(name, specifier, reasons)


def _against(wheel: Wheel, specifier: SpecifierSet, python: Python) -> Iterator[str]:
    """Reasons why a wheel does not fit."""
    if not zipfile.is_zipfile(wheel.path):
        yield "is not a whole file"
        return
    if not specifier.contains(wheel.version, prereleases=True):
        yield f"is version {wheel.version}, and {specifier} is needed"
    supported = frozenset(supported_tags(python))
    if not wheel.tags & supported:
        yield _foreign(wheel, python)
        return
    if python.libc and python.libc.name == "glibc":
        glibc, glibcxx = wheel.symbols
        if glibc > python.libc.version[1]:
            yield f"its libraries need glibc 2.{glibc}, and there is {python.libc}"
        if glibcxx > (python.glibcxx or 0):
            there = f"GLIBCXX_3.4.{python.glibcxx}" if python.glibcxx else "no libstdc++.so.6"
            yield f"its libraries need libstdc++ with GLIBCXX_3.4.{glibcxx}, and there is {there}"


def _foreign(wheel: Wheel, python: Python) -> str:
    """Which part of the tags is another's."""
    interpreters = {tag.interpreter for tag in wheel.tags}
    abis = {(tag.interpreter, tag.abi) for tag in supported_tags(python)}
    if not any((tag.interpreter, tag.abi) in abis for tag in wheel.tags):
        return f"is for {', '.join(sorted(interpreters))}, and there is Python {python.short} ({abi(python)})"
    places = ", ".join(sorted({tag.platform for tag in wheel.tags}))
    if not any(place.endswith(python.arch) for place in places.split(", ")):
        return f"is for {places}, and the CPU is {python.arch}"
    return f"is for {places}, and there is {python.libc or 'an unknown C library'}"
