"""Programs that a build needs and finds otherwise: scripts in their places, so that no JDK is needed here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk.android.locked import LockedArtifact, announce, cache_folder, fetch, read_lock
from edge_sdk.android.properties import project, read_properties
from edge_sdk.android.toolchain import find_toolchain
from edge_sdk.errors import BuildError, MissingToolError, OutputError
from edge_sdk.progress import Silent

_GOOD, _BAD = b"what was locked", b"what was lock3d"
_LOCKED = LockedArtifact("x", "a.b:x:1.0:jar", hashlib.sha256(_GOOD).hexdigest(), len(_GOOD), "tool", "MIT", "")
# Copies what its repository holds; a purge makes it fetch anew.
_MAVEN = """#!/bin/sh
echo "$@" >> {folder}/heard
for word; do case $word in
  *:purge-local-repository) cp {folder}/remote {folder}/repository ;;
  -DoutputDirectory=*) cp {folder}/repository "${{word#*=}}/x-1.0.jar" ;;
esac; done
"""


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``repository`` and ``remote``, which a script in Maven's place copies from."""
    folder = tmp_path / "maven"
    _script(folder / "bin/mvn", _MAVEN.format(folder=folder))
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=":")
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.mark.parametrize("cached", [None, _BAD, _GOOD[:-1]])
@pytest.mark.parametrize("kept", [_GOOD, _BAD])
def test_a_corrupt_cache_is_fetched_once_more(maven: Path, cached: bytes | None, kept: bytes) -> None:
    """Ours, Maven's own, or both."""
    (maven / "repository").write_bytes(kept)
    (maven / "remote").write_bytes(_GOOD)
    if cached is not None:
        cache_folder().mkdir(parents=True)
        (cache_folder() / _LOCKED.file_name).write_bytes(cached)
    for _ in range(2):
        assert fetch([_LOCKED], Silent())["x"].read_bytes() == _GOOD
    assert len((maven / "heard").read_text().splitlines()) == (1 if kept == _GOOD else 3)


def test_a_repository_that_serves_another_file(maven: Path) -> None:
    for name in ("repository", "remote"):
        (maven / name).write_bytes(_BAD)
    with pytest.raises(BuildError, match=r"expected SHA-256 .*, also when fetched anew"):
        fetch([_LOCKED], Silent())
    assert not list(cache_folder().iterdir())


def test_size_is_told_before_anything_is_fetched(maven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Silent, "stage", lambda _, name: said.append(name))
    large = replace(_LOCKED, name="y", coordinates="a.b:y:1.0:jar", size_bytes=3_000_000)
    announce([_LOCKED, large], Silent())
    (told,) = said
    assert told.startswith(f"to be fetched, once: 2 files into {cache_folder()}, 3.0 MB, ")
    assert not cache_folder().exists()
    (maven / "repository").write_bytes(_GOOD)
    fetch([_LOCKED], Silent())
    said.clear()
    announce([_LOCKED], Silent())
    assert not said
    announce([_LOCKED, large], Silent())
    assert "1 file into" in said[0]
    with pytest.raises(OutputError, match="no room for the 1 file") as caught:
        announce([replace(large, size_bytes=1 << 60)], Silent())
    assert "EDGE_SDK_CACHE" in str(caught.value.hint)


def test_a_cache_that_cannot_be_written(maven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (maven / "file").touch()
    monkeypatch.setenv("EDGE_SDK_CACHE", str(maven / "file"))
    with pytest.raises(OutputError, match="what a build fetches cannot be kept there") as caught:
        fetch([_LOCKED], Silent())
    assert "EDGE_SDK_CACHE" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("#!/bin/sh\necho javac 1.8.0_402 >&2\n", MissingToolError, r"says `javac 1\.8\.0_402`; javac 9 to 23"),
        ("#!/bin/sh\necho javac 25.0.1\n", MissingToolError, r"says `javac 25\.0\.1`; javac 9 to 23"),
        ("#!/bin/sh\necho something else\n", MissingToolError, "says `something else`"),
        ("#!/bin/sh\nexit 1\n", BuildError, "javac -version failed"),
        ("no program at all", BuildError, r"javac does not start: Exec format error"),
        ("#!/bin/sh\necho javac 17.0.1\n", MissingToolError, "no java beside"),
    ],
)
def test_a_jdk_that_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, kind: type[Exception], words: str
) -> None:
    _script(tmp_path / "bin/javac", script)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(kind, match=words) as caught:
        find_toolchain(read_properties(project()), read_lock(project()), Silent())
    assert "openjdk-17-jdk-headless" in str(getattr(caught.value, "hint", ""))


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
