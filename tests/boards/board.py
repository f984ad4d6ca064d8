"""An emulated Arm board: Debian's Python and an engine's wheels, run by qemu's user mode.

No Docker, chroot, binfmt_misc or root. What holds under it: numbers, behaviour, signals, CPU features. What does not:
times, memory of the process, the number of cores.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.boards.debian import SetupError, need, unpack

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".boards"
BACKPORTS = "bookworm-backports"
_PYTHON = "python3.11"
_DEBS = ("libc6", "libstdc++6", "python3.11-minimal", "libpython3.11-stdlib")
_TEFLON = ("mesa-teflon-delegate", "libdrm2")
_MAKER = "0x41"
_GLIBCS = ("_2_34", "_2_28", "_2_27", "2014")
# What edge-sdk itself needs there.
_OURS = ("attrs", "cattrs", "click", "flatbuffers", "packaging", "typing-extensions")


@dataclass(frozen=True)
class Arch:
    """An architecture: its emulator, the name of its library folder, and tags of wheels that run there."""

    qemu: str
    triple: str
    platforms: tuple[str, ...]


ARCHES = {
    "arm64": Arch("qemu-aarch64", "aarch64-linux-gnu", tuple(f"manylinux{v}_aarch64" for v in _GLIBCS)),
    "armhf": Arch("qemu-arm", "arm-linux-gnueabihf", tuple(f"manylinux{v}_armv7l" for v in _GLIBCS)),
}
"""By Debian's word."""


@dataclass(frozen=True)
class System:
    """One Debian and the wheels on it; boards of one architecture share it.

    Attributes:
        arch: name from :data:`ARCHES`.
        engine: what pip is asked for.
        constraints: its versions, a file in ``constraints/``.
        packages: Debian's, beside those of every system.
    """

    arch: str
    engine: str
    constraints: str
    packages: tuple[str, ...] = ()


SYSTEMS = {
    # With a real external delegate: Teflon drives the NPUs of etnaviv and rocket.
    "arm64": System("arm64", "ai-edge-litert", "accelerators.txt", tuple(f"{p}/{BACKPORTS}" for p in _TEFLON)),
    "arm64-tflite": System("arm64", "tflite-runtime", "tflite-runtime.txt"),
    # No numpy is published for armv7l: Debian's.
    "armhf-tflite": System(
        "armhf", "tflite-runtime", "tflite-runtime.txt", ("python3-numpy", "libblas3", "liblapack3")
    ),
}
"""Name to system; a new one is a line here."""


@dataclass(frozen=True)
class Cpu:
    """A processor: its Arm part number, and the features that Linux lists of it."""

    part: str
    features: str
    arch: str


_V8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_V7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae"
CPUS = {
    "cortex-a53": Cpu("0xd03", _V8, "arm64"),
    "cortex-a72": Cpu("0xd08", _V8, "arm64"),
    "cortex-a76": Cpu("0xd0b", f"{_V8} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp", "arm64"),
    "cortex-a15": Cpu("0xc0f", _V7, "armhf"),
    "cortex-a7": Cpu("0xc07", _V7, "armhf"),
}
"""By qemu's name. Never ``max``: qemu 7.2 computes wrong int8 results with it."""


@dataclass(frozen=True)
class Board:
    """A board that can run programs.

    Attributes:
        python: its Python, as a program of this machine; the board's own child processes work too.
        root: files here are what the board sees at ``/``.
    """

    python: Path
    root: Path

    def run(
        self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Runs Python there; a death by a signal is exit status 128 and its number, or the number below 0."""
        return subprocess.run(
            [str(self.python), *arguments],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            # Python looks there first; the checkout must not stand in for what is on the board.
            cwd=self.python.parent,
        )


def make_system(name: str) -> Path:
    """Fetches a system into ``.boards/<name>``, once.

    Raises:
        SetupError: what is missing on this machine.
    """
    system = SYSTEMS[name]
    folder = HOME / name
    if system_is_made(name):
        return folder
    _emulator(ARCHES[system.arch])
    shutil.rmtree(folder, ignore_errors=True)
    unpack(
        folder / "root",
        (*_DEBS, *system.packages),
        arch=system.arch,
        suites=("bookworm", BACKPORTS),
        without=("dpkg", "tar"),
    )
    _merge_usr(folder / "root")
    _fetch_wheels(system, folder)
    _compile(folder / "root/usr/lib/python3.11", folder / "site")
    (folder / "made").touch()
    return folder


def system_is_made(name: str) -> bool:
    """Whether ``python -m tests.boards <name>`` was run."""
    return (HOME / name / "made").exists()


def make_board(system: str, cpu: str, folder: Path, *, wheel: Path | None = None, bare: bool = False) -> Board:
    """A board of a system that was made.

    Args:
        system: name from :data:`SYSTEMS`.
        cpu: name from :data:`CPUS`.
        folder: gets the board's own files.
        wheel: edge-sdk's, to install there; None leaves it to the caller's PYTHONPATH.
        bare: without an engine and what edge-sdk needs: Debian's Python alone. Its ``PYTHONPATH`` is then the caller's.
    """
    here, processor = SYSTEMS[system], CPUS[cpu]
    if processor.arch != here.arch:
        raise ValueError(f"{cpu} is {processor.arch}, and {system} is {here.arch}")
    root, shared = folder / "root", HOME / system
    (root / "proc").mkdir(parents=True)
    for link in ("usr", "lib", "etc"):
        (root / link).symlink_to(shared / "root" / link)
    # qemu 7.2 would show this machine's, and LiteRT from 2.2 on dies of that.
    (root / "proc/cpuinfo").write_text("".join(_cpuinfo(processor, core) for core in range(4)), encoding="utf-8")
    site = folder / "site"
    site.mkdir()
    if wheel is not None:
        zipfile.ZipFile(wheel).extractall(site)
        _compile(site)
    python = folder / "python"
    python.write_text(_launcher(here, cpu, root, () if bare else (site, shared / "site")), encoding="utf-8")
    python.chmod(0o755)
    return Board(python, root)


def make_wheel(folder: Path) -> Path:
    """edge-sdk's wheel, built from a copy of this checkout: a build folder in it would be packed, too."""
    copy = folder / "copy"
    left = shutil.ignore_patterns(".*", "*.egg-info", "build", "demo_output", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=left)
    _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(copy)])
    (wheel,) = folder.glob("edge_sdk-*.whl")
    return wheel


def _emulator(arch: Arch) -> str:
    """Debian 12 names it ``-static``; later qemu-user packages do not."""
    for name in (f"{arch.qemu}-static", arch.qemu):
        if shutil.which(name):
            return name
    need(f"{arch.qemu}-static", "qemu-user-static")
    raise AssertionError


def _merge_usr(root: Path) -> None:
    """Some packages still ship /lib; Debian merges it into /usr when it is installed."""
    old = root / "lib"
    if old.is_dir() and not old.is_symlink():
        shutil.copytree(old, root / "usr/lib", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(old)
        old.symlink_to("usr/lib")


def _fetch_wheels(system: System, folder: Path) -> None:
    wheels = folder / "wheels"
    tags = [word for platform in ARCHES[system.arch].platforms for word in ("--platform", platform)]
    abis = [word for abi in ("cp311", "abi3", "none") for word in ("--abi", abi)]
    _run([
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
        "--dest", str(wheels), "--python-version", "3.11", "--implementation", "cp", *tags, *abis,
        # Debian's numpy stands in where none is published.
        *(["--no-deps"] if "python3-numpy" in system.packages else []),
        "-c", str(ROOT / "constraints" / system.constraints), system.engine, *_OURS,
    ])  # fmt: skip
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder / "site")
    shutil.rmtree(wheels)


def _compile(*folders: Path) -> None:
    """Python's bytecode, made here where that is fast; another Python than 3.11 makes another kind."""
    if sys.version_info[:2] == (3, 11):
        for folder in folders:
            compileall.compile_dir(folder, quiet=2, workers=0)


def _cpuinfo(cpu: Cpu, core: int) -> str:
    lines = {
        "processor": str(core),
        "BogoMIPS": "108.00",
        "Features": cpu.features,
        "CPU implementer": _MAKER,
        "CPU architecture": "8" if cpu.arch == "arm64" else "7",
        "CPU variant": "0x0",
        "CPU part": cpu.part,
        "CPU revision": "4",
    }
    return "".join(f"{key}\t: {value}\n" for key, value in lines.items()) + "\n"


def _launcher(system: System, cpu: str, root: Path, sites: Sequence[Path]) -> str:
    """Its own name becomes ``sys.executable``, so that the board's Python can start itself again."""
    arch = ARCHES[system.arch]
    libraries = root / "usr/lib" / arch.triple
    folders = ":".join(map(str, (libraries, libraries / "blas", libraries / "lapack")))
    paths = ":".join(map(str, (*sites, root / "usr/lib/python3/dist-packages")))
    callers = "" if sites else "${PYTHONPATH:+$PYTHONPATH:}"
    return f"""#!/bin/sh
# Made by tests/boards: Python of an emulated {cpu}.
unset LD_LIBRARY_PATH
ulimit -c 0
exec {_emulator(arch)} -cpu {cpu} -0 "$0" -L {root} -E PYTHONHOME={root}/usr -E LD_LIBRARY_PATH={folders} \\
  -E PYTHONPATH={callers}{paths} {root}/usr/bin/{_PYTHON} "$@"
"""


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-800:]}")
