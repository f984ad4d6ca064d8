"""Debian packages unpacked into a folder of their own: nothing is installed, and root is not needed.

The mirror is the one this machine's apt uses for Debian, or ``DEBIAN_MIRROR`` where it uses none. Signatures are
checked by apt against Debian's archive keys. A suite is named, not a version: Debian keeps only the newest of each.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class SetupError(Exception):
    """A thing that the machine lacks; the message says what to install."""


def unpack(folder: Path, packages: Sequence[str], *, arch: str, suites: Sequence[str], without: Sequence[str]) -> None:
    """Fetches packages and all they depend on, and unpacks them.

    Args:
        folder: gets the files; ``<folder>/../packages.txt`` lists what was taken.
        packages: names, ``name/suite`` for one that is not in the first suite.
        arch: Debian's word for it, such as ``arm64``.
        suites: such as ``bookworm``.
        without: names of packages that are not unpacked, though others depend on them.

    Raises:
        SetupError: this machine has no apt, or apt failed.
    """
    need("apt-get", "apt (a Debian or Ubuntu machine)")
    need("dpkg-deb", "dpkg")
    state = folder.parent / "apt"
    apt = _apt(state, arch, suites)
    _run([*apt, "update"])
    _run([*apt, "--yes", "--download-only", "install", *packages])
    taken = [deb for deb in sorted((state / "cache/archives").glob("*.deb")) if deb.name.split("_")[0] not in without]
    folder.mkdir(parents=True, exist_ok=True)
    for deb in taken:
        _run(["dpkg-deb", "--extract", str(deb), str(folder)])
    (folder.parent / "packages.txt").write_text("".join(f"{deb.name}\n" for deb in taken), encoding="utf-8")
    shutil.rmtree(state)


def need(command: str, package: str) -> None:
    """Says which package brings a command that is not there."""
    if shutil.which(command) is None:
        raise SetupError(f"{command} is not there: install {package}")


def _apt(state: Path, arch: str, suites: Sequence[str]) -> list[str]:
    """An apt that knows one architecture, these suites, and no installed package."""
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    if not _KEYS.exists():
        raise SetupError(f"{_KEYS} is not there: install debian-archive-keyring")
    lines = [f"deb [signed-by={_KEYS}] {_mirror()} {suite} main\n" for suite in suites]
    (state / "sources.list").write_text("".join(lines), encoding="utf-8")
    settings = {
        "APT::Architecture": arch,
        "APT::Architectures::": arch,
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
        "Dir::Cache": str(state / "cache"),
        "Dir::Etc::SourceList": str(state / "sources.list"),
        "Dir::Etc::SourceParts": "/dev/null",
    }
    return ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in settings.items())]


def _mirror() -> str:
    if os.environ.get("DEBIAN_MIRROR"):
        return os.environ["DEBIAN_MIRROR"]
    listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).split()
    mirrors = [uri for uri in listed if re.search(r"/debian/?$", uri)]
    if not mirrors:
        raise SetupError("apt of this machine has no source of Debian: set DEBIAN_MIRROR to the address of one")
    return mirrors[0]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"{' '.join(command[:1])} failed: {done.stderr.strip()[-800:]}")
    return done.stdout
