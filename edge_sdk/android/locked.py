"""``deps.lock``: what a build takes from Maven Central, fetched once into a cache and held against its hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_sdk.android.tools import run_tool
from edge_sdk.errors import BuildError, MissingToolError, OutputError, RecipeError
from edge_sdk.folders import temporary_folder
from edge_sdk.progress import Progress
from edge_sdk.records import RecordError, read_record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class LockedArtifact:
    """One file of Maven Central.

    Attributes:
        name: what the build calls it.
        coordinates: ``group:artifact:version:packaging``.
        sha256: of the file.
        size_bytes: of the file.
        use: ``runtime`` (an AAR) goes into the APK, of a ``library`` (a JAR) what is used of it; ``tool`` does not,
            ``test`` is fetched for the tests alone.
        licence: SPDX id.
        what: why it is there.
    """

    name: str
    coordinates: str
    sha256: str
    size_bytes: int
    use: Literal["runtime", "library", "tool", "test"]
    licence: str
    what: str

    @property
    def file_name(self) -> str:
        """As Maven names it."""
        return _file_name(self.coordinates)


@dataclass(frozen=True)
class LockedJar:
    """A file of Maven Central that only tests use, and that Maven itself puts on their class path; fields as above."""

    coordinates: str
    sha256: str
    licence: str

    @property
    def file_name(self) -> str:
        """As Maven names it."""
        return _file_name(self.coordinates)


@dataclass(frozen=True)
class _Lock:
    artifact: tuple[LockedArtifact, ...]
    test_jar: tuple[LockedJar, ...]


def read_lock(folder: Path) -> dict[str, LockedArtifact]:
    """Name to artifact, from a project's ``deps.lock``.

    Raises:
        RecipeError: the file has faults.
    """
    return {one.name: one for one in _read(folder).artifact}


def hashes_of_tests(folder: Path) -> dict[str, str]:
    """File name to SHA-256 of all that tests may have on their class path; errors as :func:`read_lock`."""
    lock = _read(folder)
    jars: tuple[LockedArtifact | LockedJar, ...] = (*lock.artifact, *lock.test_jar)
    return {one.file_name: one.sha256 for one in jars}


def _read(folder: Path) -> _Lock:
    path = folder / "deps.lock"
    try:
        return read_record(_Lock, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, RecordError) as error:
        raise RecipeError(f"{path}: {error}") from error


def _file_name(coordinates: str) -> str:
    _, artifact, version, packaging = coordinates.split(":")
    return f"{artifact}-{version}.{packaging}"


def cache_folder() -> Path:
    """``$EDGE_SDK_CACHE``, or ``edge-sdk`` in the user's cache folder."""
    if "EDGE_SDK_CACHE" in os.environ:
        return Path(os.environ["EDGE_SDK_CACHE"]) / "android"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edge-sdk" / "android"


def fetch(artifacts: Iterable[LockedArtifact], progress: Progress) -> dict[str, Path]:
    """Name to file, from the cache, or through Maven where it is not there.

    A file with another hash is fetched once more, past Maven's own repository too.

    Raises:
        BuildError: Maven failed, or what it brought has another hash than the lock, twice.
        OutputError: the cache cannot be written.
        MissingToolError: a file must be fetched, and there is no Maven.
    """
    found = {}
    for artifact in artifacts:
        path = cache_folder() / artifact.file_name
        if not _holds(path, artifact):
            progress.stage(f"fetch {artifact.coordinates} ({_size(artifact.size_bytes)}, once)")
            _fetch_one(artifact, path)
        found[artifact.name] = path
    return found


def announce(artifacts: Iterable[LockedArtifact], progress: Progress) -> None:
    """Tells how much is still to be fetched before anything is; sizes are those of the lock.

    Raises:
        OutputError: the cache has no room for it.
    """
    absent = [one for one in artifacts if not (cache_folder() / one.file_name).is_file()]
    if not absent:
        return
    needed, free = sum(one.size_bytes for one in absent), _free(cache_folder())
    files = "1 file" if len(absent) == 1 else f"{len(absent)} files"
    room = f"{_size(needed)}, {_size(free)} free"
    # Maven keeps a copy of its own until it is cleared.
    if 2 * needed > free:
        raise OutputError(
            f"{cache_folder()}: no room for the {files} that a build fetches, twice for Maven keeps a copy: {room}",
            hint="free it, or name another folder in EDGE_SDK_CACHE",
        )
    progress.stage(f"to be fetched, once: {files} into {cache_folder()}, {room}")


def _size(count: int) -> str:
    """Of files, as repositories tell it: 1 kB = 1000 bytes."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def _free(folder: Path) -> int:
    """Bytes, where the folder is or will be."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    return shutil.disk_usage(there).free


def _holds(path: Path, artifact: LockedArtifact) -> bool:
    """Whether the cache has the very file; a hash of 190 MB takes 0.15 s."""
    return path.is_file() and path.stat().st_size == artifact.size_bytes and _sha256(path) == artifact.sha256


def _fetch_one(artifact: LockedArtifact, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: what a build fetches cannot be kept there: {error.strerror}",
            hint="free it, or name another folder in EDGE_SDK_CACHE",
        ) from error
    with temporary_folder("fetch", parent=path.parent) as folder:
        _brought(artifact, folder).replace(path)


def _brought(artifact: LockedArtifact, folder: Path) -> Path:
    """Through Maven; a file that is damaged in Maven's own repository is fetched anew, once."""
    path = folder / artifact.file_name
    copy = ("copy", f"-Dartifact={artifact.coordinates}", f"-DoutputDirectory={folder}")
    _run_maven(artifact, *copy)
    if _sha256(path) != artifact.sha256:
        path.unlink()
        kept = artifact.coordinates.rpartition(":")[0]
        _run_maven(artifact, "purge-local-repository", f"-DmanualInclude={kept}", "-DreResolve=false")
        _run_maven(artifact, *copy)
    got = _sha256(path)
    if got != artifact.sha256:
        raise BuildError(
            f"{artifact.coordinates}: expected SHA-256 {artifact.sha256}, got {got}, also when fetched anew",
            tool="mvn",
            hint="the repository behind Maven serves another file than the one that was checked: do not use it",
        )
    return path


def _run_maven(artifact: LockedArtifact, goal: str, *words: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingToolError(
            f"{artifact.coordinates} is not in {cache_folder()}, and there is no Maven to fetch it",
            hint=f"install Maven (Debian: `apt-get install maven`), or put {artifact.file_name} there yourself",
        )
    command = [maven, "--batch-mode", f"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:{goal}", *words]
    hint = "this is the one step that needs the network; it is done once"
    run_tool(command, what=f"fetching {artifact.coordinates}", hint=hint)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
