"""How much each extra puts on a disk: ``python -m benchmarks.extras`` writes what ``edge-sdk doctor`` tells.

Of the environment that runs it, file by file, compiled Python included; an extra that is not whole there is left out.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from datetime import date
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TARGET = Path(__file__).parents[1] / "edge_sdk" / "package_sizes.json"
_OWN = "edge-sdk"


def main() -> None:
    """Writes :data:`TARGET`."""
    core = _closure(_OWN, ()) or set()
    every = metadata.metadata(_OWN).get_all("Provides-Extra") or []
    found = {extra: _closure(_OWN, (extra,)) for extra in every if extra not in ("dev", "docs", "benchmarks")}
    extras = {extra: sorted(names - core - {_OWN}) for extra, names in found.items() if names}
    packages = {name: _bytes(name) for name in sorted({name for names in extras.values() for name in names})}
    machine = f"{platform.system()} {platform.machine()}, Python {'.'.join(platform.python_version_tuple()[:2])}"
    told = {"measured": f"{machine}, {date.today():%B %Y}", "packages": packages, "extras": extras}
    TARGET.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _closure(name: str, extras: tuple[str, ...]) -> set[str] | None:
    """All distributions that one brings along, itself too; None where one of them is not installed."""
    found: set[str] = set()
    waiting, seen = [(name, extras)], set[tuple[str, tuple[str, ...]]]()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        found.add(one[0])
        try:
            waiting += _needed(*one)
        except metadata.PackageNotFoundError:
            return None
    return found


def _needed(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    metadata.version(name)
    for text in metadata.requires(name) or []:
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(one.name), tuple(sorted(one.extras))


def _bytes(name: str) -> int:
    places = (Path(str(one.locate())) for one in metadata.distribution(name).files or ())
    return sum(place.stat().st_size for place in places if place.is_file())


if __name__ == "__main__":
    main()
